"""Settings of the orchestration layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from pydantic import Field

from components.settings import LayerSettings

SCHEDULED = ("clinical_data_pipeline", "data_quality_monitoring", "model_monitoring", "scheduled_retraining", "backup")
"""The DAGs that run by themselves."""
CRON_FIELDS = 5
BY_HAND = "manual"


class OrchestrationSettings(LayerSettings):
    """How much Airflow runs at a time and where, and when its DAGs run."""

    layer: ClassVar[str] = "orchestration"
    needs: ClassVar[tuple[str, ...]] = ("infrastructure", "ingestion", "processing", "ml")
    default_ports: ClassVar[Mapping[str, int]] = {"airflow-webserver": 8085}
    images: ClassVar[tuple[str, ...]] = ("airflow",)
    secrets: ClassVar[tuple[str, ...]] = ("airflow-admin", "airflow-monitoring", "airflow-fernet", "airflow-jwt", "airflow-api")

    airflow_workers: int = Field(0, ge=0, le=64)
    """Containers that run tasks, through Airflow's Celery executor; with 0 the scheduler runs them itself."""
    airflow_parallelism: int = Field(4, ge=1, le=512)
    """Tasks at a time: of the scheduler, or of each worker. A task that waits for a job elsewhere is none of them."""
    airflow_schedules: dict[str, str] = Field({})
    """When a DAG runs, where that differs from its own schedule: a cron expression (UTC), or `manual` for by hand alone."""

    def workers(self) -> list[str]:
        """The names of the workers."""
        return [f"airflow-worker-{index + 1}" for index in range(self.airflow_workers)]

    def faults(self) -> Iterator[str]:
        """Schedules of DAGs that there are not, and such that are no schedules."""
        for dag, cron in self.airflow_schedules.items():
            if dag not in SCHEDULED:
                yield f"airflowSchedules.{dag}: no DAG with a schedule has this name; there are {', '.join(SCHEDULED)}"
            elif cron != BY_HAND and len(cron.split()) != CRON_FIELDS:
                yield (f"airflowSchedules.{dag}: {cron!r} is no cron expression of {CRON_FIELDS} fields, as \"0 * * * *\" is; "
                       f"{BY_HAND} means by hand alone")

    def schedules(self) -> dict[str, str | None]:
        """The cron expression of each DAG for which the stack sets one, None for those that run by hand alone."""
        return {dag: None if cron == BY_HAND else cron for dag, cron in sorted(self.airflow_schedules.items())}
