"""The PostgreSQL server."""

from __future__ import annotations

import threading
import time
from typing import Any

import psycopg
from lib.kinds import Refused, Values
from psycopg import sql
from psycopg.rows import dict_row

NAME = sql.Identifier
START_SECONDS = 3.0
"""How long a server that is just starting may refuse connections."""
STARTING = ("starting up", "refused")


class Server:
    """One server. A connection a request: requests come from many threads and are few."""

    def __init__(self, config: dict[str, str]) -> None:
        self.host, self.port = config.get("host", "localhost"), int(config.get("port") or 5432)
        self.user, self.database = config.get("username", "postgres"), config.get("database") or "postgres"
        self.settings: dict[str, Any] = {
            "host": self.host, "port": self.port, "user": self.user, "password": config.get("password"),
            "sslmode": config.get("sslmode") or "prefer", "connect_timeout": int(config.get("connectTimeout") or 15)}
        # Two statements that change the privileges of one object at a time end with "tuple concurrently updated".
        self.privileges = threading.Lock()

    def run(self, query: sql.Composable | str, arguments: list[Any] | None = None, database: str | None = None) -> list[Values]:
        """Runs one statement in the given database and returns its rows."""
        with self._connection(database or self.database) as connection:
            cursor = connection.execute(query, arguments)  # type: ignore[arg-type]  # statements are composed, never glued
            return cursor.fetchall() if cursor.description else []

    def look(self, query: sql.Composable | str, arguments: list[Any], database: str) -> list[Values]:
        """Like `run`, but a database that is gone has no rows."""
        there = self.run("SELECT 1 FROM pg_database WHERE datname = %s", [database])
        return self.run(query, arguments, database) if there else []

    def _connection(self, database: str) -> psycopg.Connection[Values]:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                return psycopg.connect(**self.settings, dbname=database, autocommit=True, row_factory=dict_row)
            except psycopg.OperationalError as error:
                text = str(error)
                if any(word in text for word in STARTING) and time.monotonic() < deadline:
                    time.sleep(0.3)
                    continue
                raise Refused(self._why(text)) from None

    def _why(self, text: str) -> str:
        where = f"{self.host}:{self.port}"
        if "refused" in text or "starting up" in text:
            return (f"cannot reach {where}: connection refused; is the infrastructure layer running? "
                    "(./pipeline infrastructure status)")
        if "password authentication failed" in text:
            return (f"the server at {where} refused the password of user {self.user}; does the provider's password match "
                    "the one that the server was set up with?")
        return f"cannot reach {where}: {text.strip().splitlines()[-1]}"


def connect(config: dict[str, str]) -> Server:
    """The server that the provider's settings name; nothing is called yet."""
    return Server(config)


def explain(error: Exception) -> str:
    """What the server said, without the statement: it may hold a password."""
    if isinstance(error, psycopg.Error) and error.diag.message_primary:
        hint = f"; {error.diag.message_hint}" if error.diag.message_hint else ""
        detail = f" ({error.diag.message_detail})" if error.diag.message_detail else ""
        return f"{error.diag.message_primary}{detail}{hint}"
    return str(error) or repr(error)
