"""Metrics of monitoring-service. Labels are names of the platform's parts: nothing of a record becomes one."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import Gauge, Histogram

MEASURED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "kafka_topic_end_offset_total": ("Ends of a topic's partitions, summed", ("topic",)),
    "kafka_topic_newest_record_timestamp_seconds": ("When Kafka took the newest record", ("topic",)),
    "kafka_topic_under_replicated_partitions": ("Partitions with a replica that is not in sync", ("topic",)),
    "kafka_consumer_group_lag": ("Records of a partition that a group has not committed", ("group", "topic", "partition")),
    "kafka_consumer_group_lag_records": ("Records of a topic that a group has not committed", ("group", "topic")),
    "kafka_consumer_group_members": ("Members of a consumer group", ("group",)),
    "lake_table_rows": ("Rows of a table, by its log", ("table",)),
    "lake_table_newest_timestamp_seconds": ("Receipt or cut-off of the newest row, or time of the newest file", ("table",)),
    "quarantine_records": ("Records refused in the last hour", ("reason",)),
    "quarantine_records_last_hour": ("Records refused in the last hour, for whatever reason", ()),
    "service_up": ("Whether a service's port is open, or what speaks for it says that it lives", ("service", "layer")),
    "model_champion_present": ("Whether a version has the alias champion", ()),
    "model_champion_info": ("1 for the champion", ("version", "features_version")),
    "model_champion_metric": ("What training measured of the champion", ("metric",)),
    "model_drift": ("Whether the share of drifted features is above its limit", ()),
    "model_drifted_features_share": ("Share of the judged features that drifted", ()),
    "model_feature_psi": ("Stability index of a feature against the champion's training window", ("feature",)),
    "model_feature_ks": ("Kolmogorov-Smirnov distance of a feature from the training window", ("feature",)),
    "model_feature_null_share_change": ("Change of the share of rows without a value", ("feature",)),
    "model_feature_drifted": ("Whether a judged feature is beyond a limit", ("feature",)),
    "model_prediction_psi": ("Stability index of the probabilities served against earlier days", ("version",)),
    "model_prediction_high_risk_share": ("Share of high-risk predictions of the last day", ("version",)),
    "model_predictions_last_day": ("Predictions of the last day", ("version",)),
    "retraining_started_total": ("Trainings started because of drift", ()),
    "retraining_last_timestamp_seconds": ("When drift last led to a training; 0 if never", ()),
    "logs_newest_timestamp_seconds": ("Time of the newest log line that OpenSearch has", ()),
    "logs_oldest_timestamp_seconds": ("Day of the oldest index of logs", ()),
    "alerts_open": ("Alerts that are open", ("severity",)),
    "monitoring_last_success_timestamp_seconds": ("When a measurement last succeeded; 0 if never", ("measurement",)),
    "monitoring_failures_total": ("Measurements that failed", ("measurement",)),
    "monitoring_seconds": ("How long the last measurement took", ("measurement",)),
}
"""What is measured: help and labels, by name. Those that end in `_total` are counters, all others gauges."""

LATENCY = Histogram("monitoring_request_seconds", "Time from a request's head to its answer", ["path", "status"],
                    buckets=(0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5))
IN_FLIGHT = Gauge("monitoring_requests_in_flight", "HTTP requests being answered")
