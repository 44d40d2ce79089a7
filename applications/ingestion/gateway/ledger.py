"""The ledger: which events were taken, so that a sender may repeat one. SQLite in WAL mode on the gateway's volume.

Rows are written after the broker confirmed and before the sender is answered. A power cut may cost the last rows (the
write-ahead log is not synced at each commit): a repeat then reaches Kafka twice and the lake merges it on its event_id.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

from applications.runtime.logs import log

DAY_SECONDS = 86_400
PURGE_CHUNK = 10_000
LOOKUP_CHUNK = 500
LONG_LOG_PAGES = 8192
_TABLES = """
CREATE TABLE IF NOT EXISTS taken (event_id BLOB NOT NULL UNIQUE, day INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS probe (one INTEGER PRIMARY KEY, at REAL NOT NULL);
"""


def today() -> int:
    """Days since the epoch."""
    return int(time.time() // DAY_SECONDS)


class LedgerFault(Exception):
    """The ledger cannot be written or read now."""


class Ledger:
    """Ids of taken events. Reads are made at once; writes are gathered and committed together by one thread.

    `fault` says why the ledger cannot be written, or is None. Raises sqlite3.Error when it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._writing = self._connect(path)
        self._writing.executescript(_TABLES)
        self._reading = self._connect(path)
        self._copying = self._connect(path)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
        self._copier = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger-checkpoint")
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None
        self.fault: str | None = None

    @staticmethod
    def _connect(path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        # A commit never copies the log back into the table, which syncs the disk: senders would wait for it.
        connection.execute("PRAGMA wal_autocheckpoint=0")
        return connection

    def known(self, event_ids: Iterable[UUID]) -> set[UUID]:
        """Which of the ids were taken before. Raises LedgerFault."""
        ids = [event_id.bytes for event_id in event_ids]
        found: set[UUID] = set()
        try:
            for start in range(0, len(ids), LOOKUP_CHUNK):
                part = ids[start:start + LOOKUP_CHUNK]
                rows = self._reading.execute(f"SELECT event_id FROM taken WHERE event_id IN ({','.join('?' * len(part))})", part)
                found.update(UUID(bytes=row[0]) for row in rows)
        except sqlite3.Error as error:
            raise self._failed("ledger-read-failed", error) from None
        return found

    async def add(self, event_id: UUID) -> None:
        """Writes an id down; returns once it is committed. Raises LedgerFault."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((event_id.bytes, written))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())
        await written

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            fault: LedgerFault | None = None
            rows: list[tuple[object, ...]] = [(key, today()) for key, _ in batch]
            try:
                await self._in_thread("INSERT OR IGNORE INTO taken (event_id, day) VALUES (?, ?)", rows)
            except sqlite3.Error as error:
                fault = self._failed("ledger-write-failed", error)
            for _, written in batch:
                if not written.done():
                    written.set_exception(fault) if fault else written.set_result(None)
        self._writer = None

    async def probe(self) -> None:
        """Tries a write, and sets or clears `fault`."""
        try:
            await self._in_thread("INSERT OR REPLACE INTO probe VALUES (1, ?)", [(time.time(),)])
        except sqlite3.Error as error:
            self._failed("ledger-write-failed", error)
        else:
            self.fault = None

    async def checkpoint(self) -> None:
        """Copies the write-ahead log into the table, beside the writer; a long one is begun anew, which the writer waits for."""
        def copy() -> None:
            _, pages, _ = self._copying.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if pages > LONG_LOG_PAGES:
                self._copying.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

        try:
            await asyncio.get_running_loop().run_in_executor(self._copier, copy)
        except sqlite3.Error as error:
            self._failed("ledger-checkpoint-failed", error)

    async def purge(self, days: int) -> int:
        """Forgets ids taken more than so many days ago, in small steps; returns how many."""
        forgotten = 0
        try:
            while True:
                count = await self._in_thread(
                    # Rows are numbered as they come: the oldest are the first.
                    f"DELETE FROM taken WHERE day < ? AND rowid IN (SELECT rowid FROM taken ORDER BY rowid LIMIT {PURGE_CHUNK})",
                    [(today() - days,)])
                forgotten += count
                if count < PURGE_CHUNK:
                    return forgotten
        except sqlite3.Error as error:
            self._failed("ledger-purge-failed", error)
            return forgotten

    async def close(self) -> None:
        """Writes what waits, and closes the file."""
        if self._writer is not None:
            await self._writer
        for thread in (self._thread, self._copier):
            thread.shutdown()
        for connection in (self._reading, self._copying, self._writing):
            connection.close()

    async def _in_thread(self, statement: str, rows: list[tuple[object, ...]]) -> int:
        def write() -> int:
            self._writing.execute("BEGIN IMMEDIATE")
            try:
                changed = self._writing.executemany(statement, rows).rowcount
                self._writing.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # a full disk has rolled back by itself
                    self._writing.execute("ROLLBACK")
                raise
            return changed

        return await asyncio.get_running_loop().run_in_executor(self._thread, write)

    def _failed(self, event: str, error: sqlite3.Error) -> LedgerFault:
        if self.fault is None:
            log.error(event, error=str(error))
        self.fault = f"the ledger cannot be used: {error}"
        return LedgerFault(self.fault)
