"""How much is logged, by whom, and whether it arrives. The lines themselves are in OpenSearch and in the control room."""

from components.observability.dashboards.making import Board, Graph, Number

BOARD = Board(uid="logs", title="Logs", rows={
    "Now": [
        Number(title="Since the newest line", unit="s", query="time() - logs_newest_timestamp_seconds", red_from=600),
        Number(title="Waiting to be sent", unit="bytes", query="log_shipper_queue_bytes"),
        Number(title="Lines lost", query="log_shipper_lines_rejected_total + log_shipper_gaps_total", red_from=1),
        Number(title="Containers read", query="log_shipper_containers", red_below=1),
        Number(title="OpenSearch is red", query='elasticsearch_cluster_health_status{color="red"}', red_from=1),
        Number(title="Its disk, free", unit="percentunit", red_below=0.1,
               query="min(elasticsearch_filesystem_data_available_bytes / elasticsearch_filesystem_data_size_bytes)")],
    "Lines": [
        Graph(title="Lines a second, by level", unit="ops", queries={"{{level}}": "sum by (level) (rate(log_lines_total[5m]))"}),
        Graph(title="The ten services that write most", unit="ops", queries={
            "{{service}}": "topk(10, sum by (service) (rate(log_lines_total[5m])))"}),
        Graph(title="Errors in an hour", queries={
            "{{service}}": 'sum by (service) (increase(log_lines_total{level=~"error|critical|fatal"}[1h])) or vector(0)'})],
    "OpenSearch": [
        Graph(title="Sent a second", unit="ops", queries={"lines": "rate(log_shipper_lines_sent_total[5m])",
                                                          "tries that failed": "rate(log_shipper_failures_total[5m])"}),
        Graph(title="Heap", unit="bytes", queries={
            "used": 'sum(elasticsearch_jvm_memory_used_bytes{area="heap"})',
            "at most": 'sum(elasticsearch_jvm_memory_max_bytes{area="heap"})'}),
        Graph(title="Documents", queries={"all": "sum(elasticsearch_indices_docs)"})],
})
