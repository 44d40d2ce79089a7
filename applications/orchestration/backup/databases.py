"""PostgreSQL: a database's content in one moment, dumped, and the same content loaded and compared."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO, LiteralString, TypeVar

import psycopg
from psycopg import sql

from applications.orchestration.backup.errors import BackupError
from applications.orchestration.backup.manifest import TableFacts
from applications.orchestration.connections import DatabaseAccess

CONNECT_SECONDS = 10
LAST_WORDS = 1000
PLAIN = ("--no-owner", "--no-privileges")
"""A dump that any role can load into a database of its own."""
_TABLES = """SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    ORDER BY 1, 2"""
_SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'"
# The sum of a hash of each row: no sorting, and no order of rows plays a part. A row's text depends on these settings.
_TEXT = "SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET extra_float_digits = 1; " \
        "SET bytea_output = 'hex'; SET search_path = pg_catalog"
_FACTS = sql.SQL("SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text FROM {} t")
T = TypeVar("T")


def dump(access: DatabaseAccess, store: Callable[[IO[bytes]], T]) -> tuple[T, str, dict[str, TableFacts]]:
    """Gives a dump (pg_dump's custom format) to `store`; its answer, the server's version, and the facts of every table, of the
    very same moment as the dump. Raises BackupError.
    """
    with _connected(access) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        snapshot = _one(connection, "SELECT pg_export_snapshot()")
        tables = facts(connection)
        version = _one(connection, "SHOW server_version")
        command = ["pg_dump", "--format=custom", f"--snapshot={snapshot}", "--lock-wait-timeout=60s", *PLAIN]
        with _tool(command, access, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            stored = store(process.stdout)
    return stored, version, tables


def restore(access: DatabaseAccess, chunks: Iterable[bytes]) -> dict[str, TableFacts]:
    """Loads a dump into an empty database, all of it or nothing; the facts of every table then. Raises BackupError."""
    command = ["pg_restore", f"--dbname={access.name}", "--single-transaction", "--exit-on-error", *PLAIN]
    with _tool(command, access, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it ended early; its own words say why
            for chunk in chunks:
                process.stdin.write(chunk)
            process.stdin.close()
    with _connected(access) as connection:
        return facts(connection)


def empty(access: DatabaseAccess, never: Iterable[str]) -> None:
    """Removes all that the database holds. `never` are databases that must not be emptied: a connection may point to the wrong
    one. Raises BackupError.
    """
    with _connected(access) as connection:
        name, role = _one(connection, "SELECT current_database()"), _one(connection, "SELECT current_user")
        if name in set(never):
            raise BackupError(f"the connection `database_scratch` leads to the database {name}, which is backed up itself and was "
                              "not touched: correct the connection (airflow-init writes it); a restore needs an empty database")
        schemas = [row[0] for row in connection.execute(_SCHEMAS).fetchall()]
        for schema in schemas:
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
        connection.execute("CREATE SCHEMA public")
        connection.execute(sql.SQL("GRANT ALL ON SCHEMA public TO {}").format(sql.Identifier(role)))


def facts(connection: psycopg.Connection) -> dict[str, TableFacts]:
    """Rows and hash of every table that is no part of another, by schema.name."""
    connection.execute(_TEXT)
    found = {}
    for schema, table in connection.execute(_TABLES).fetchall():
        row = connection.execute(_FACTS.format(sql.Identifier(schema, table))).fetchone()
        assert row is not None
        found[f"{schema}.{table}"] = TableFacts(rows=row[0], hash=row[1])
    return found


def differences(wanted: Mapping[str, TableFacts], found: Mapping[str, TableFacts]) -> list[str]:
    """What differs between two lists of tables, a sentence a table."""
    return [f"{name}: {_words(wanted.get(name))} in the backup, {_words(found.get(name))} restored"
            for name in sorted({*wanted, *found}) if wanted.get(name) != found.get(name)]


def _words(table: TableFacts | None) -> str:
    return "no such table" if table is None else f"{table.rows} rows (hash {table.hash[-6:]})"


@contextmanager
def _connected(access: DatabaseAccess) -> Iterator[psycopg.Connection]:
    try:
        with psycopg.connect(host=access.host, port=access.port, dbname=access.name, user=access.user, password=access.password,
                             connect_timeout=CONNECT_SECONDS, application_name="backup") as connection:
            yield connection
    except psycopg.Error as error:
        first = (str(error).splitlines() or [""])[0]
        raise BackupError(f"the database {access.name} at {access.host}:{access.port}, as {access.user}: "
                          f"{first or type(error).__name__}. Does its server run, and is the connection right?") from None


def _one(connection: psycopg.Connection, query: LiteralString) -> str:
    row = connection.execute(query).fetchone()
    assert row is not None
    return str(row[0])


@contextmanager
def _tool(command: list[str], access: DatabaseAccess, stdin: int | None = None,
          stdout: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """One of PostgreSQL's tools. Its password is in a file that only this user can read, and for as long as it runs."""
    with tempfile.NamedTemporaryFile("w", prefix="pgpass-") as file, tempfile.TemporaryFile() as words:
        fields = (access.host, str(access.port), access.name, access.user, access.password)
        file.write(":".join(field.replace("\\", "\\\\").replace(":", "\\:") for field in fields) + "\n")
        file.flush()
        environment = {**os.environ, "PGHOST": access.host, "PGPORT": str(access.port), "PGDATABASE": access.name,
                       "PGUSER": access.user, "PGPASSFILE": file.name, "PGCONNECT_TIMEOUT": str(CONNECT_SECONDS)}
        try:
            process = subprocess.Popen(command, env=environment, stdin=stdin, stdout=stdout, stderr=words)
        except FileNotFoundError:
            raise BackupError(f"{command[0]} is not installed here: the image needs postgresql-client of the servers' "
                              "version") from None
        try:
            yield process
            status = process.wait()
        finally:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None and not stream.closed:
                    with suppress(BrokenPipeError):
                        stream.close()
        if status != 0:
            words.seek(0)
            said = " ".join(words.read()[-LAST_WORDS:].decode(errors="replace").split())
            raise BackupError(f"{command[0]} of the database {access.name} at {access.host} ended with status {status}: {said}")
