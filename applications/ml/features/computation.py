"""The features of patients at a cut-off: the one computation, for the table, for the online store and for their comparison.

An event counts at cut-off t iff it happened and was recorded by then; windows are (t - w, t]. What a patient lacks is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from applications.clinical.models import EventType
from applications.ml.features.registry import LABS, LONGEST_WINDOW, NAMES, STATISTICS, VITALS, WINDOWS
from applications.ml.features.rows import BUCKET, MICROSECOND, micros
from applications.ml.features.windows import Real, Whole, ends, statistics

HOUR = timedelta(hours=1) // MICROSECOND
DAY = 24 * HOUR
LONGEST = LONGEST_WINDOW // MICROSECOND


@dataclass(frozen=True)
class _Events:
    """Rows of one kind in the order of patients, with numbers for patients."""

    patient: Whole
    happened: Whole
    known: Whole
    item: Whole
    values: Mapping[str, Any]

    def where(self, chosen: Any) -> _Events:
        return _Events(self.patient[chosen], self.happened[chosen], self.known[chosen], self.item[chosen],
                       {name: value[chosen] for name, value in self.values.items()})

    def seen(self, cutoff: int) -> _Events:
        return self.where(self.known <= cutoff)


class Patients:
    """The patients of whom there are vital signs or laboratory results, and their events.

    `rows` are those of `applications.ml.features.rows`, of each type but adverse events; more than is needed does no harm,
    in any order.
    """

    def __init__(self, rows: Mapping[EventType, pa.Table]) -> None:
        vitals, labs = rows[EventType.PATIENT_VITALS], rows[EventType.LAB_RESULTS]
        ids = pc.unique(pa.chunked_array([*vitals["patient_id"].chunks, *labs["patient_id"].chunks], pa.string()))
        self._ids = ids.take(pc.sort_indices(ids))
        in_time = ("patient_id", "happened", "event_id")
        wide = self._events(vitals, in_time, [vital.column for vital in VITALS])
        self._vitals = {name: _Events(wide.patient[there], wide.happened[there], wide.known[there], wide.item[there],
                                      {"value": value[there]})
                        for name, value in wide.values.items() for there in [~np.isnan(value)]}
        names = pa.array([lab.column for lab in LABS])
        self._labs = self._events(labs, ("patient_id", "item", "happened", "event_id"), ["value"], "item", names)
        self._first_labs = self._events(labs, ("patient_id", "item", "known", "happened", "event_id"), ["value"], "item", names)
        given = rows[EventType.MEDICATIONS]
        self._given = self._events(given, in_time, ["high_risk"], "drug", pc.unique(given["drug"]))
        self._facts = self._events(rows[EventType.DEMOGRAPHICS], in_time, ["age", "sex", "trial_arm", "enrolled"])

    def at(self, cutoff: datetime) -> pd.DataFrame:
        """The features of every patient who has a vital sign or a laboratory result in the 24 hours before: `patient_id` and
        NAMES, in the order of ids. Numbers are NaN and categories None where they are missing.
        """
        now = micros(cutoff)
        found: dict[str, Any] = {}
        active = np.zeros(len(self._ids), dtype=bool)
        for vital in VITALS:
            events = self._vitals[vital.column].seen(now)
            events = events.where(events.happened > now - LONGEST)
            active[events.patient] = True
            events = events.where(ends(events.patient, -(-events.happened // BUCKET)))
            for window, length in WINDOWS.items():
                inside = events.where(events.happened > now - length // MICROSECOND)
                of_all = statistics(inside.patient, (inside.happened - now) / HOUR, inside.values["value"], len(self._ids))
                found |= {f"{vital.column}_{name}_{window}": of_all[name] for name in STATISTICS}
        labs = self._labs.seen(now)
        active[labs.patient[labs.happened > now - LONGEST]] = True
        found |= self._of_labs(labs, self._first_labs.seen(now), now)
        found |= self._of_medications(now)
        found |= self._of_demographics(now)
        found |= _derived(found)
        frame = pd.DataFrame({name: found[name][active] for name in NAMES})
        frame.insert(0, "patient_id", np.asarray(self._ids.to_pylist(), dtype=object)[active])
        return frame

    def _of_labs(self, labs: _Events, first: _Events, now: int) -> dict[str, Real]:
        found = {}
        latest = labs.where(ends(labs.patient, labs.item))
        # The first of each run is the one after the end of the run before.
        begins = np.append(0, ends(first.patient, first.item)[:-1] + 1) if len(first.patient) else slice(0)
        baseline = first.where(begins)
        for item, lab in enumerate(LABS):
            mine, before = latest.where(latest.item == item), baseline.where(baseline.item == item)
            found[f"{lab.column}_latest"] = self._spread(mine.patient, mine.values["value"])
            found[f"{lab.column}_change"] = self._spread(mine.patient, mine.values["value"] - before.values["value"])
            found[f"{lab.column}_age_days"] = self._spread(mine.patient, (now - mine.happened) / DAY)
        return found

    def _of_medications(self, now: int) -> dict[str, Real]:
        given = self._given.seen(now)
        given = given.where(given.happened > now - LONGEST)
        drugs = np.unique(np.stack([given.patient, given.item]), axis=1)[0]
        risky = given.patient[given.values["high_risk"]]
        return {"medication_count_24h": np.bincount(drugs, minlength=len(self._ids)).astype(float),
                "high_risk_medication_24h": (np.bincount(risky, minlength=len(self._ids)) > 0).astype(float)}

    def _of_demographics(self, now: int) -> dict[str, Any]:
        facts = self._facts.seen(now)
        latest = facts.where(ends(facts.patient))
        return {"age": self._spread(latest.patient, latest.values["age"]),
                "sex": self._spread(latest.patient, latest.values["sex"]),
                "trial_arm": self._spread(latest.patient, latest.values["trial_arm"]),
                "days_since_enrolment": self._spread(latest.patient, (now - latest.values["enrolled"]) / DAY)}

    def _spread(self, patient: Whole, value: Any) -> Any:
        """One value a patient, missing for those who have none."""
        words = value.dtype == object
        found = np.full(len(self._ids), None if words else np.nan, dtype=value.dtype)
        found[patient] = value
        return found

    def _events(self, table: pa.Table, order: tuple[str, ...], values: list[str], item: str | None = None,
                items: Any = None) -> _Events:
        table = table.filter(pc.is_in(table["patient_id"], value_set=self._ids))
        table = table.sort_by([(name, "ascending") for name in order])
        patient = pc.index_in(table["patient_id"], value_set=self._ids).to_numpy().astype(np.int64)
        numbers = pc.index_in(table[item], value_set=items).to_numpy().astype(np.int64) if item else np.zeros_like(patient)
        return _Events(patient, table["happened"].to_numpy(), table["known"].to_numpy(), numbers,
                       {name: _plain(table[name]) for name in values})


def _plain(column: pa.ChunkedArray) -> Any:
    if pa.types.is_string(column.type):
        return np.asarray(column.to_pylist(), dtype=object)
    if pa.types.is_boolean(column.type):
        return column.to_numpy()
    return column.cast(pa.float64(), safe=False).to_numpy()


def _derived(found: Mapping[str, Real]) -> dict[str, Real]:
    systolic, diastolic = found["systolic_mean_6h"], found["diastolic_mean_6h"]
    rate = found["heart_rate_mean_6h"]
    with np.errstate(divide="ignore", invalid="ignore"):
        shock = np.where(systolic > 0, rate / systolic, np.nan)
    return {"pulse_pressure_6h": systolic - diastolic, "mean_arterial_pressure_6h": (systolic + 2 * diastolic) / 3,
            "shock_index_6h": shock}
