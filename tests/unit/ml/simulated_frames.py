"""Labelled features of simulated patients, computed by feature-engineering's own code from the simulator's events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from applications.clinical.models import EventType
from applications.clinical.simulation import Simulation
from applications.clinical.terminology import BY_CODE
from applications.ml.features.computation import Patients
from applications.ml.features.rows import SOURCES, Database
from applications.ml.features.silver import columns

START = datetime(2026, 3, 1, tzinfo=UTC)
GRID, HORIZON = timedelta(hours=6), timedelta(hours=24)
LEAST_GRADE = 2


def simulated(patients: int, days: int, *, seed: int = 7, vitals_minutes: float) -> pd.DataFrame:
    """patient_id, event_timestamp every 6 hours, every feature, label. The last day has no labels and is left out."""
    simulation = Simulation(seed=seed, patients=patients, start=START, vitals_minutes=vitals_minutes)
    end = START + timedelta(days=days)
    silver: dict[EventType, list[dict[str, Any]]] = {kind: [] for kind in SOURCES}
    for event in simulation.events(end):
        silver[EventType(event["event_type"])].append(_flat(event))
    with Database(512, "") as database:
        rows = {kind: database.rows(kind, pa.Table.from_pylist(found, schema=columns(kind)).to_reader())
                for kind, found in silver.items()}
    onsets = _onsets(silver[EventType.ADVERSE_EVENTS])
    computed = Patients({kind: table for kind, table in rows.items() if kind is not EventType.ADVERSE_EVENTS})
    return pd.concat([_labelled(computed.at(cutoff), cutoff, onsets) for cutoff in _grid(end)], ignore_index=True)


def _grid(end: datetime) -> Iterator[datetime]:
    cutoff = START + HORIZON
    while cutoff + HORIZON <= end:
        yield cutoff
        cutoff += GRID


def _labelled(frame: pd.DataFrame, cutoff: datetime, onsets: Mapping[str, Any]) -> pd.DataFrame:
    def label(patient: str) -> int:
        starts = onsets.get(patient)
        return int(starts is not None and ((starts > cutoff.timestamp()) & (starts <= (cutoff + HORIZON).timestamp())).any())
    frame.insert(1, "event_timestamp", pd.Timestamp(cutoff).as_unit("us"))
    return frame.assign(label=frame["patient_id"].map(label).astype(np.int64))


def _onsets(events: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, list[float]] = {}
    for event in events:
        if event["grade"] >= LEAST_GRADE:
            found.setdefault(event["patient_id"], []).append(event["start_time"].timestamp())
    return {patient: np.array(starts) for patient, starts in found.items()}


def _flat(event: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of silver that features are made of. The simulator sends canonical units."""
    payload = event["payload"]
    own: dict[str, Any] = {**payload}
    if "measurements" in payload:
        own = {BY_CODE[found["code"]].column: found["value"] for found in payload["measurements"]}
    elif "code" in payload:
        own = {"analyte": BY_CODE[payload["code"]].column, "value": payload["value"]}
    elif "start" in payload:
        own = {"start_time": _time(payload["start"]), "grade": payload["grade"]}
    elif "enrolment_date" in payload:
        own["enrolment_date"] = datetime.fromisoformat(payload["enrolment_date"]).date()
    return {"patient_id": event["patient_id"], "event_id": event["event_id"], "trial_arm": event["trial_arm"],
            "event_time": _time(event["event_time"]), "recorded_time": _time(event["recorded_time"]), **own}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
