"""The broker's topics and who reads them."""

from components.observability.dashboards.making import Board, Graph, Number

BOARD = Board(uid="kafka", title="Kafka", rows={
    "Now": [
        Number(title="Partitions that lack copies", query="sum(kafka_topic_under_replicated_partitions)", red_from=1),
        Number(title="Records behind, all groups", query="sum(kafka_consumer_group_lag_records)", red_from=10_000),
        Number(title="Members of groups", query="sum(kafka_consumer_group_members)", red_below=1),
        Number(title="Dead letters in an hour", query='sum(increase(kafka_topic_end_offset_total{topic="dead-letter"}[1h]))')],
    "Topics": [
        Graph(title="Records a second", unit="ops", queries={
            "{{topic}}": "sum by (topic) (rate(kafka_topic_end_offset_total[5m]))"}),
        Graph(title="Age of the newest record", unit="s", queries={
            "{{topic}}": "time() - kafka_topic_newest_record_timestamp_seconds"}),
        Graph(title="Records since ever", queries={"{{topic}}": "kafka_topic_end_offset_total"})],
    "Groups": [
        Graph(title="Lag, by topic", queries={"{{group}}: {{topic}}": "kafka_consumer_group_lag_records"}),
        Graph(title="The largest lag of a partition", queries={
            "{{group}}: {{topic}}": "max by (group, topic) (kafka_consumer_group_lag)"}),
        Graph(title="Not in bronze yet, as the consumer sees it", queries={"{{topic}}": "sum by (topic) (consumer_lag)"})],
})
