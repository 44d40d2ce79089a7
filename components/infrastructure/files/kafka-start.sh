# Starts the broker, unless that would hide a loss.
set -euo pipefail
configuration=/run/config/server.properties
data={{ data }}
# A volume holds the records of one mode; in the other its topics would not exist, in silence.
if [ -e "$data/meta.properties" ] && {{ "! " if kraft }}grep -q '^node.id=' "$data/meta.properties"; then
  echo "kafka: the data volume of broker {{ broker_id }} was written {{ "with ZooKeeper" if kraft else "in KRaft mode" }}, and clinical:kafkaMode" \
    "is now {{ "kraft" if kraft else "zookeeper" }}. Set it back; or remove the layer's data with './pipeline infrastructure" \
    "stop-full' and start it again." >&2
  exit 1
fi
{% if kraft %}
if [ ! -e "$data/meta.properties" ]; then
  /opt/kafka/bin/kafka-storage.sh format --cluster-id {{ cluster_id }} --config "$configuration"
fi
{% else %}
# Without its volume a broker starts empty and ZooKeeper still lists its partitions: their records would be gone in
# silence. A new broker of a growing cluster has no partitions yet, and one with replicas elsewhere gets them back.
zookeeper() { /opt/kafka/bin/zookeeper-shell.sh {{ zookeeper }} "$@" 2>/dev/null || true; }
if [ ! -e "$data/meta.properties" ]; then
  # ls prints a JSON-like list, get one line of JSON: {"partitions":{"0":[1,2]}, …}
  for topic in $(zookeeper ls /brokers/topics | grep '^\[' | tr -d '[],'); do
    if zookeeper get "/brokers/topics/$topic" | grep -qE '[:][[]{{ broker_id }}[]]'; then
      echo "kafka: the data volume of broker {{ broker_id }} is empty, but ZooKeeper lists partitions that only it has" \
        "(topic $topic). The volume was lost. Restore it; or, to go on without those records, remove the layer's data" \
        "with './pipeline infrastructure stop-full' and start it again." >&2
      exit 1
    fi
  done
elif ! zookeeper get /cluster/id | grep -q '"id"'; then
  echo "kafka: broker {{ broker_id }} has data, but ZooKeeper knows no cluster. ZooKeeper's volume was lost: restore it;" \
    "or remove the layer's data with './pipeline infrastructure stop-full' and start it again." >&2
  exit 1
fi
{% endif %}
exec /opt/kafka/bin/kafka-server-start.sh "$configuration"
