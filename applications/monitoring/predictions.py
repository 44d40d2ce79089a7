"""What was predicted, from the audit in bronze: how it is distributed, and how good it was once it is known what came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from applications.clinical.models import EventType
from applications.clinical.predictions import PREDICTIONS_TOPIC
from applications.monitoring.checks.silver import name_of
from applications.monitoring.findings import Check, Report, Status, above
from applications.monitoring.statistics import (
    Labels,
    Numbers,
    auroc,
    brier,
    calibration,
    calibration_error,
    pr_auc,
    psi_of_counts,
)
from applications.monitoring.tables import Span, Tables, count
from applications.monitoring.thresholds import Performance, Predictions

TABLE = f"bronze/{PREDICTIONS_TOPIC}"
HORIZON = timedelta(hours=24)
LEAST_GRADE = 2
"""What is predicted: whether an adverse event of this grade or above begins in (t, t + HORIZON]."""
STEPS, BINS = 1000, 10
"""Probabilities are counted in so many steps, which are then joined to bins of about equal shares."""
# What the platform asks itself, to see whether it answers, tells nothing about patients; what is no record is not one of ours.
_AUDIT = """WITH audit AS (
    SELECT json_extract_string(record, '$.model_version') AS version, json_extract_string(record, '$.patient_id') AS patient,
           CAST(json_extract(record, '$.probability') AS DOUBLE) AS probability,
           json_extract_string(record, '$.class') = 'high-risk' AS high, json_extract_string(record, '$.prediction_id') AS id,
           epoch(CAST(json_extract_string(record, '$.features_time') AS TIMESTAMPTZ)) AS features_time, received
    FROM (SELECT TRY(decode(value)) AS record, epoch("timestamp") AS received FROM records)
    WHERE json_valid(record) AND json_extract_string(record, '$.requested_by') IS DISTINCT FROM 'monitoring') """
_COUNTS = _AUDIT + """
    SELECT version, received >= {since} AS current, least(floor(probability * {steps}), {steps} - 1)::INT AS step, count(*),
           count_if(high) FROM audit GROUP BY ALL ORDER BY ALL"""
_JUDGED = _AUDIT + """, latest AS (
    SELECT patient, features_time, arg_max(probability, (received, id)) AS probability FROM audit
    WHERE version = '{version}' AND patient IS NOT NULL AND features_time + {horizon} <= {known_until}
    GROUP BY patient, features_time)
    SELECT l.probability, EXISTS (SELECT 1 FROM events e WHERE e.patient_id = l.patient AND epoch(e.start_time) > l.features_time
                                  AND epoch(e.start_time) <= l.features_time + {horizon})::INT FROM latest l"""


@dataclass
class _Counts:
    steps: dict[int, int]
    total: int = 0
    high: int = 0


def distribution(tables: Tables, now: datetime, limits: Predictions) -> Report:
    """For each version that predicted something in the current hours: how many, mean probability, share of high-risk ones, and how
    far both are from earlier days of the same version. Raises LakeError.
    """
    current = Span(now - timedelta(hours=limits.current_hours), now)
    whole = Span(current.begin - timedelta(days=limits.reference_days), now)
    records = tables.bronze(PREDICTIONS_TOPIC, whole)
    rows = [] if records is None else count(_COUNTS.format(since=current.begin.timestamp(), steps=STEPS), records=records)
    found: dict[str, dict[bool, _Counts]] = {}
    for version, is_current, step, number, high in rows:
        counts = found.setdefault(version, {True: _Counts({}), False: _Counts({})})[is_current]
        counts.steps[step] = number
        counts.total += number
        counts.high += high
    checks = tuple(check for version, sides in sorted(found.items()) if sides[True].total
                   for check in _of_version(version, sides[False], sides[True], limits))
    nothing = Check("predictions", TABLE, Status.SKIPPED, 0, None, "nothing was predicted in this time", "predictions")
    return Report(checks or (nothing,), current.begin, current.end)


def _of_version(version: str, earlier: _Counts, now: _Counts, limits: Predictions) -> Iterator[Check]:
    mean = sum((step + 0.5) / STEPS * number for step, number in now.steps.items()) / now.total
    high = now.high / now.total
    for name, value, what in (("predictions", now.total, f"{now.total} predictions"),
                              ("probability-mean", round(mean, 4), "mean probability"),
                              ("high-risk-share", round(high, 4), f"{now.high} predictions are high-risk")):
        yield Check(name, TABLE, Status.OK, value, None, what, "predictions", version)
    fewest = min(now.total, earlier.total)
    if fewest < limits.least_predictions:
        yield Check("probability-psi", TABLE, Status.SKIPPED, None, limits.psi.failure,
                    f"{now.total} predictions now and {earlier.total} on earlier days; {limits.least_predictions} are needed of "
                    "each", "predictions", version)
        return
    index = psi_of_counts(*_binned(earlier.steps, now.steps))
    yield Check("probability-psi", TABLE, above(index, limits.psi.warning, limits.psi.failure), round(index, 4),
                limits.psi.failure, "stability index of the probabilities against earlier days", "predictions", version)
    change = abs(high - earlier.high / earlier.total)
    yield Check("high-risk-change", TABLE, above(change, limits.high_risk_change.warning, limits.high_risk_change.failure),
                round(change, 4), limits.high_risk_change.failure,
                f"{high:.1%} are high-risk, {earlier.high / earlier.total:.1%} were on earlier days", "predictions", version)


def _binned(reference: dict[int, int], current: dict[int, int]) -> tuple[dict[str, int], dict[str, int]]:
    """Both counts over bins that hold about equal shares of the reference."""
    total, passed = sum(reference.values()), 0
    bin_of: list[int] = []
    for step in range(STEPS):
        bin_of.append(min(BINS - 1, passed * BINS // total))
        passed += reference.get(step, 0)

    def counted(steps: dict[int, int]) -> dict[str, int]:
        found: dict[str, int] = {}
        for step, number in steps.items():
            name = str(bin_of[step])
            found[name] = found.get(name, 0) + number
        return found

    return counted(reference), counted(current)


def performance(tables: Tables, version: str, now: datetime, limits: Performance) -> Report:
    """How good a version's predictions of patients were, of those whose 24 hours are over and reported on: of each patient and
    moment of the features one prediction, the last. Raises LakeError.
    """
    span = Span(now - timedelta(days=limits.days) - HORIZON, now)
    labels, probabilities = _known(tables, version, span)
    return Report(tuple(judged(version, labels, probabilities, limits)), span.begin, span.end)


def judged(version: str, labels: Labels, probabilities: Numbers, limits: Performance) -> Iterator[Check]:
    """The figures of predictions (labels 0 or 1). With too few of either label nothing is judged."""
    def check(name: str, status: Status, value: float, limit: float | None, what: str) -> Check:
        return Check(name, TABLE, status, round(value, 4), limit, what, "performance", version)

    positives = int(labels.sum())
    negatives = len(labels) - positives
    yield check("labelled-predictions", Status.OK, len(labels), None, f"{len(labels)} with a known outcome, {positives} positive")
    if min(positives, negatives) < limits.least_positives:
        yield Check("auroc", TABLE, Status.SKIPPED, None, limits.least_auroc.failure,
                    f"{positives} positives and {negatives} negatives; {limits.least_positives} are needed of each",
                    "performance", version)
        return
    area, error = auroc(labels, probabilities), calibration_error(labels, probabilities)
    least, most = limits.least_auroc, limits.calibration_error
    yield check("auroc", above(-area, -least.warning, -least.failure), area, least.failure, "area under the ROC curve")
    yield check("pr-auc", Status.OK, pr_auc(labels, probabilities), None,
                f"average precision; {positives / len(labels):.3f} by chance")
    yield check("brier", Status.OK, brier(labels, probabilities), None, "mean squared error of the probabilities")
    yield check("calibration-error", above(error, most.warning, most.failure), error, most.failure,
                "mean distance of probability and what came, over tenths")
    for number, (predicted, seen, rows) in enumerate(calibration(labels, probabilities), start=1):
        yield check(f"calibration-{number}", Status.OK, seen, None,
                    f"{rows} predictions of {predicted:.3f} in the mean; {seen:.3f} came")


def _known(tables: Tables, version: str, span: Span) -> tuple[Labels, Numbers]:
    records = tables.bronze(PREDICTIONS_TOPIC, span)
    events = tables.rows(name_of(EventType.ADVERSE_EVENTS), pc.field("event_date") >= pa.scalar(span.begin.date()))
    newest = None if events is None else count("SELECT epoch(max(event_time)) FROM events", events=events)[0][0]
    if records is None or events is None or newest is None:
        return np.zeros(0, np.int64), np.zeros(0, np.float64)
    # Until the newest report of any grade it is known what came; a sender's clock may be ahead, we never are.
    known_until = min(newest, span.end.timestamp())
    sql = _JUDGED.format(version=version.replace("'", "''"), horizon=HORIZON.total_seconds(), known_until=known_until)
    rows = count(sql, records=records, events=events.filter(pc.field("grade") >= LEAST_GRADE))
    return np.array([row[1] for row in rows], np.int64), np.array([row[0] for row in rows], np.float64)
