"""Who and when is learned from, and who and when is judged: disjoint patients, and time in between.

A patient belongs to one part only. Time goes forward from training over validation to test, and no label's window of 24 hours
reaches over the border to the next part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pandas as pd

from applications.jobs.job import JobError

TRAIN, VALIDATION, TEST = "train", "validation", "test"
PATIENT_SHARES = {TRAIN: 0.40, VALIDATION: 0.20, TEST: 0.40}
TIME_ENDS = {TRAIN: 0.45, VALIDATION: 0.60, TEST: 1.0}
"""Where each part ends, as a share of the time from the first cut-off to the last."""
EMBARGO = timedelta(hours=24)
"""The length of a label's window."""
KEY, TIME, LABEL = "patient_id", "event_timestamp", "label"


@dataclass(frozen=True)
class Split:
    """The parts of a training frame, each ordered by patient and cut-off."""

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame

    def parts(self) -> Iterator[tuple[str, pd.DataFrame]]:
        """Every part with its name."""
        yield from ((TRAIN, self.train), (VALIDATION, self.validation), (TEST, self.test))

    def description(self) -> dict[str, Any]:
        """Of each part: rows, positives, patients, first and last cut-off."""
        return {name: {"rows": len(part), "positives": int(part[LABEL].sum()), "patients": int(part[KEY].nunique()),
                       "first": part[TIME].min().isoformat(), "last": part[TIME].max().isoformat()}
                for name, part in self.parts()}


def split(frame: pd.DataFrame, seed: int) -> Split:
    """Splits a frame with patient_id, event_timestamp (UTC) and label. About a quarter of the rows stays out of every part.

    Raises JobError when a part would have no positives or no negatives: the history is too short then, or has too few patients.
    """
    owner = frame[KEY].map({patient: part_of(patient, seed) for patient in frame[KEY].unique()})
    first, last = frame[TIME].min(), frame[TIME].max()
    parts, begin = {}, first - EMBARGO
    for name, share in TIME_ENDS.items():
        end = first + share * (last - first)
        latest = last if name == TEST else end - EMBARGO
        inside = (owner == name) & (frame[TIME] > begin) & (frame[TIME] <= latest)
        parts[name] = frame[inside].sort_values([KEY, TIME], kind="stable", ignore_index=True)
        begin = end
    for name, part in parts.items():
        if part[LABEL].nunique() < 2:
            raise JobError(f"the labelled features, {len(frame)} rows from {first} to {last}, leave the {name} part with "
                           f"{len(part)} rows and {int(part[LABEL].sum())} positives: wait for a longer history or more patients "
                           "(the parts take 45, 15 and 40 % of the time, less a day between them)")
    return Split(**parts)


def part_of(patient: str, seed: int) -> str:
    """The part that a patient belongs to; with one seed always the same."""
    digest = hashlib.blake2b(f"{seed}|{patient}".encode(), digest_size=8).digest()
    place = int.from_bytes(digest, "big") / 2**64
    if place < PATIENT_SHARES[TRAIN]:
        return TRAIN
    return VALIDATION if place < PATIENT_SHARES[TRAIN] + PATIENT_SHARES[VALIDATION] else TEST
