"""The steps, one after another, by one process at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow import settings
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from applications.orchestration.init import contents, people, tables
from applications.orchestration.init.errors import InitError
from applications.orchestration.init.inputs import Inputs

LOCK = 0x616972666C6F77  # "airflow": any number will do that no other program takes for its own lock in this database
CONNECT_SECONDS = 10
WAIT_SECONDS = 600


def prepare(inputs: Inputs) -> Iterator[str]:
    """Brings the database to what this release and `inputs` say, and tells what was done, in a line for each step.

    What is there already stays; a second run changes nothing, and two at the same time do the work of one. Raises InitError.
    """
    try:
        with alone():
            yield tables.migrate()
            yield people.declare(inputs)
            yield from contents.declare(inputs)
    except SQLAlchemyError as error:
        raise InitError(f"the database {place()} refused a step: {first_line(error)}; what was done so far stays. Run "
                        "`./pipeline orchestration start` once it is well again") from error


@contextmanager
def alone() -> Iterator[None]:
    """Holds a lock of the database, which is let go with the connection, however this process ends."""
    engine = create_engine(settings.SQL_ALCHEMY_CONN, poolclass=NullPool, isolation_level="AUTOCOMMIT",
                           connect_args={"connect_timeout": CONNECT_SECONDS})
    try:
        connection = engine.connect()
    except OperationalError as error:
        raise InitError(f"the database {place()} lets nobody in: {first_line(error)}; see "
                        "`./pipeline infrastructure health` and `./pipeline infrastructure logs postgres-airflow`") from None
    try:
        connection.execute(text(f"set lock_timeout to '{WAIT_SECONDS}s'"))
        connection.execute(text("select pg_advisory_lock(:key)"), {"key": LOCK})
        yield
    finally:
        connection.close()


def place() -> str:
    """The database's name and host, without user and password."""
    url = create_engine(settings.SQL_ALCHEMY_CONN, poolclass=NullPool).url
    return f"{url.database} on {url.host}:{url.port}"


def first_line(error: SQLAlchemyError) -> str:
    """What the server said, without the statement and its values."""
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
