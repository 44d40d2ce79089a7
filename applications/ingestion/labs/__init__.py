"""lab-results-processor: laboratory results from RabbitMQ to Kafka, in canonical units, flagged; critical ones raise alerts."""
