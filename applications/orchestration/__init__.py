"""Orchestration: the DAGs that drive the pipeline, and what they are made of."""
