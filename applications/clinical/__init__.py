"""The data contract: event models, terminology, units, validation. Every part of the platform uses this one."""
