"""The cluster, the stream and the jobs."""

from components.observability.dashboards.making import Board, Graph, Lights, Number

BOARD = Board(uid="spark", title="Spark", rows={
    "Cluster": [
        Number(title="Workers alive", query="sum(metrics_master_aliveWorkers_Value)", red_below=1),
        Number(title="Applications", query="sum(metrics_master_apps_Value)"),
        Number(title="Applications that wait", query="sum(metrics_master_waitingApps_Value)", red_from=1),
        Number(title="Cores used", query="sum(metrics_worker_coresUsed_Value)"),
        Number(title="Cores free", query="sum(metrics_worker_coresFree_Value)"),
        Number(title="Memory given out", unit="decmbytes", query="sum(metrics_worker_memUsed_MB_Value)")],
    "Stream": [
        Lights(title="Queries", legend="{{query}}", query="streaming_query_active"),
        Graph(title="Rows a second, by what became of them", unit="ops", queries={
            "{{outcome}}": 'sum by (outcome) (rate(streaming_rows_total{query!="dead-letter"}[5m]))'}),
        Graph(title="Time of a micro-batch, 95th percentile", unit="s", queries={
            "{{query}}": "histogram_quantile(0.95, sum by (query, le) (rate(streaming_batch_seconds_bucket[15m])))"})],
    "How far the stream is": [
        Graph(title="Rows a second, by query", unit="ops", queries={
            "{{query}}": 'sum by (query) (rate(streaming_rows_total{outcome="accepted"}[5m]))'}),
        Graph(title="Since the last micro-batch", unit="s", queries={"{{query}}": "time() - streaming_last_batch_time"}),
        Graph(title="Age of the latest event", unit="s", queries={"{{query}}": "time() - streaming_latest_event_time"})],
    "Jobs": [
        Graph(title="Jobs by state", queries={"{{service}}: {{status}}": "jobs"}),
        Graph(title="Jobs that ended in an hour", queries={
            "{{service}}: {{kind}} {{status}}": "sum by (service, kind, status) (increase(jobs_finished_total[1h]))"}),
        Graph(title="Mean duration", unit="s", queries={
            "{{service}}: {{kind}}": "sum by (service, kind) (jobs_seconds_sum) / sum by (service, kind) (jobs_seconds_count)"})],
})
