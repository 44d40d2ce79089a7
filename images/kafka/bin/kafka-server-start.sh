#!/bin/bash
# kafka-server-start.sh PROPERTIES [--override KEY=VALUE]…: a broker, a controller, or both.
[ $# -gt 0 ] || { echo "usage: kafka-server-start.sh server.properties [--override property=value]*" >&2; exit 1; }
exec /opt/kafka/bin/kafka-server.sh kafka.Kafka "-Xmx1G -Xms1G" "$@"
