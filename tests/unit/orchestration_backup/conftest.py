"""An object store, and databases that are a dictionary of tables behind tools of the names of PostgreSQL's."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from applications.monitoring.lake import LakeAccess
from applications.orchestration.backup import databases
from applications.orchestration.backup.manifest import TableFacts
from applications.orchestration.connections import DatabaseAccess
from tests.unit.operations.s3_server import Server, serving

TOOL = """#!{python}
import json, os, pathlib, stat, sys
here = pathlib.Path(__file__).parent
name, pgpass = os.environ["PGDATABASE"], pathlib.Path(os.environ["PGPASSFILE"])
(here / "seen.json").write_text(json.dumps({{
    "argv": sys.argv, "environment": dict(os.environ), "pgpass": pgpass.read_text(), "mode": stat.S_IMODE(pgpass.stat().st_mode)}}))
if (here / "fault").exists():
    sys.exit((here / "fault").read_text())
if pathlib.Path(sys.argv[0]).name == "pg_dump":
    sys.stdout.write((here / f"{{name}}.json").read_text())
else:
    (here / f"{{name}}.json").write_text(sys.stdin.read())
"""


class Databases:
    """The databases of a test: a file each, which the tools read and write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("pg_dump", "pg_restore"):
            (folder / name).write_text(TOOL.format(python=sys.executable))
            (folder / name).chmod(0o755)

    def access(self, name: str) -> DatabaseAccess:
        """Who owns a database."""
        return DatabaseAccess("postgres", 5432, name, name, "pass:wo\\rd")

    def put(self, name: str, tables: dict[str, list[Any]]) -> None:
        """Gives a database these rows."""
        (self.folder / f"{name}.json").write_text(json.dumps(tables))

    def get(self, name: str) -> dict[str, list[Any]]:
        """The rows of a database."""
        found: dict[str, list[Any]] = json.loads((self.folder / f"{name}.json").read_text())
        return found

    def seen(self) -> dict[str, Any]:
        """How the tool was called that ran last."""
        found: dict[str, Any] = json.loads((self.folder / "seen.json").read_text())
        return found


class Connection:
    """As far as `databases` uses psycopg's own."""

    def __init__(self, world: Databases, name: str) -> None:
        self._world, self.name = world, name
        self.isolation_level = self.read_only = None
        self._answer: Any = None

    def execute(self, query: Any) -> Connection:
        """Answers the few questions that are asked."""
        text = str(query)
        self._answer = {"SELECT pg_export_snapshot()": "00000003-1", "SHOW server_version": "15.9",
                        "SELECT current_database()": self.name, "SELECT current_user": self.name}.get(text)
        if "DROP SCHEMA" in text:
            self._world.put(self.name, {})
        return self

    def fetchone(self) -> tuple[Any]:
        """The answer."""
        return (self._answer,)

    def fetchall(self) -> list[tuple[str]]:
        """The schemas."""
        return [("public",)]

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to do."""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Databases:
    """The databases, in the place of PostgreSQL."""
    made = Databases(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(databases.psycopg, "connect", lambda **given: Connection(made, given["dbname"]))
    monkeypatch.setattr(databases, "facts", lambda connection: {
        name: TableFacts(rows=len(rows), hash=str(sum(map(hash, rows)))) for name, rows in made.get(connection.name).items()})
    return made


@pytest.fixture
def server() -> Iterator[Server]:
    """An object store with something to list."""
    with serving("bronze", "gold", "backups") as found:
        for number in range(17):
            found.put("bronze", f"patient-vitals/{number}.parquet", bytes(number))
        yield found


@pytest.fixture
def lake(server: Server) -> LakeAccess:
    """Somebody who may use it."""
    return LakeAccess(f"http://{server.address}", "airflow", "a-secret-of-its-own")
