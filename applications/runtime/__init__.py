"""What every service shares: settings, logs, health and metrics, a graceful stop, and its way to Kafka."""
