"""Predictions of instances: their features from the store or from the caller, the rules on what is enough, and the model."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from applications.clinical.models import SCHEMA_VERSION
from applications.clinical.predictions import Contribution, Prediction
from applications.ml.features.registry import NAMES
from applications.ml.serving import answers, metrics
from applications.ml.serving.answers import Outcome
from applications.ml.serving.inputs import Instance
from applications.ml.serving.models import Champion
from applications.ml.serving.ports import Snapshot, Unavailable, Values
from applications.ml.serving.store import Store
from applications.runtime.door import Refusal

TOP = 5
"""How many contributions an answer names."""


class Judge:
    """Makes predictions; nothing is kept from one call to the next, so that no patient meets another's values."""

    def __init__(self, store: Store, max_age_seconds: float, max_missing_share: float) -> None:
        self._store = store
        self._max_age_seconds, self._max_missing_share = max_age_seconds, max_missing_share

    def judge(self, instances: Sequence[Instance], champion: Champion, client: str) -> list[Outcome]:
        """A prediction or a refusal for each instance, in their order. Blocks."""
        snapshots = self._read([one.patient_id for one in instances if one.patient_id is not None])
        now = datetime.now(UTC)
        found: list[Outcome | None] = []
        rows: list[tuple[int, dict[str, float | str | None], datetime | None]] = []
        for place, one in enumerate(instances):
            try:
                values, cutoff = self._values(one, snapshots, now)
            except Refusal as refusal:
                found.append(refusal)
            else:
                found.append(None)
                rows.append((place, values, cutoff))
        if rows:
            for (place, values, cutoff), made in zip(rows, _scored(champion, [values for _, values, _ in rows]), strict=True):
                found[place] = _prediction(instances[place].patient_id, values, cutoff, champion, client, now, *made)
        return [one for one in found if one is not None]

    def _read(self, patient_ids: Sequence[str]) -> Mapping[str, Snapshot] | Refusal:
        if not patient_ids:
            return {}
        try:
            return self._store.read(patient_ids)
        except Unavailable as error:
            return answers.unavailable("features-away", str(error))

    def _values(self, one: Instance, snapshots: Mapping[str, Snapshot] | Refusal,
                now: datetime) -> tuple[dict[str, float | str | None], datetime | None]:
        cutoff = None
        given: Values = one.features or {}
        if one.patient_id is not None:
            if isinstance(snapshots, Refusal):
                raise snapshots
            snapshot = snapshots.get(one.patient_id)
            if snapshot is None:
                raise answers.unknown_patient()
            given, cutoff = snapshot.values, snapshot.cutoff.astimezone(UTC)
            seconds = answers.age(cutoff, now)
            metrics.AGE_SECONDS.observe(seconds)
            if seconds > self._max_age_seconds:
                raise answers.stale(seconds, self._max_age_seconds)
        values = {name: _known(given.get(name)) for name in NAMES}
        share = sum(value is None for value in values.values()) / len(values)
        metrics.MISSING.observe(share)
        if share > self._max_missing_share:
            raise answers.missing(share, self._max_missing_share)
        return values, cutoff


def _known(value: float | str | None) -> float | str | None:
    # NaN is no number that JSON or a caller could read; it is unknown, too. (It alone differs from itself.)
    return None if value != value else value


def _scored(champion: Champion, rows: Sequence[Values]) -> list[tuple[float, list[Contribution]]]:
    began = time.perf_counter()
    scores = champion.model.predict_rows(rows)
    metrics.MODEL_SECONDS.observe(time.perf_counter() - began)
    return [(float(probability), _top(champion.model.names, added, row))
            for probability, added, row in zip(scores.probabilities, scores.contributions, rows, strict=True)]


def _top(names: Sequence[str], added: Sequence[float] | Any, row: Values) -> list[Contribution]:
    strongest = sorted(range(len(names)), key=lambda place: -abs(added[place]))[:TOP]
    return [Contribution(feature=names[place], value=row[names[place]], contribution=float(added[place])) for place in strongest]


def _prediction(patient_id: str | None, values: dict[str, float | str | None], cutoff: datetime | None, champion: Champion,
                client: str, now: datetime, probability: float, contributions: list[Contribution]) -> Prediction:
    model = champion.model
    return Prediction(
        prediction_id=uuid4(), schema_version=SCHEMA_VERSION, patient_id=patient_id, requested_by=client,
        model_name=champion.name, model_version=champion.version, features_version=model.features_version,
        features_time=cutoff, features=values, probability=probability, threshold=model.threshold,
        risk_class="high-risk" if probability >= model.threshold else "low-risk", contributions=contributions,
        recorded_time=now)
