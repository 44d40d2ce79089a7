# Healthy when the broker answers a Metadata request and lists at least one broker: an open port alone proves nothing.
# The request is version 1 for no topics: size, api key 3, version 1, correlation id 1, no client id, empty array.
# Bash speaks the protocol itself, since a Java tool would take most of a second of a processor at every check.
exec 3<>/dev/tcp/127.0.0.1/29092
printf '\0\0\0\016\0\003\0\001\0\0\0\001\377\377\0\0\0\0' >&3
answer=$(head -c 12 <&3 | od -An -v -tu1)
set -- $answer
# Bytes 9 to 12 of the answer (after its size and the correlation id) count the brokers.
[ $# = 12 ] && [ $(( $9 + ${10} + ${11} + ${12} )) -gt 0 ]
