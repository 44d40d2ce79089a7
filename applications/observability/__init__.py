"""The observability layer's own programs."""
