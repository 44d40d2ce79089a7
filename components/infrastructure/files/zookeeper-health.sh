# Healthy when the node says that it is.
exec 3<>/dev/tcp/127.0.0.1/2181
printf ruok >&3
[ "$(cat <&3)" = imok ]
