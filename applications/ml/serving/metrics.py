"""Metrics of model-serving. Labels are of small fixed sets: nothing of a request's content becomes one."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

LATENCY = Histogram("serving_request_seconds", "Time from a request's head to its answer", ["path", "status"],
                    buckets=(0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10))
IN_FLIGHT = Gauge("serving_requests_in_flight", "HTTP requests being answered")
READ_SECONDS = Histogram("serving_features_read_seconds", "Time to read features from the online store, one read",
                         buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5))
MODEL_SECONDS = Histogram("serving_model_seconds", "Time of the model for the rows of one request or part of a batch",
                          buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1))
AUDIT_SECONDS = Histogram("serving_audit_seconds", "Time until Kafka has confirmed an audit record",
                          buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5))
PREDICTIONS = Counter("serving_predictions", "Predictions served, by their class", ["risk_class"])
REFUSED = Counter("serving_refused", "Requests, and instances of others, that were refused, by the word of the reason", ["error"])
SCORES = Histogram("serving_probability", "Probabilities served",
                   buckets=(0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1))
MISSING = Histogram("serving_missing_share", "Share of features that were unknown in a prediction",
                    buckets=(0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1))
AGE_SECONDS = Histogram("serving_features_age_seconds", "Age of a patient's features as they were read",
                        buckets=(10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 86400))
MODEL_INFO = Gauge("serving_model_info", "1 for the version that serves, 0 for one that served before",
                   ["name", "version", "features_version"])
MODEL_LOADED = Gauge("serving_model_loaded_timestamp_seconds", "When the version that serves was loaded; 0 while there is none")
LOADS = Counter("serving_model_loads", "Versions that were taken into service")
LOAD_FAILURES = Counter("serving_model_load_failures", "Versions that could not be loaded; the former one went on serving")
AVAILABLE = Gauge("serving_available", "Whether what serving needs can be used now", ["need"])
