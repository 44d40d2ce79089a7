"""The platform on one page."""

from components.observability.dashboards.making import Board, Graph, Lights, Number

BOARD = Board(uid="overview", title="Platform", rows={
    "Services": [Lights(title="Health of each service", legend="{{service}}", query="min by (service) (service_up)")],
    "Now": [
        Number(title="Services down", query="count(service_up == 0) or vector(0)", red_from=1),
        Number(title="Open alerts", query='count(ALERTS{alertstate="firing"}) or vector(0)', red_from=1),
        Number(title="Events a second, taken", unit="ops", query="sum(rate(consumer_records_total[5m]))"),
        Number(title="Largest lag", query="max(kafka_consumer_group_lag_records)", red_from=10_000),
        Number(title="Champion", query="model_champion_present", red_below=1),
        Number(title="Refused in an hour", query="quarantine_records_last_hour")],
    "Through the stages": [
        Graph(title="Events a second", unit="ops", queries={
            "sent by simulators": "sum(rate(producer_sent_total[5m])) + sum(rate(generator_sent_total[5m]))",
            "Kafka": 'sum(rate(kafka_topic_end_offset_total{topic!~"dead-letter|clinical-alerts|model-predictions"}[5m]))',
            "bronze": "sum(rate(consumer_records_total[5m]))",
            "silver": 'sum(rate(streaming_rows_total{outcome="accepted"}[5m]))'}),
        Graph(title="Age of the newest record", unit="s", queries={
            "{{topic}}": "time() - kafka_topic_newest_record_timestamp_seconds and on (topic) topic:age_limit_seconds",
            "{{table}}": "time() - lake_table_newest_timestamp_seconds and on (table) table:age_limit_seconds"})],
    "Objectives": [
        Graph(title="Share of requests that failed (6 h)", unit="percentunit",
              queries={"{{slo}}": "slo:failed_ratio:rate6h"}),
        Graph(title="Share of requests that failed or were slow (1 h)", unit="percentunit",
              queries={"{{slo}}": "slo:failed_ratio:rate1h"})],
})
