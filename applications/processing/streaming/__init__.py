"""spark-streaming: Kafka to the silver tables, one query a type."""
