"""Airflow: whether its processes live, and the last runs of each DAG."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from applications.monitoring.service.clients import Airflow, seconds_of
from applications.monitoring.service.measuring import Found

PROCESSES: Mapping[str, str] = {"scheduler": "airflow-scheduler", "dag_processor": "airflow-dag-processor",
                                "triggerer": "airflow-triggerer"}
"""Services by the names that Airflow's own health gives them."""
RUNS, RUNS_OF_DAG = 100, 10


class Workflows:
    """Asks Airflow."""

    def __init__(self, airflow: Airflow) -> None:
        self._airflow = airflow

    def measure(self) -> Found:
        """The state of its processes, and the last runs of each DAG. Raises Away."""
        health = self._airflow.health()
        alive = {service: health[name].get("status") == "healthy" for name, service in PROCESSES.items()
                 if isinstance(health.get(name), dict)}
        dags: dict[str, list[dict[str, Any]]] = {}
        for run in self._airflow.runs(RUNS):
            runs = dags.setdefault(run["dag_id"], [])
            if len(runs) < RUNS_OF_DAG:
                runs.append({"id": run["dag_run_id"], "state": run["state"], "begin": seconds_of(run.get("start_date")),
                             "end": seconds_of(run.get("end_date"))})
        return Found((), {"alive": alive, "dags": [{"name": name, "runs": runs} for name, runs in sorted(dags.items())]})
