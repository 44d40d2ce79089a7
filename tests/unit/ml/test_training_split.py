"""Rules: no patient is in two parts, no label's window reaches into the next part, and a seed decides for good."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pandas as pd
import pytest

from applications.jobs.job import JobError
from applications.ml.training.split import PATIENT_SHARES, Split, part_of, split
from tests.unit.ml.training_frames import labelled

HORIZON = timedelta(hours=24)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return labelled(patients=300, days=20)


def test_no_patient_is_in_two_parts(parts: Split) -> None:
    patients = [set(part["patient_id"]) for _, part in parts.parts()]
    assert all(len(found) > 20 for found in patients)
    assert len(set.union(*patients)) == sum(len(found) for found in patients)


def test_no_label_reaches_over_the_border_to_the_next_part(parts: Split) -> None:
    ordered = [part["event_timestamp"] for _, part in parts.parts()]
    for before, after in pairwise(ordered):
        assert before.max() + HORIZON < after.min()


def test_the_embargo_takes_no_more_than_it_must(frame: pd.DataFrame, parts: Split) -> None:
    """Cut-offs are six hours apart, so a part begins at most six hours after the last window of the part before."""
    for before, after in ((parts.train, parts.validation), (parts.validation, parts.test)):
        assert after["event_timestamp"].min() - before["event_timestamp"].max() <= HORIZON + timedelta(hours=12)
    assert parts.train["event_timestamp"].min() == frame["event_timestamp"].min()
    assert parts.test["event_timestamp"].max() == frame["event_timestamp"].max()


def test_the_shares_of_patients_are_near_those_that_are_wanted() -> None:
    owners = pd.Series([part_of(f"PT{number:08d}", 3) for number in range(5000)]).value_counts(normalize=True)
    assert owners.to_dict() == pytest.approx(PATIENT_SHARES, abs=0.02)


def test_the_order_of_the_rows_makes_no_difference(frame: pd.DataFrame, parts: Split) -> None:
    again = split(frame.sample(frac=1, random_state=1), seed=3)
    for (_, first), (_, second) in zip(parts.parts(), again.parts(), strict=True):
        pd.testing.assert_frame_equal(first, second)


def test_another_seed_holds_other_patients_out(frame: pd.DataFrame, parts: Split) -> None:
    assert set(split(frame, seed=4).test["patient_id"]) != set(parts.test["patient_id"])


def test_rows_of_the_embargo_and_of_other_patients_are_left_out_and_no_row_is_made_up(frame: pd.DataFrame, parts: Split) -> None:
    used = pd.concat([part for _, part in parts.parts()])
    assert len(used) < len(frame)
    assert not used.duplicated(["patient_id", "event_timestamp"]).any()
    assert len(used.merge(frame, on=["patient_id", "event_timestamp", "label"])) == len(used)


def test_a_history_that_is_too_short_is_refused_in_words() -> None:
    with pytest.raises(JobError, match=r"validation part with 0 rows and 0 positives: wait for a longer history"):
        split(labelled(patients=100, days=5), seed=3)


def test_a_part_without_positives_is_refused() -> None:
    frame = labelled(patients=100, days=16)
    with pytest.raises(JobError, match="0 positives"):
        split(frame.assign(label=0), seed=3)
