"""The machine, memory of the services, and monitoring itself."""

from components.observability.dashboards.making import Board, Graph, Number

BOARD = Board(uid="machine", title="Machine and monitoring", rows={
    "Machine": [
        Number(title="Memory free", unit="percentunit", red_below=0.05,
               query="node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes"),
        Number(title="Disk free", unit="percentunit", red_below=0.1,
               query='node_filesystem_avail_bytes{mountpoint="/"} / node_filesystem_size_bytes{mountpoint="/"}'),
        Number(title="Load by processor",
               query='node_load5 / on (instance) count by (instance) (node_cpu_seconds_total{mode="idle"})'),
        Number(title="Ended for memory in a day", query="increase(node_vmstat_oom_kill[1d])", red_from=1)],
    "Use": [
        Graph(title="Processors", unit="percentunit", stacked=True, queries={
            "{{mode}}": 'avg by (mode) (rate(node_cpu_seconds_total{mode!="idle"}[5m]))'}),
        Graph(title="Memory of our services", unit="bytes", queries={"{{service}}": "process_resident_memory_bytes"}),
        Graph(title="Processors of our services", unit="percentunit", queries={
            "{{service}}": "rate(process_cpu_seconds_total[5m])"})],
    "Redis": [
        Graph(title="Memory", unit="bytes", queries={"used": "redis_memory_used_bytes", "at most": "redis_memory_max_bytes"}),
        Graph(title="Commands a second", unit="ops", queries={"commands": "rate(redis_commands_processed_total[5m])"}),
        Graph(title="Keys", queries={"{{db}}": "redis_db_keys > 0"})],
    "Monitoring": [
        Graph(title="Series", queries={"series": "prometheus_tsdb_head_series"}),
        Graph(title="Time of a scrape", unit="s", queries={"{{service}}": "topk(10, scrape_duration_seconds)"}),
        Graph(title="Since the last success", unit="s", queries={
            "{{measurement}}": "time() - monitoring_last_success_timestamp_seconds"})],
})
