"""The champion, for tasks that have nothing to do while there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from applications.orchestration import connections

if TYPE_CHECKING:
    from applications.monitoring.champion import Champion


def needed() -> Champion:
    """The champion. Raises AirflowSkipException while there is none, so that the calling task and all after it are skipped, and
    RegistryError when MLflow does not answer."""
    from airflow.sdk.exceptions import AirflowSkipException

    from applications.monitoring.champion import champion
    found = champion(connections.endpoint("mlflow").url)
    if found is None:
        raise AirflowSkipException("there is no champion yet: ml-training makes the first one once it has labels enough")
    return found
