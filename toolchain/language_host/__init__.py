"""Pulumi's language host for Python; installed as a copy, apart from this checkout."""
