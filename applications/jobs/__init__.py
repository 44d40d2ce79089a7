"""An HTTP endpoint that runs jobs: a queue that survives restarts, one job at a time, its log and its result."""
