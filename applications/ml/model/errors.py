"""What can be wrong with a model or with the registry, in words for whoever has to act on it."""

from __future__ import annotations


class ModelError(Exception):
    """An artifact that is no model of ours, is damaged, or was made for other features."""


class RegistryError(Exception):
    """The registry is away, refuses, or has not what was asked for."""
