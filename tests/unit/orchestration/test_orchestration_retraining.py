"""Retraining: what becomes of a version, and whether it really serves."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import httpx
import pytest

from applications.ml.features.registry import BY_NAME, FEATURES, NAMES
from applications.orchestration.endpoint import AwayError, Endpoint
from applications.orchestration.judging import judged, table
from applications.orchestration.serving import ServingFault, await_version, middles, trial_features

SERVING = Endpoint("model_serving", "http://model-serving:8080", "a-key", "ml")


class Served:
    """A model-serving whose champion changes from answer to answer: the last of `versions` stays."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *versions: int, predicts: int | None = None,
                 probability: float = 0.2) -> None:
        self.versions, self.predicts, self.probability = list(versions), predicts, probability
        self.keys: set[str | None] = set()
        self.time = 0.0
        transport = httpx.MockTransport(self.answer)
        monkeypatch.setattr(Endpoint, "client",
                            lambda place: httpx.Client(transport=transport, base_url=place.url, headers=place.headers))

    def answer(self, request: httpx.Request) -> httpx.Response:
        """The version, or a prediction by it."""
        self.keys.add(request.headers.get("X-API-Key"))
        if not self.versions:
            return httpx.Response(503, json={"error": "no-champion"})
        if request.url.path == "/v1/model":
            version = self.versions.pop(0) if len(self.versions) > 1 else self.versions[0]
            return httpx.Response(200, json={"version": str(version)})
        made_by = self.versions[0] if self.predicts is None else self.predicts
        return httpx.Response(200, json={"probability": self.probability, "model": {"version": str(made_by)}})

    def wait(self, version: int, seconds: float = 10) -> None:
        """Waits as the DAG does, on a clock of the test's own."""
        await_version(SERVING, version, {"age": 60}, seconds, clock=lambda: self.time, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        """Lets the clock go on."""
        self.time += seconds


def trained(version: int | None, *refused: str) -> dict[str, Any]:
    """A result of the job `train`."""
    return {"version": version, "refused": list(refused)}


@pytest.mark.parametrize(("result", "wanted", "promote", "words"), [
    (trained(4), True, True, "version 4 passes every gate"),
    (trained(4), False, False, "promote=false"),
    (trained(4, "pr_auc_above_champion"), True, False, "registered and not promoted: it does not pass pr_auc_above_champion"),
    (trained(None, "auroc", "ece"), True, False, "not registered: it does not pass auroc, ece")])
def test_only_what_passes_every_gate_is_promoted(result: dict[str, Any], wanted: bool, promote: bool, words: str) -> None:
    """And the reason names the gates that do not hold."""
    found = judged(result, wanted)
    assert found.promote is promote and words in found.why


def test_the_gates_as_a_table() -> None:
    """One line a gate, with what was measured; a value that is missing is a dash with its note."""
    lines = table([{"name": "auroc", "value": 0.81234, "limit": 0.75, "passed": True, "note": ""},
                   {"name": "ece", "value": None, "limit": 0.05, "passed": False, "note": "too few rows"}]).splitlines()
    assert [line.split() for line in lines[1:]] == [["auroc", "0.8123", "0.7500", "yes"],
                                                    ["ece", "-", "0.0500", "NO", "too", "few", "rows"]]
    assert lines[0].split() == ["gate", "value", "limit", "holds", "note"]


def test_the_new_version_serves_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """The former one answers twice, then the new one; every request shows the key."""
    served = Served(monkeypatch, 3, 3, 4)
    served.wait(4)
    assert served.time == 4.0 and served.keys == {"a-key"}


@pytest.mark.parametrize(("versions", "settings", "words"), [
    ((3,), {}, "version 3 serves"), ((), {}, "answers 503"), ((4,), {"predicts": 3}, "made by version 3"),
    ((4,), {"probability": 1.5}, "no probability")],
    ids=["the former goes on", "none serves", "another one predicts", "nonsense is predicted"])
def test_what_does_not_count_as_serving(monkeypatch: pytest.MonkeyPatch, versions: tuple[int, ...], settings: dict[str, Any],
                                        words: str) -> None:
    """The wait has an end, and says what was wrong and where to look."""
    served = Served(monkeypatch, *versions, **settings)
    with pytest.raises(ServingFault, match=rf"version 4 does not serve after 10 s: .*{words}.*/health"):
        served.wait(4)
    assert served.time == 10.0


def test_nobody_answers() -> None:
    """A service that is away is waited for, too."""
    place = Endpoint("model_serving", "http://127.0.0.1:9", "", "ml")
    with pytest.raises(ServingFault, match="does not answer"):
        await_version(place, 4, {}, 0)


def test_trial_features_are_valid_and_complete() -> None:
    """Serving refuses what lies outside a feature's range and what is mostly unknown: each has a value within its range."""
    found = middles([asdict(feature) for feature in FEATURES])
    assert tuple(found) == NAMES
    for name, value in found.items():
        feature = BY_NAME[name]
        if feature.kind == "category":
            assert value in feature.categories
        else:
            assert feature.low is not None and feature.high is not None and feature.low <= value <= feature.high


def test_an_endpoint_without_a_registry_is_named() -> None:
    """The trial needs feature-engineering; its words say so."""
    with pytest.raises(AwayError, match=r"feature_engineering at .* does not answer"):
        trial_features(Endpoint("feature_engineering", "http://127.0.0.1:9", "", "ml"))
