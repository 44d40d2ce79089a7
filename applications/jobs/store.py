"""The jobs and their states, in SQLite on the endpoint's volume: a restart forgets nothing."""

from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

INTERRUPTED = "interrupted by a restart"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, kind TEXT NOT NULL, parameters TEXT NOT NULL,
  status TEXT NOT NULL, submitted TEXT NOT NULL, started TEXT, finished TEXT, result TEXT, error TEXT,
  idempotency_key TEXT UNIQUE);
CREATE INDEX IF NOT EXISTS jobs_by_status ON jobs (status, number);
"""
_COLUMNS = "id, kind, parameters, status, submitted, started, finished, result, error"


class Status(StrEnum):
    """The states of a job; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


OVER = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})


class KeyReused(Exception):
    """An idempotency key that came before with another request."""


@dataclass(frozen=True)
class Job:
    """A job as it is told to callers. Times are UTC in RFC 3339; `error` is the job's own last word when it failed."""

    id: str
    kind: str
    parameters: dict[str, Any]
    status: Status
    submitted: str
    started: str | None
    finished: str | None
    result: Any
    error: str | None

    def as_dict(self) -> dict[str, Any]:
        """The job as JSON holds it."""
        return asdict(self)


class Store:
    """The table of jobs. Safe for threads. Raises sqlite3.Error when the volume cannot be written."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        # Autocommit: each statement here is a transaction of its own.
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.executescript(_SCHEMA)

    def add(self, kind: str, parameters: dict[str, Any], key: str | None = None) -> tuple[Job, bool]:
        """Queues a job; the job and whether it is new. With a key that came before, the job that it made then.

        Raises KeyReused when that one had another kind or other parameters.
        """
        written = json.dumps(parameters, sort_keys=True)
        with self._lock:
            if key is not None:
                row = self._database.execute(f"SELECT {_COLUMNS} FROM jobs WHERE idempotency_key = ?", (key,)).fetchone()
                if row is not None:
                    if (row[1], row[2]) != (kind, written):
                        raise KeyReused
                    return _job(row), False
            identity = uuid.uuid4().hex
            self._database.execute("INSERT INTO jobs (id, kind, parameters, status, submitted, idempotency_key) "
                                   "VALUES (?, ?, ?, ?, ?, ?)", (identity, kind, written, Status.QUEUED, _now(), key))
        return self.get(identity), True

    def get(self, identity: str) -> Job:
        """One job. Raises KeyError when there is none of that id."""
        with self._lock:
            row = self._database.execute(f"SELECT {_COLUMNS} FROM jobs WHERE id = ?", (identity,)).fetchone()
        if row is None:
            raise KeyError(identity)
        return _job(row)

    def latest(self, *, kind: str | None = None, status: Status | None = None, limit: int = 100) -> list[Job]:
        """The latest jobs first."""
        with self._lock:
            rows = self._database.execute(
                f"SELECT {_COLUMNS} FROM jobs WHERE (?1 IS NULL OR kind = ?1) AND (?2 IS NULL OR status = ?2) "
                "ORDER BY number DESC LIMIT ?3", (kind, status, limit)).fetchall()
        return [_job(row) for row in rows]

    def counts(self) -> dict[Status, int]:
        """How many jobs there are in each state."""
        with self._lock:
            found = dict(self._database.execute("SELECT status, count(*) FROM jobs GROUP BY status").fetchall())
        return {status: found.get(status, 0) for status in Status}

    def take(self) -> Job | None:
        """Marks the job that waits longest as running; None when none waits."""
        with self._lock:
            row = self._database.execute(
                "UPDATE jobs SET status = ?, started = ? WHERE number = (SELECT min(number) FROM jobs WHERE status = ?) "
                f"RETURNING {_COLUMNS}", (Status.RUNNING, _now(), Status.QUEUED)).fetchone()
        return None if row is None else _job(row)

    def finish(self, identity: str, status: Status, *, result: Any = None, error: str | None = None) -> None:
        """Writes a running job's end down."""
        with self._lock:
            self._database.execute("UPDATE jobs SET status = ?, finished = ?, result = ?, error = ? WHERE id = ? AND status = ?",
                                   (status, _now(), json.dumps(result), error, identity, Status.RUNNING))

    def cancel_queued(self, identity: str) -> bool:
        """Cancels a job that has not begun; whether it was one."""
        with self._lock:
            done = self._database.execute("UPDATE jobs SET status = ?, finished = ?, error = 'cancelled before it began' "
                                          "WHERE id = ? AND status = ?", (Status.CANCELLED, _now(), identity, Status.QUEUED))
        return done.rowcount == 1

    def recover(self) -> list[str]:
        """Marks jobs that ran when the process before this one ended as failed; their ids."""
        with self._lock:
            rows = self._database.execute("UPDATE jobs SET status = ?, finished = ?, error = ? WHERE status = ? RETURNING id",
                                          (Status.FAILED, _now(), INTERRUPTED, Status.RUNNING)).fetchall()
        return [row[0] for row in rows]

    def purge(self, keep: int) -> list[str]:
        """Forgets all but the latest `keep` finished jobs; the ids of those forgotten."""
        final = ", ".join(f"'{status}'" for status in sorted(OVER))
        with self._lock:
            rows = self._database.execute(
                f"DELETE FROM jobs WHERE number IN (SELECT number FROM jobs WHERE status IN ({final}) "
                "ORDER BY number DESC LIMIT -1 OFFSET ?) RETURNING id", (keep,)).fetchall()
        return [row[0] for row in rows]

    def check(self) -> str | None:
        """None when the database can be written, else what is wrong."""
        try:
            with self._lock:
                self._database.execute("BEGIN IMMEDIATE")
                self._database.execute("ROLLBACK")
        except sqlite3.Error as error:
            return f"the queue cannot be written: {error}; look at the space and the rights of its volume"
        return None

    def close(self) -> None:
        """Closes the database."""
        with self._lock:
            self._database.close()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _job(row: tuple[Any, ...]) -> Job:
    identity, kind, parameters, status, submitted, started, finished, result, error = row
    return Job(identity, kind, json.loads(parameters), Status(status), submitted, started, finished,
               None if result is None else json.loads(result), error)
