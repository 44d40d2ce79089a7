# Healthy when the node says that it is. A node that is still starting may take the word and never answer: two seconds.
exec 3<>/dev/tcp/127.0.0.1/2181
printf ruok >&3
read -r -t 2 -N 4 answer <&3
[ "$answer" = imok ]
