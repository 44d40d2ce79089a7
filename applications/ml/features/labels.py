"""Labels: did an adverse event of grade 2 or more begin within 24 hours after a cut-off.

A label is known only once it is mature: until somebody has reported on what came after those 24 hours, "no event" may still
become one. The frontier, up to which adverse events are known, is the time of the newest one of any grade.
"""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from applications.ml.features.offline import LABELS_SCHEMA, MOMENT
from applications.ml.features.registry import HORIZON, LEAST_GRADE
from applications.ml.features.rows import MICROSECOND, moment


def frontier(events: pa.Table, now: datetime) -> datetime | None:
    """Up to when adverse events are known; None when there are none. A sender's clock may be ahead of `now`, we never are."""
    newest = pc.max(events["happened"]).as_py()
    return None if newest is None else min(moment(newest), now)


def label_rows(keys: pa.Table, events: pa.Table, known_until: datetime, day: date, created: datetime) -> pa.Table:
    """The labels of those `keys` (patient_id, event_timestamp; all of one day) that are mature. `events` are rows of adverse
    events, of any time and grade."""
    keys = keys.filter(pc.less_equal(keys["event_timestamp"], pa.scalar(known_until - HORIZON, MOMENT)))
    events = events.filter(pc.greater_equal(events["grade"], LEAST_GRADE))
    cutoffs = keys["event_timestamp"].cast(pa.int64()).to_numpy()
    label = np.zeros(len(keys), dtype=np.int32)
    begins: dict[str, list[int]] = {}
    for patient, start in zip(events["patient_id"].to_pylist(), events["start"].to_pylist(), strict=True):
        begins.setdefault(patient, []).append(start)
    horizon = HORIZON // MICROSECOND
    for place, (patient, cutoff) in enumerate(zip(keys["patient_id"].to_pylist(), cutoffs.tolist(), strict=True)):
        label[place] = any(cutoff < start <= cutoff + horizon for start in begins.get(patient, ()))
    stamp = pa.repeat(pa.scalar(created, MOMENT), len(keys))
    return pa.table([keys["patient_id"], keys["event_timestamp"], pa.array(label), stamp,
                     pa.repeat(pa.scalar(day, pa.date32()), len(keys))], schema=LABELS_SCHEMA)
