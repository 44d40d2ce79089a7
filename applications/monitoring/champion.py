"""The version of the model that serves, and what it was trained on, from MLflow's own interface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from applications.monitoring.tables import Span

MODEL, ALIAS = "adverse-event-predictor", "champion"
SECONDS = 15


class RegistryError(Exception):
    """MLflow does not answer as it should, in words for whoever runs the platform."""


@dataclass(frozen=True)
class Champion:
    """A registered version, and the cut-offs (UTC) of the training part of its data."""

    version: str
    run_id: str
    features_version: str
    trained_on: Span


def champion(uri: str) -> Champion | None:
    """The champion, from the MLflow server at `uri`; None while there is none. Raises RegistryError."""
    with httpx.Client(base_url=uri, timeout=SECONDS) as client:
        model = _asked(client, "registered-models/get", {"name": MODEL})
        named = [] if model is None else model["registered_model"].get("aliases", [])
        aliases = {found["alias"]: found["version"] for found in named}
        if ALIAS not in aliases:
            return None
        version = _asked(client, "model-versions/get", {"name": MODEL, "version": aliases[ALIAS]})
        run = None if version is None else _asked(client, "runs/get", {"run_id": version["model_version"]["run_id"]})
    if run is None:
        raise RegistryError(f"version {aliases[ALIAS]} of {MODEL} has no run at {uri} any more: train a new one "
                            "(scheduled_retraining)")
    return _read(str(aliases[ALIAS]), run["run"])


def _read(version: str, run: Mapping[str, Any]) -> Champion:
    params = {found["key"]: found["value"] for found in run["data"].get("params", [])}
    tags = {found["key"]: found["value"] for found in run["data"].get("tags", [])}
    try:
        # The last cut-off belongs to the training part; a second after it nothing else does.
        trained_on = Span(datetime.fromisoformat(params["train_first"]),
                          datetime.fromisoformat(params["train_last"]).replace(microsecond=1))
        return Champion(version, run["info"]["run_id"], tags["features_version"], trained_on)
    except (KeyError, ValueError):
        raise RegistryError(f"the run of version {version} of {MODEL} does not say what it was trained on (train_first, "
                            "train_last, features_version): it was made by another program; train a new one "
                            "(scheduled_retraining)") from None


def _asked(client: httpx.Client, what: str, parameters: dict[str, str]) -> Any:
    """The answer; None where there is no such thing."""
    try:
        answer = client.get(f"/api/2.0/mlflow/{what}", params=parameters)
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        return answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise RegistryError(f"MLflow at {client.base_url} does not answer {what} ({type(error).__name__}): see whether "
                            "mlflow-server is healthy") from error
