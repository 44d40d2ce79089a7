#!/bin/bash
# zookeeper-server-start.sh PROPERTIES: one ZooKeeper node.
[ $# -gt 0 ] || { echo "usage: zookeeper-server-start.sh zookeeper.properties" >&2; exit 1; }
exec /opt/kafka/bin/kafka-server.sh org.apache.zookeeper.server.quorum.QuorumPeerMain "-Xmx512M -Xms512M" "$@"
