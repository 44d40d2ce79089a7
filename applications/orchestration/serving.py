"""Whether model-serving really serves a version: it names it, and answers with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

from applications.orchestration.endpoint import Endpoint, EndpointError

PAUSE_SECONDS = 2.0


class ServingFault(Exception):
    """model-serving does not serve what it should, in words for whoever runs the platform."""


def trial_features(engineering: Endpoint) -> dict[str, Any]:
    """Features of nobody, each in the middle of its valid range, as the registry of features has them. Raises EndpointError."""
    try:
        with engineering.client() as client:
            registry = engineering.judged(client.get("/features"))
    except httpx.HTTPError as error:
        raise engineering.away(error) from error
    return middles(registry["features"])


def middles(features: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A value within the valid range of each feature; the first category where it has categories."""
    return {feature["name"]: feature["categories"][0] if feature["kind"] == "category" else (feature["low"] + feature["high"]) / 2
            for feature in features}


def await_version(serving: Endpoint, version: int, features: Mapping[str, Any], seconds: float,
                  clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep) -> None:
    """Waits until the version serves. Raises ServingFault with the last thing that was not as it should be."""
    deadline = clock() + seconds
    while True:
        fault = fault_of(serving, version, features)
        if fault is None:
            return
        if clock() >= deadline:
            raise ServingFault(f"version {version} does not serve after {seconds:g} s: {fault}. See {serving.url}/health and "
                               f"`./pipeline {serving.layer} logs`")
        sleep(PAUSE_SECONDS)


def fault_of(serving: Endpoint, version: int, features: Mapping[str, Any]) -> str | None:
    """None when model-serving names the version and a prediction of given features is made by it; else what is wrong."""
    try:
        with serving.client() as client:
            model = serving.judged(client.get("/v1/model"))
            if str(model["version"]) != str(version):
                return f"version {model['version']} serves"
            made = serving.judged(client.post("/v1/predict", json={"features": dict(features)}))
    except EndpointError as error:
        return str(error)
    except httpx.HTTPError as error:
        return str(serving.away(error))
    if str(made["model"]["version"]) != str(version):
        return f"a prediction was made by version {made['model']['version']}"
    if not 0.0 <= float(made["probability"]) <= 1.0:
        return "a prediction is no probability"
    return None
