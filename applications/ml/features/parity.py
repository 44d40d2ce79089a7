"""Parity: what is served equals what the definitions say, value by value.

The online values are compared with features that are computed from the silver tables themselves, as they were when the
values were written: without anything that the service keeps, and without leaving rows out. What differs then is a fault.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pyarrow.dataset as ds

from applications.clinical.models import EventType
from applications.ml.features.computation import Patients
from applications.ml.features.lake import Lake
from applications.ml.features.online import OnlineFeatures, as_values
from applications.ml.features.registry import NAMES
from applications.ml.features.rows import Database
from applications.ml.features.silver import find, nothing, read
from applications.ml.features.state import Published

LASTING = (EventType.LAB_RESULTS, EventType.DEMOGRAPHICS)
COMPUTED = (EventType.PATIENT_VITALS, EventType.MEDICATIONS, *LASTING)


@dataclass
class Comparison:
    """Patients and values that were compared, and how many differ of each feature. A patient who is only in one of both
    counts as `missing` once for the side that lacks him."""

    cutoff: str
    patients: int = 0
    compared: int = 0
    mismatches: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, Any]:
        """As a job tells it."""
        return {"cutoff": self.cutoff, "patients": self.patients, "compared": self.compared, "mismatches": dict(self.mismatches)}


def compare(lake: Lake, online: OnlineFeatures, published: Published, most: int) -> Comparison:
    """Compares at most `most` patients of the latest write to the online store. Raises LakeError, OnlineStoreError."""
    chosen = _patients(lake, published, most)
    expected = {row["patient_id"]: as_values(row) for row in _computed(lake, published, chosen)}
    snapshots = {patient: snapshot for patient, snapshot in online.read(sorted(expected)).items()
                 if snapshot.cutoff == published.cutoff}
    found = Comparison(published.cutoff.isoformat(), patients=len(expected))
    for patient, values in expected.items():
        if patient not in snapshots:
            found.mismatches["(the patient is not online at this cut-off)"] += 1
            continue
        served = snapshots[patient].values
        found.compared += len(NAMES)
        found.mismatches.update(name for name in NAMES if served[name] != values[name])
    return found


def _patients(lake: Lake, published: Published, most: int) -> list[str]:
    """Patients with vital signs in the day and the day before, in the order of ids."""
    silver = find(lake, EventType.PATIENT_VITALS, published.versions[EventType.PATIENT_VITALS])
    files = [file for day in _two_days(published) for file in silver.files.get(day, ())]
    if not files:
        return []
    ids: set[str] = set()
    for batch in read(lake, EventType.PATIENT_VITALS, files):
        ids.update(batch["patient_id"].unique().to_pylist())
    return sorted(ids)[:most]


def _computed(lake: Lake, published: Published, chosen: list[str]) -> list[Mapping[str, Any]]:
    rows = {}
    with Database() as database:
        for kind in COMPUTED:
            silver = find(lake, kind, published.versions[kind])
            days = [day for day in silver.files if kind in LASTING or day in _two_days(published)]
            files = [file for day in days for file in silver.files[day]]
            mine = ds.field("patient_id").isin(chosen)
            rows[kind] = database.rows(kind, read(lake, kind, files, mine)) if files else nothing(kind)
    frame = Patients(rows).at(published.cutoff)
    found: list[Mapping[str, Any]] = frame.to_dict("records")
    return found


def _two_days(published: Published) -> tuple[date, date]:
    today = published.cutoff.date()
    return today - timedelta(days=1), today
