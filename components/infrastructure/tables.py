"""What the infrastructure layer declares besides containers, as data: buckets and their clients, databases, topics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

DAY_MS = 24 * 60 * 60 * 1000

BUCKETS = ("bronze", "silver", "gold", "quarantine", "checkpoints", "mlflow-artifacts", "airflow-logs", "backups")


@dataclass(frozen=True, kw_only=True)
class Access:
    """The buckets that one client of the lake reads and those that it writes (writing includes reading and deleting).

    `appends` are buckets whose objects it may read and add but not delete.
    """

    reads: tuple[str, ...] = ()
    appends: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


LAKE_USERS: Mapping[str, Access] = {
    "kafka-consumer": Access(appends=("bronze", "quarantine")),
    "spark": Access(reads=("bronze",), writes=("silver", "gold", "quarantine", "checkpoints")),
    "feature-engineering": Access(reads=("silver",), writes=("gold",)),
    "ml-training": Access(reads=("gold",)),
    "mlflow": Access(writes=("mlflow-artifacts",)),
    "monitoring-service": Access(reads=("bronze", "silver", "gold", "quarantine")),
    "airflow": Access(reads=("bronze", "silver", "quarantine", "checkpoints", "mlflow-artifacts", "airflow-logs"),
                      writes=("gold", "backups")),
    "airflow-logs": Access(writes=("airflow-logs",)),
    "storage-operator": Access(writes=BUCKETS),
}


@dataclass(frozen=True, kw_only=True)
class DatabaseSpec:
    """A database, the server that holds it, and how many connections its owner may open.

    One that is not `kept` holds nothing of its own, so no backup has it.
    """

    name: str
    server: str
    connections: int
    kept: bool = True


DATABASES = (
    DatabaseSpec(name="mlflow", server="postgres-mlflow", connections=40),
    DatabaseSpec(name="airflow", server="postgres-airflow", connections=80),
    # Where a backup is restored to see that it can be.
    DatabaseSpec(name="scratch", server="postgres-airflow", connections=10, kept=False),
)
KEPT_DATABASES = tuple(spec for spec in DATABASES if spec.kept)


@dataclass(frozen=True, kw_only=True)
class TopicSpec:
    """A topic of the data contract. `days` is its retention, None for a compacted topic."""

    name: str
    small: int
    large: int
    days: int | None


TOPICS = (
    TopicSpec(name="patient-vitals", small=6, large=24, days=7),
    TopicSpec(name="lab-results", small=3, large=12, days=30),
    TopicSpec(name="medications", small=3, large=12, days=30),
    TopicSpec(name="adverse-events", small=3, large=6, days=90),
    TopicSpec(name="demographics", small=3, large=6, days=None),
    TopicSpec(name="clinical-alerts", small=3, large=6, days=30),
    TopicSpec(name="model-predictions", small=3, large=12, days=90),
    TopicSpec(name="dead-letter", small=3, large=6, days=90),
)
