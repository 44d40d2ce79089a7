"""Predictions from the audit: how they are distributed, and what came of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from applications.clinical.models import EventType
from applications.clinical.predictions import PREDICTIONS_TOPIC, Prediction
from applications.ingestion.consumer.objects import SCHEMA, Name
from applications.ml.features.registry import HORIZON, LEAST_GRADE
from applications.monitoring import evaluation, model, predictions
from applications.monitoring.findings import Check, Report, Status
from applications.monitoring.predictions import distribution, judged, performance
from applications.monitoring.thresholds import thresholds
from applications.processing.columns import silver_columns
from tests.unit.monitoring.monitoring_world import EPOCH, NOW, World

HOUR = timedelta(hours=1)
LIMITS = thresholds()
AT = NOW - timedelta(hours=30)


def audited(world: World, found: Iterable[tuple[str, str | None, datetime, float, datetime]], client: str = "clinic",
            first: int = 0) -> None:
    """Records of predictions: version, patient, features_time, probability and when it was served; `first` is the first offset."""
    hours: dict[int, list[dict[str, object]]] = {}
    for offset, (version, patient, features_time, probability, served) in enumerate(sorted(found, key=lambda one: one[4]), first):
        value = Prediction(
            prediction_id=uuid.UUID(int=offset), schema_version="1.0.0", patient_id=patient, requested_by=client,
            model_name="adverse-event-predictor", model_version=version, features_version="1-a", features_time=features_time,
            features={"age": 61.0}, probability=probability, threshold=0.2, contributions=[], recorded_time=served,
            risk_class="high-risk" if probability >= 0.2 else "low-risk").as_json()
        hours.setdefault(int(served.timestamp()) // 3600, []).append(
            {"topic": PREDICTIONS_TOPIC, "partition": 0, "offset": offset, "timestamp": served, "key": b"", "value": value,
             "headers": []})
    for hour, records in hours.items():
        name = Name(PREDICTIONS_TOPIC, 0, int(str(records[0]["offset"])), int(str(records[-1]["offset"])), hour, EPOCH)
        path = world.folder / "bronze" / name.key
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(records, SCHEMA), path)


def adverse(world: World, found: Iterable[tuple[str, int, datetime]]) -> None:
    """Adverse events: patient, grade, start; reported at once."""
    kind = EventType.ADVERSE_EVENTS
    world.table(f"silver/{kind}", [{"event_id": str(number), "patient_id": patient, "grade": grade, "start_time": start,
                                    "event_time": start, "event_date": start.date()}
                                   for number, (patient, grade, start) in enumerate(found)], silver_columns(kind), ["event_date"])


def known(world: World, version: str = "1") -> list[tuple[int, float]]:
    """Labels and probabilities whose outcome is known."""
    labels, probabilities = predictions._known(world.tables, version, predictions.Span(NOW - timedelta(days=8), NOW))
    return sorted(zip(labels.tolist(), probabilities.tolist(), strict=True), key=lambda pair: pair[1])


def test_a_label_is_an_event_of_the_24_hours_after_the_features(world: World) -> None:
    """Not of their own moment, of the end of those hours still, of no lower grade, and of no other patient."""
    starts = {"PTA0000001": (2, AT), "PTA0000002": (2, AT + timedelta(seconds=1)), "PTA0000003": (2, AT + HORIZON),
              "PTA0000004": (2, AT + HORIZON + timedelta(seconds=1)), "PTA0000005": (1, AT + HOUR), "PTA0000007": (5, AT + HOUR)}
    patients = [*starts, "PTA0000006"]
    audited(world, [("1", patient, AT, index / 10, AT + timedelta(minutes=1)) for index, patient in enumerate(patients)])
    adverse(world, [*((patient, grade, start) for patient, (grade, start) in starts.items()), ("PTA0000009", 1, NOW - HOUR)])
    assert [label for label, _ in known(world)] == [0, 1, 1, 0, 0, 1, 0]
    assert (predictions.HORIZON, predictions.LEAST_GRADE) == (HORIZON, LEAST_GRADE)


def test_trials_of_the_platform_and_what_is_no_record_do_not_count(world: World) -> None:
    """A trial's features are nobody's; bytes that are no JSON, or no text at all, stand in the topic, too, and break nothing."""
    audited(world, [("1", "PTA0000001", AT, 0.1, NOW - HOUR)])
    audited(world, [("1", None, AT, 0.9, NOW - HOUR)] * 3, client="monitoring", first=10)
    name = Name(PREDICTIONS_TOPIC, 0, 20, 21, int((NOW - HOUR).timestamp()) // 3600, EPOCH)
    odd = [{"topic": PREDICTIONS_TOPIC, "partition": 0, "offset": 20 + index, "timestamp": NOW - HOUR, "key": b"", "value": value,
            "headers": []} for index, value in enumerate((b"63b0b694582ed748", b"\xff\xfe"))]
    pq.write_table(pa.Table.from_pylist(odd, SCHEMA), world.folder / "bronze" / name.key)
    found = {check.name: check for check in distribution(world.tables, NOW, LIMITS.predictions).checks}
    assert found["predictions"].value == 1 and found["probability-mean"].value == pytest.approx(0.1, abs=0.001)


def test_what_is_not_over_yet_is_not_judged(world: World) -> None:
    """Until a report of any grade is newer than those 24 hours, "no event" may still become one."""
    audited(world, [("1", "PTA0000001", AT, 0.1, AT), ("1", "PTA0000002", NOW - 20 * HOUR, 0.2, NOW - 20 * HOUR)])
    adverse(world, [("PTA0000009", 1, AT + HORIZON - HOUR)])
    assert known(world) == []
    adverse(world, [("PTA0000009", 1, AT + HORIZON)])
    assert known(world) == [(0, 0.1)]


def test_a_patient_and_moment_count_once(world: World) -> None:
    """The last prediction counts; other versions and predictions of given features do not."""
    minute = timedelta(minutes=1)
    audited(world, [("1", "PTA0000001", AT, 0.1, AT + minute), ("1", "PTA0000001", AT, 0.3, AT + 2 * minute),
                    ("2", "PTA0000001", AT, 0.5, AT + 3 * minute), ("1", None, AT, 0.7, AT + 4 * minute)])
    adverse(world, [("PTA0000009", 1, NOW - HOUR)])
    assert known(world) == [(0, 0.3)] and known(world, "2") == [(0, 0.5)]


def test_performance_without_outcomes_says_so(world: World) -> None:
    """Neither a missing topic nor a missing table is a good model."""
    report = performance(world.tables, "1", NOW, LIMITS.performance)
    assert {check.name: check.status for check in report.checks}["auroc"] is Status.SKIPPED
    assert report.checks[-1].what == "0 positives and 0 negatives; 30 are needed of each"


@pytest.mark.parametrize(("good", "status"), [(True, Status.OK), (False, Status.FAILURE)])
def test_performance_is_judged_with_outcomes_enough(good: bool, status: Status) -> None:
    """A model that knows what comes passes, one that guesses calls for a training."""
    random = np.random.default_rng(1)
    risks = random.beta(0.3, 2.0, 4000)
    labels = (random.random(4000) < risks).astype(np.int64)
    checks = tuple(judged("1", labels, risks if good else random.permutation(risks), LIMITS.performance))
    found = {check.name: check for check in checks}
    assert found["auroc"].status is status and found["labelled-predictions"].value == 4000
    assert sum(name.startswith("calibration-") and name != "calibration-error" for name in found) == 10
    assert bool(model.reason(Report(checks, AT, NOW))) is not good


def test_predictions_are_compared_with_earlier_days(world: World) -> None:
    """By version; one whose probabilities moved asks for a look or fails, and calls for no training by itself."""
    random = np.random.default_rng(2)
    earlier = [("1", None, AT, float(value), NOW - timedelta(days=3) + index * timedelta(seconds=1))
               for index, value in enumerate(random.beta(1, 20, 300))]
    audited(world, [*earlier, *(("1", None, AT, float(value), NOW - HOUR + index * timedelta(seconds=1))
                                for index, value in enumerate(random.beta(5, 10, 200)))])
    report = distribution(world.tables, NOW, LIMITS.predictions)
    found = {check.name: check for check in report.checks}
    assert found["predictions"].value == 200 and found["probability-mean"].value == pytest.approx(1 / 3, abs=0.03)
    assert found["probability-psi"].status is Status.FAILURE and found["high-risk-change"].status is Status.FAILURE
    assert model.reason(report) == ""


def test_a_new_version_has_nothing_to_compare_with(world: World) -> None:
    """Nor has one that predicted little; that is said, with numbers."""
    audited(world, [("2", None, AT, 0.1, NOW - HOUR)])
    report = distribution(world.tables, NOW, LIMITS.predictions)
    check, = (check for check in report.checks if check.name == "probability-psi")
    assert check.status is Status.SKIPPED and "1 predictions now and 0 on earlier days" in check.what


def test_the_evaluation_is_judged() -> None:
    """Figures of the job: below the gate it fails, with few positives it says so, gates that it would not pass are named."""
    def of(auroc: float, positives: int) -> dict[str, Check]:
        result = {"version": 3, "metrics": {"auroc": auroc, "ece": 0.01, "rows": 1000, "positives": positives},
                  "refused": ["sex_auroc_gap"]}
        return {check.name: check for check in evaluation.evaluated(result, LIMITS.performance)}
    assert of(0.84, 60)["auroc"].status is Status.OK and of(0.74, 60)["auroc"].status is Status.FAILURE
    assert of(0.5, 12)["auroc"].status is Status.SKIPPED
    assert "sex_auroc_gap" in of(0.84, 60)["gates-refused"].what and of(0.84, 60)["gates-refused"].status is Status.WARNING


def test_one_training_a_stretch_of_time() -> None:
    """All moments of a day in UTC give one run; the next day gives another."""
    midnight = NOW.replace(hour=0)
    assert model.retraining_run(midnight) == model.retraining_run(midnight + timedelta(hours=23, minutes=59))
    assert model.retraining_run(midnight) != model.retraining_run(midnight + timedelta(days=1))
