"""The log-shipper: it takes the log lines of this stack's containers to the log store, and leaves out what must not get there."""
