"""The checks of silver and quarantine, a module a theme. Each looks at the records that Kafka took in a span of time."""
