"""What ml-training reads of the lake: the state of the labels, and the labelled features."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow.compute as pc

from applications.jobs.job import JobError
from applications.ml.features.lake import LABELS_TABLE, Lake, LakeError
from applications.ml.features.offline import TrainingFrame, training_frame
from applications.ml.features.registry import VITALS

VITALS_OF_A_DAY = [f"{vital.column}_mean_24h" for vital in VITALS]


@dataclass(frozen=True)
class LabelState:
    """How many labelled cut-offs there are, how many of them are positive, and the newest; of its rows, the share of patients
    whose vital signs are known."""

    rows: int
    positives: int
    newest: datetime
    with_vitals: float = 1.0


def label_state(lake: Lake) -> LabelState | None:
    """The state of the labels; None while there are none. Raises LakeError when the lake is away."""
    table = lake.table(LABELS_TABLE)
    if table is None:
        return None
    try:
        rows = table.to_pyarrow_table(columns=["event_timestamp", "label"])
    except OSError as error:
        raise LakeError(f"the table {LABELS_TABLE} cannot be read ({type(error).__name__}): is the object store up?") from error
    if not rows.num_rows:
        return None
    newest: datetime = pc.max(rows["event_timestamp"]).as_py()
    newest = newest.astimezone(UTC)
    return LabelState(rows.num_rows, int(pc.sum(rows["label"]).as_py()), newest, _with_vitals(lake, newest))


def _with_vitals(lake: Lake, cutoff: datetime) -> float:
    data = training_frame(lake, cutoff, cutoff + timedelta(microseconds=1))
    if data is None or data.frame.empty:
        return 0.0
    return float(data.frame[VITALS_OF_A_DAY].notna().any(axis=1).mean())


def labelled_features(lake: Lake, days: int) -> TrainingFrame:
    """The labelled cut-offs of the latest days up to the newest one, with their features. Raises JobError while there are none,
    LakeError when the lake is away.
    """
    state = label_state(lake)
    data = None if state is None else training_frame(lake, state.newest - timedelta(days=days))
    if data is None or data.frame.empty:
        raise JobError("there are no labelled features yet: wait until feature-engineering has computed some")
    return data
