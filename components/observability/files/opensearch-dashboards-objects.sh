# Creates the saved objects anew, once the server is ready for them. Bash asks, since the image need not have an HTTP client.
objects=${1:-/run/config/opensearch-dashboards-objects.json}
ask() { # prints the status of the answer to the request on standard input; nothing where nobody answers
  { exec 3<> /dev/tcp/127.0.0.1/{{ port }}; } 2> /dev/null || return
  cat >&3 && read -r _ status _ <&3 && cat <&3 > /dev/null && echo "$status"
}
ready() { printf 'GET /api/status HTTP/1.0\r\nHost: localhost\r\n\r\n' | ask; }
create() {
  {
    printf 'POST /api/saved_objects/_bulk_create?overwrite=true HTTP/1.0\r\nHost: localhost\r\nosd-xsrf: true\r\n'
    printf 'Content-Type: application/json\r\nContent-Length: %s\r\n\r\n' "$(wc -c < "$objects")"
    cat "$objects"
  } | ask
}
until [ "$(ready)" = 200 ]; do sleep 2; done
status=$(create)
if [ "$status" != 200 ]; then echo "opensearch-dashboards: the saved objects were refused (status ${status:-none})" >&2; fi
