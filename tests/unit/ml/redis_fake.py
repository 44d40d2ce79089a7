"""A Redis in memory, with the commands that Feast's online store uses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError


class FakeRedis:
    """Hashes by key; `away` makes every command fail as a server does that is gone."""

    def __init__(self) -> None:
        self.hashes: dict[bytes, dict[bytes, bytes]] = {}
        self.away = False

    def pipeline(self, transaction: bool = True) -> FakePipeline:
        """Commands that are sent together."""
        del transaction
        return FakePipeline(self)


class FakePipeline:
    """Commands that wait for `execute`."""

    def __init__(self, server: FakeRedis) -> None:
        self._server = server
        self._results: list[Any] = []

    def __enter__(self) -> FakePipeline:
        return self

    def __exit__(self, *_: object) -> None:
        self._results = []

    def hmget(self, key: bytes, fields: Iterable[str | bytes] | str) -> None:
        """The values of fields."""
        names = [fields] if isinstance(fields, str | bytes) else list(fields)
        found = self._server.hashes.get(key, {})
        self._results.append([found.get(_bytes(name)) for name in names])

    def hset(self, key: bytes, mapping: Mapping[str | bytes, bytes]) -> None:
        """Sets fields."""
        self._server.hashes.setdefault(key, {}).update({_bytes(name): value for name, value in mapping.items()})
        self._results.append(len(mapping))

    def execute(self) -> list[Any]:
        """The results so far."""
        if self._server.away:
            raise RedisConnectionError("Connection refused.")
        found, self._results = self._results, []
        return found


def _bytes(name: str | bytes) -> bytes:
    return name.encode() if isinstance(name, str) else name
