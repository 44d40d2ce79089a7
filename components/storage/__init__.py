"""The storage layer: how long the lake keeps what, and which old versions."""

from components.storage.layer import Storage
from components.storage.settings import StorageSettings

__all__ = ["Storage", "StorageSettings"]
