#!/bin/bash
# The command-line tools, by the name that this script is called by: see tools.txt.
name=$(basename "$0")
class=$(awk -v name="$name" '$1 == name { print $2 }' /opt/kafka/bin/tools.txt)
if [ -z "$class" ]; then
  echo "usage: kafka-server-start.sh, zookeeper-server-start.sh, or one of" \
    "$(cut -d' ' -f1 /opt/kafka/bin/tools.txt | paste -sd' ')" >&2
  exit 1
fi
# ZooKeeper's shell takes its server as an option; upstream's script takes it as the first argument.
[ "$name" != zookeeper-shell.sh ] || [ $# = 0 ] || set -- -server "$@"
exec /opt/kafka/bin/kafka-run-class.sh "$class" "$@"
