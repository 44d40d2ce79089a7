"""Gateway, queue, simulators and the consumer."""

from components.observability.dashboards.making import Board, Graph, Lights

PATHS = 'path=~"/events|/fhir|/hl7"'

BOARD = Board(uid="ingestion", title="Ingestion", rows={
    "Gateway": [
        Graph(title="Requests a second, by path and status", unit="reqps", queries={
            "{{path}} {{status}}": f"sum by (path, status) (rate(gateway_requests_total{{{PATHS}}}[5m]))"}),
        Graph(title="Latency", unit="s", queries={
            f"{share}": f"histogram_quantile({share}, sum by (le) (rate(gateway_request_seconds_bucket{{{PATHS}}}[5m])))"
            for share in ("0.5", "0.95", "0.99")}),
        Graph(title="Events accepted a second", unit="ops", stacked=True, queries={
            "{{event_type}} ({{format}})": "sum by (event_type, format) (rate(gateway_events_accepted_total[5m]))"})],
    "What the gateway holds and needs": [
        Graph(title="In flight", queries={"requests": "sum(gateway_requests_in_flight)",
                                          "events unconfirmed": "sum(gateway_events_unconfirmed)"}),
        Graph(title="Bodies in work", unit="bytes", queries={"held": "sum(gateway_held_bytes)"}),
        Lights(title="Needs", legend="{{service}}: {{need}}",
               query="min by (service, need) (gateway_available or labs_available)")],
    "Laboratory results": [
        Graph(title="Messages that wait", queries={"{{queue}}": "sum by (queue) (rabbitmq_queue_messages_ready)"}),
        Graph(title="Messages a second, by outcome", unit="ops", queries={
            "{{outcome}}": "sum by (outcome) (rate(labs_messages_total[5m]))"}),
        Graph(title="From recording to Kafka", unit="s", queries={
            f"{share}": f"histogram_quantile({share}, sum by (le) (rate(labs_latency_seconds_bucket[5m])))"
            for share in ("0.5", "0.95")})],
    "Producer and consumer": [
        Graph(title="Rates asked for and reached", unit="ops", queries={
            "producer": "sum(producer_rate)", "producer, asked for": "sum(producer_target_rate)",
            "generator": "sum(generator_rate)", "generator, asked for": "sum(generator_target_rate)"}),
        Graph(title="Stored in bronze a second", unit="ops", stacked=True, queries={
            "{{topic}}": "sum by (topic) (rate(consumer_records_total[5m]))"}),
        Graph(title="Time to write what was due", unit="s", queries={
            f"{share}": f"histogram_quantile({share}, sum by (le) (rate(consumer_flush_seconds_bucket[5m])))"
            for share in ("0.5", "0.95")})],
})
