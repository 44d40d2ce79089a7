"""API keys: who may call a service. One secret file, `client:key` a line; several keys of one client allow a rotation."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from hashlib import sha256

LEAST_KEY_LENGTH = 16
_CLIENT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class NoKey(Exception):
    """A request without a key (HTTP 401)."""


class WrongKey(Exception):
    """A request with a key that nobody has (HTTP 403)."""


def presented(headers: Mapping[str, str]) -> str | None:
    """The key that a request shows, in X-API-Key or as `Authorization: Bearer KEY`; names of headers in lower case."""
    key = headers.get("x-api-key")
    if key is None:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
    return key.strip() or None


class ApiKeys:
    """The keys of a secret file's text. Raises ValueError, which names the line and never the key."""

    def __init__(self, text: str) -> None:
        self._clients: dict[bytes, str] = {}
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip() and not line.startswith("#"):
                self._add(number, *line.strip().partition(":")[::2])
        if not self._clients:
            raise ValueError("no key in it; write one line `client:key` a client")

    def _add(self, number: int, client: str, key: str) -> None:
        if not _CLIENT.fullmatch(client) or not key:
            raise ValueError(f"line {number} is not `client:key` with a client of small letters, digits and hyphens")
        if len(key) < LEAST_KEY_LENGTH:
            raise ValueError(f"line {number}: the key of {client} is shorter than {LEAST_KEY_LENGTH} characters")
        if self._clients.setdefault(_digest(key), client) != client:
            raise ValueError(f"line {number}: the key of {client} is another client's too")

    @property
    def clients(self) -> frozenset[str]:
        """The names of all clients."""
        return frozenset(self._clients.values())

    def client(self, headers: Mapping[str, str]) -> str:
        """The client whose key a request shows. Raises NoKey or WrongKey."""
        key = presented(headers)
        if key is None:
            raise NoKey
        found, shown = None, _digest(key)
        # Every key is compared, each in constant time: how long the answer takes says nothing about any of them.
        for digest, client in self._clients.items():
            if hmac.compare_digest(digest, shown):
                found = client
        if found is None:
            raise WrongKey
        return found


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogatepass")).digest()
