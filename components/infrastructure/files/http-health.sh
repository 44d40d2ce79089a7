# Healthy when the service answers {{ path }} with status 200. Bash alone, since images share no HTTP client.
exec 3<>/dev/tcp/127.0.0.1/{{ port }}
printf 'GET {{ path }} HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
read -r _ status _ <&3
[ "$status" = 200 ]
