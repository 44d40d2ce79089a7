# Healthy when the server answers AMQP's greeting with Connection.Start: an open port alone proves nothing.
exec 3<>/dev/tcp/127.0.0.1/5672
printf 'AMQP\0\0\011\01' >&3
answer=$(head -c 11 <&3 | od -An -v -tu1)
set -- $answer
# A method frame (type 1) on channel 0 whose class is 10 (Connection) and whose method is 10 (Start).
[ $# = 11 ] && [ "$1" = 1 ] && [ "$9" = 10 ] && [ "${11}" = 10 ]
