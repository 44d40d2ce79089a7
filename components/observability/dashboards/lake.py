"""The object store and the tables."""

from components.observability.dashboards.making import Board, Graph, Number

BOARD = Board(uid="lake", title="Lake", rows={
    "Object store": [
        Number(title="Free", unit="percentunit", red_below=0.1,
               query="minio_cluster_capacity_usable_free_bytes / minio_cluster_capacity_usable_total_bytes"),
        Number(title="Drives offline", query="minio_cluster_drive_offline_total", red_from=1),
        Number(title="Used", unit="bytes", query="minio_cluster_usage_total_bytes"),
        Number(title="Objects", query="minio_cluster_usage_object_total"),
        Number(title="Requests in flight", query="sum(minio_s3_requests_inflight_total) or vector(0)"),
        Number(title="Server errors in an hour", query="sum(increase(minio_s3_requests_errors_total[1h])) or vector(0)")],
    "Traffic": [
        Graph(title="Requests a second", unit="reqps", queries={"{{api}}": "sum by (api) (rate(minio_s3_requests_total[5m]))"}),
        Graph(title="Bytes a second", unit="Bps", queries={"received": "sum(rate(minio_s3_traffic_received_bytes[5m]))",
                                                           "sent": "sum(rate(minio_s3_traffic_sent_bytes[5m]))"}),
        Graph(title="Bronze written, bytes a second", unit="Bps", stacked=True, queries={
            "{{topic}}": "sum by (topic) (rate(consumer_bytes_total[5m]))"})],
    "Tables": [
        Graph(title="Rows", queries={"{{table}}": "lake_table_rows"}),
        Graph(title="Age of the newest row", unit="s", queries={"{{table}}": "time() - lake_table_newest_timestamp_seconds"}),
        Graph(title="Refused in the last hour", queries={"all": "quarantine_records_last_hour"},
              note="By reason: the control room.")],
})
