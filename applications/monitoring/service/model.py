"""The champion, what training measured of it, and whether its features and predictions still look like those of its training."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from applications.monitoring.champion import Champion, RegistryError, champion
from applications.monitoring.drift import drift
from applications.monitoring.findings import Check, Report, Status
from applications.monitoring.predictions import distribution
from applications.monitoring.service.clients import Away, Client
from applications.monitoring.service.measuring import Found, Sample
from applications.monitoring.tables import Tables
from applications.monitoring.thresholds import thresholds

FIGURE = re.compile(r"[a-z0-9_]+")
"""Figures of the model itself; those of candidates have their kind before a dot."""
OF_FEATURE = {"psi": "model_feature_psi", "ks": "model_feature_ks", "null-share-change": "model_feature_null_share_change"}
OF_PREDICTIONS = {"probability-psi": "model_prediction_psi", "high-risk-share": "model_prediction_high_risk_share",
                  "predictions": "model_predictions_last_day"}


class Model:
    """Measures the champion of an MLflow server over the tables of the lake."""

    def __init__(self, uri: str, tables: Tables, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._uri, self._tables, self._now = uri, tables, now
        self._mlflow = Client("mlflow-server", uri)

    def champion(self) -> Found:
        """Which version it is, and its figures. Raises Away."""
        found = self._champion()
        if found is None:
            return Found((Sample("model_champion_present", 0),), {"version": None})
        run = self._mlflow.get("/api/2.0/mlflow/runs/get", run_id=found.run_id)["run"]
        figures = {each["key"]: float(each["value"]) for each in run["data"].get("metrics", []) if FIGURE.fullmatch(each["key"])}
        samples = (Sample("model_champion_present", 1), Sample("model_champion_info", 1, (found.version, found.features_version)),
                   *(Sample("model_champion_metric", value, (name,)) for name, value in figures.items()))
        trained = int(run["info"].get("start_time", 0)) / 1000
        return Found(samples, {"version": found.version, "features_version": found.features_version, "trained": trained or None,
                               "trained_on": [found.trained_on.begin.timestamp(), found.trained_on.end.timestamp()],
                               "figures": figures})

    def drift(self) -> Found:
        """The drift of each feature, and of the model. Raises Away and LakeError."""
        found, now = self._champion(), self._now()
        if found is None:
            return Found((), {**drift_facts(Report((), now, now)), "words": "There is no champion to compare with."})
        report = drift(self._tables, found, now, thresholds().drift)
        return Found(tuple(drift_samples(report)), drift_facts(report))

    def predictions(self) -> Found:
        """The distribution of what was predicted in the last day, by version. Raises LakeError."""
        report = distribution(self._tables, self._now(), thresholds().predictions)
        judged = [check for check in report.checks if check.name in OF_PREDICTIONS and check.value is not None and check.part]
        versions: dict[str, dict[str, Any]] = {}
        for check in judged:
            versions.setdefault(check.part, {})[check.name] = check.value
        return Found(tuple(Sample(OF_PREDICTIONS[check.name], float(check.value or 0), (check.part,)) for check in judged),
                     {"status": str(report.status), "versions": versions})

    def _champion(self) -> Champion | None:
        try:
            return champion(self._uri)
        except RegistryError as error:
            raise Away(str(error)) from None


def drift_samples(report: Report) -> Iterator[Sample]:
    """A report of drift for Prometheus. What could not be judged is left out."""
    for check in report.checks:
        if check.name in OF_FEATURE and check.value is not None:
            yield Sample(OF_FEATURE[check.name], check.value, (check.part,))
        elif check.name == "drifted-share" and check.value is not None:
            yield Sample("model_drifted_features_share", check.value)
            yield Sample("model_drift", float(check.status is Status.FAILURE))
    for name, checks in _features(report).items():
        if any(check.status is not Status.SKIPPED for check in checks.values()):
            yield Sample("model_feature_drifted", float(any(map(_beyond, checks.values()))), (name,))


def drift_facts(report: Report) -> dict[str, Any]:
    """A report of drift for the page: features with the most drift first."""
    whole = next((check for check in report.checks if check.name == "drifted-share"), None)
    features = [{"name": name, "drifted": any(map(_beyond, checks.values())),
                 "judged": any(check.status is not Status.SKIPPED for check in checks.values()),
                 **{word: checks[key].value for word, key in (("psi", "psi"), ("ks", "ks"), ("nulls", "null-share-change"))
                    if key in checks}} for name, checks in _features(report).items()]
    limits = thresholds().drift
    return {"status": str(whole.status) if whole else None, "share": whole.value if whole else None,
            "words": whole.what if whole else "",
            "limit": {"share": limits.drifted_share.failure, "psi": limits.psi.failure, "look": limits.psi.warning},
            "begin": report.begin.timestamp(), "end": report.end.timestamp(),
            "features": sorted(features, key=lambda found: (not found["judged"], not found["drifted"], -(found.get("psi") or 0.0)))}


def _features(report: Report) -> Mapping[str, Mapping[str, Check]]:
    found: dict[str, dict[str, Check]] = {}
    for check in report.checks:
        if check.name in OF_FEATURE and check.part:
            found.setdefault(check.part, {})[check.name] = check
    return found


def _beyond(check: Check) -> bool:
    """A feature's own status is a warning at most; its value says whether it is beyond the limit that counts."""
    return (check.status is Status.WARNING and check.value is not None and check.limit is not None
            and check.value > check.limit)
