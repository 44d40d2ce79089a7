"""The numbers of the log-shipper."""

from prometheus_client import Counter, Gauge

LINES = Counter("log_lines", "Lines that the stack's containers printed", ["layer", "service", "level"])
SENT = Counter("log_shipper_lines_sent", "Lines that the log store took")
REJECTED = Counter("log_shipper_lines_rejected", "Lines that the log store will never take; they are lost")
FAILURES = Counter("log_shipper_failures", "Tries to send that failed")
GAPS = Counter("log_shipper_gaps", "Times that log files of a container were rotated away before they were read")
WAITING = Gauge("log_shipper_queue_bytes", "Bytes that wait on disk to be sent")
LIMIT = Gauge("log_shipper_queue_limit_bytes", "Bytes at which reading pauses")
LAST_SUCCESS = Gauge("log_shipper_last_success_timestamp_seconds", "When the log store last took lines")
CONTAINERS = Gauge("log_shipper_containers", "Containers of this stack whose logs are read")
