"""Probes of the ML layer."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import requests

from components.ml.settings import MlSettings
from components.settings import Settings
from operations import inside
from operations.probes import Probe

SECONDS = 5
MODEL = "adverse-event-predictor"


def probes(settings: Settings) -> Iterator[Probe]:
    """One probe a service: the registry through its interface, serving through its readiness, the jobs through their health."""
    layer, address = settings.of(MlSettings), settings.platform.bind_address
    yield Probe("mlflow-server", partial(registry, f"http://{address}:{layer.port('mlflow-server')}"))
    for service in ("feature-engineering", "ml-training"):
        yield Probe(service, partial(inside.health, f"{settings.catalog.project}-{layer.stack}-{service}"))
    yield Probe("model-serving", partial(serving, f"http://{address}:{layer.port('model-serving')}"))


def registry(url: str) -> str:
    """What the registry holds. Raises requests.HTTPError where it refuses."""
    answer = requests.get(f"{url}/api/2.0/mlflow/registered-models/search", timeout=SECONDS)
    answer.raise_for_status()
    aliases = {alias["alias"]: alias["version"] for model in answer.json().get("registered_models", [])
               if model["name"] == MODEL for alias in model.get("aliases", [])}
    return f"champion is version {aliases['champion']}" if "champion" in aliases else "no champion yet"


def serving(url: str) -> str:
    """What is served. Raises RuntimeError with what keeps it from answering."""
    answer = requests.get(f"{url}/ready", timeout=SECONDS)
    found = answer.json()
    if answer.status_code != 200:
        wrong = [f"{name}: {words}" for name, words in found.get("checks", {}).items() if words != "ok"]
        raise RuntimeError("; ".join(wrong) or f"answers {answer.status_code}")
    return "ready, " + ", ".join(sorted(found.get("checks", {})))
