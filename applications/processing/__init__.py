"""The processing layer: from Kafka and the bronze zone to the silver tables, and on to gold."""
