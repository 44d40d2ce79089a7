"""The risk model as an artifact, and the registry that keeps its versions: what training writes and serving reads."""
