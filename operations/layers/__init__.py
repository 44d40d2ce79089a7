"""What is special about each layer: its probes, and the commands that only it has."""
