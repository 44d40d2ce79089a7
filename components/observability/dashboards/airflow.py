"""DAGs, reports and backups."""

from components.observability.dashboards.making import Board, Graph, Number

BOARD = Board(uid="airflow", title="Airflow", rows={
    "Now": [
        Number(title="Tasks that failed for good", query="pipeline_alerts_open", red_from=1),
        Number(title="DAGs whose newest run failed", query='sum(dag_last_run{state="failed"})', red_from=1),
        Number(title="Runs in progress", query='sum(dag_last_run{state=~"running|queued"})'),
        Number(title="Since the newest backup", unit="s", query="time() - max(backup_timestamp_seconds)", red_from=108_000),
        Number(title="Reports can be read", query="monitoring_lake_up", red_below=1)],
    "Runs": [
        Graph(title="State of the newest run", queries={"{{dag}}: {{state}}": "dag_last_run == 1"}),
        Graph(title="Since the newest run ended", unit="s", queries={"{{dag}}": "time() - dag_last_run_end_timestamp_seconds"})],
    "Reports": [
        Graph(title="Age of the newest report", unit="s", queries={"{{kind}}": "report_age_seconds"}),
        Graph(title="Checks of data quality", stacked=True, queries={"{{status}}": "data_quality_checks"}),
        Graph(title="Checks of the model", stacked=True, queries={"{{status}}": "model_checks"})],
    "Database": [
        Graph(title="Connections", queries={"{{service}}: {{state}}": "sum by (service, state) (pg_stat_activity_count)"}),
        Graph(title="Size", unit="bytes", queries={
            "{{datname}}": 'max by (datname) (pg_database_size_bytes{datname=~"airflow|mlflow"})'}),
        Graph(title="Transactions a second", unit="ops", queries={
            "{{datname}}": 'sum by (datname) (rate(pg_stat_database_xact_commit{datname=~"airflow|mlflow"}[5m]))'})],
})
