"""What `make up` does before it hands over to the engine: one module a step."""
