"""Metrics of the gateway. Labels are of small fixed sets: nothing of a request's content becomes one."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("gateway_requests", "HTTP requests by path and status", ["path", "status"])
MLLP_MESSAGES = Counter("gateway_mllp_messages", "MLLP messages by the code of their acknowledgement", ["code"])
MLLP_CONNECTIONS = Gauge("gateway_mllp_connections", "MLLP connections that are open")
ACCEPTED = Counter("gateway_events_accepted", "Events confirmed by their broker", ["event_type", "format"])
REPEATED = Counter("gateway_events_repeated", "Events that had been taken before", ["format"])
REJECTED = Counter("gateway_rejected", "Bodies refused for their content, once for each kind of reason", ["reason"])
LATENCY = Histogram("gateway_request_seconds", "Time from a request's head to its answer", ["path"],
                    buckets=(0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10))
IN_FLIGHT = Gauge("gateway_requests_in_flight", "HTTP requests being answered")
UNCONFIRMED = Gauge("gateway_events_unconfirmed", "Events that wait for their broker's confirmation")
HELD_BYTES = Gauge("gateway_held_bytes", "Bytes of bodies in work")
AVAILABLE = Gauge("gateway_available", "Whether what the gateway needs can be used now", ["need"])
