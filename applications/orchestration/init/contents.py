"""Connections, pools and variables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from airflow.models import Connection, Pool, Variable
from airflow.utils.session import create_session
from sqlalchemy import select

from applications.orchestration.init.inputs import Inputs, extra_text


class PoolSpec(NamedTuple):
    """How many tasks of one kind run at the same time. Tasks that wait for a job count, too: the job runs meanwhile."""

    slots: int
    description: str


POOLS = {
    "spark_batch": PoolSpec(1, "Jobs of the batch service, which runs one at a time"),
    "training": PoolSpec(1, "Jobs that train or change the champion"),
    "lake": PoolSpec(2, "Tasks that read much of the lake in their own process"),
}
VARIABLES = {
    "retraining_seed": ("20", "Seed with which the weekly training starts; a run's parameter `seed` overrides it"),
}


def declare(inputs: Inputs) -> Iterator[str]:
    """Writes the connections and pools as they are declared, and the variables that are missing; all else stays."""
    with create_session() as session:
        for name, spec in inputs.connections.items():
            connection = session.scalar(select(Connection).where(Connection.conn_id == name)) or Connection(conn_id=name)
            connection.conn_type, connection.description = spec.conn_type, spec.description
            connection.host, connection.port, connection.schema = spec.host, spec.port, spec.schema_
            connection.login = spec.login
            connection.set_password(spec.password)
            connection.set_extra(extra_text(spec))
            session.add(connection)
        yield f"{len(inputs.connections)} connections: {', '.join(sorted(inputs.connections))}"
        for name, pool in POOLS.items():
            Pool.create_or_update_pool(name, pool.slots, pool.description, include_deferred=True, session=session)
        yield "pools: " + ", ".join(f"{name} {pool.slots}" for name, pool in POOLS.items())
        there = set(session.scalars(select(Variable.key)))
        for name, (value, description) in VARIABLES.items():
            if name not in there:
                session.add(Variable(key=name, val=value, description=description))
        yield f"variables: {', '.join(VARIABLES)}"
