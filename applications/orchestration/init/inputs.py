"""What the task is given in files: passwords and connections."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from applications.orchestration.init.errors import InitError

SECRETS = Path("/run/secrets")
SHORTEST_PASSWORD = 16
AGAIN = "`./pipeline orchestration start-force` writes the files anew and runs this task again"


class ConnectionSpec(BaseModel):
    """A connection as Airflow keeps it; `extra` is an object whose fields depend on the type."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    conn_type: str = Field(min_length=1)
    host: str | None = None
    port: int | None = Field(None, ge=1, le=65535)
    schema_: str | None = Field(None, alias="schema")
    login: str | None = None
    password: str | None = Field(None, repr=False)
    extra: dict[str, Any] | None = Field(None, repr=False)
    description: str | None = None


class Inputs(BaseModel):
    """All that is given: the passwords of two users, and connections by their ids."""

    model_config = ConfigDict(frozen=True)

    admin: str = Field(repr=False)
    monitoring: str = Field(repr=False)
    connections: Mapping[str, ConnectionSpec]


def read(folder: Path = SECRETS) -> Inputs:
    """The inputs from `folder`: `airflow-admin`, `airflow-monitoring`, `connections.json`. Raises InitError."""
    return Inputs(admin=password(folder / "airflow-admin"), monitoring=password(folder / "airflow-monitoring"),
                  connections=connections(folder / "connections.json"))


def password(path: Path) -> str:
    """The password that a file holds. Raises InitError for none or one that is too short."""
    found = text(path).strip()
    if len(found) < SHORTEST_PASSWORD:
        raise InitError(f"the password in {path} has {len(found)} characters and needs {SHORTEST_PASSWORD} or more; {AGAIN}")
    return found


def connections(path: Path) -> dict[str, ConnectionSpec]:
    """The connections that a file holds, by id. Raises InitError with the path of every wrong field."""
    try:
        return TypeAdapter(dict[str, ConnectionSpec]).validate_json(text(path))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'the whole'}: {fault['msg']}"
                           for fault in error.errors(include_url=False, include_input=False))
        raise InitError(f"{path} is not an object of connections by id: {faults}; {AGAIN}") from None


def text(path: Path) -> str:
    """The content of a file. Raises InitError where there is none."""
    try:
        return path.read_text()
    except OSError as error:
        raise InitError(f"{path} cannot be read ({error.strerror}); {AGAIN}") from None


def extra_text(spec: ConnectionSpec) -> str | None:
    """`extra` as Airflow stores it: JSON with sorted keys, so that the same object is the same text."""
    return None if spec.extra is None else json.dumps(spec.extra, sort_keys=True)
