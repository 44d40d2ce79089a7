"""The connections of the platform in Airflow's database, as the values that our code works with.

Only tasks, triggers and callbacks call these: a DAG file that is read must not ask the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from applications.orchestration.endpoint import Endpoint

if TYPE_CHECKING:
    from applications.monitoring.lake import LakeAccess

LAYERS: Mapping[str, str] = {"spark_batch": "processing", "feature_engineering": "ml", "ml_training": "ml", "model_serving": "ml",
                             "mlflow": "ml"}
"""Which layer a service belongs to, whose logs and health tell more."""


class ConnectionFault(Exception):
    """A connection that is missing or incomplete, in words for whoever runs the platform."""


@dataclass(frozen=True)
class DatabaseAccess:
    """A PostgreSQL database and the role that owns it."""

    host: str
    port: int
    name: str
    user: str
    password: str = field(repr=False)


def endpoint(conn_id: str) -> Endpoint:
    """A service over HTTP: `spark_batch`, `feature_engineering`, `ml_training`, `model_serving` or `mlflow`."""
    return _endpoint(_get(conn_id), conn_id)


async def async_endpoint(conn_id: str) -> Endpoint:
    """The same inside a trigger, whose event loop must not wait for the database."""
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException
    try:
        return _endpoint(await Connection.async_get(conn_id), conn_id)
    except AirflowNotFoundException:
        raise _missing(conn_id) from None


def lake() -> LakeAccess:
    """The lake, as the user `airflow`: reads bronze, silver, gold and quarantine, writes gold and backups."""
    from applications.monitoring.lake import LakeAccess
    found = _get("lake")
    return LakeAccess(endpoint=_url(found, "lake"), user=_needed(found, "lake", "login"), secret=_needed(found, "lake", "password"))


def kafka() -> str:
    """The bootstrap servers of Kafka, `host:port` separated by commas."""
    bootstrap = _get("kafka").extra_dejson.get("bootstrap")
    if not bootstrap:
        raise _incomplete("kafka", "bootstrap in extra")
    return str(bootstrap)


def database(name: str) -> DatabaseAccess:
    """The database `airflow`, `mlflow` or `scratch`."""
    conn_id = f"database_{name}"
    found = _get(conn_id)
    host, schema, login, password = (_needed(found, conn_id, part) for part in ("host", "schema", "login", "password"))
    return DatabaseAccess(host=host, port=int(found.port or 5432), name=schema, user=login, password=password)


def _endpoint(found: Any, conn_id: str) -> Endpoint:
    return Endpoint(conn_id, _url(found, conn_id), found.password or "", LAYERS.get(conn_id, "all"))


def _get(conn_id: str) -> Any:
    # Imported here: what is no task must be able to import this module without Airflow.
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException
    try:
        return Connection.get(conn_id)
    except AirflowNotFoundException:
        raise _missing(conn_id) from None


def _url(found: Any, conn_id: str) -> str:
    host = _needed(found, conn_id, "host")
    return f"{found.schema or 'http'}://{host}{f':{found.port}' if found.port else ''}"


def _needed(found: Any, conn_id: str, part: str) -> str:
    value = getattr(found, part)
    if not value:
        raise _incomplete(conn_id, part)
    return str(value)


def _missing(conn_id: str) -> ConnectionFault:
    return ConnectionFault(f"Airflow has no connection `{conn_id}`: airflow-init makes it, so run `./pipeline orchestration start`")


def _incomplete(conn_id: str, part: str) -> ConnectionFault:
    return ConnectionFault(f"the connection `{conn_id}` has no {part}: airflow-init writes it, so run `./pipeline orchestration "
                           "start`")
