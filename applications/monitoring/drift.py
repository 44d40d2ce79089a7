"""Drift: do the features of the newest cut-offs look like those that the champion learned from?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from applications.monitoring.champion import Champion
from applications.monitoring.findings import Check, Report, Status, above
from applications.monitoring.statistics import Numbers, ks, psi, psi_of_counts
from applications.monitoring.tables import Span, Tables, columns_of, count
from applications.monitoring.thresholds import Drift

TABLE = "gold/features/patient"
NO_FEATURES = ("patient_id", "event_timestamp", "created_timestamp", "date")
_NEWEST = "SELECT epoch(max(event_timestamp)) FROM rows"


def drift(tables: Tables, trained: Champion, now: datetime, limits: Drift) -> Report:
    """For each feature its stability index, its distance (numbers) and the change of its share of nulls; last `drifted-share`,
    by which the model is judged. Single features ask for a look at most. Raises LakeError.
    """
    recent = tables.rows(TABLE, pc.field("date") >= pa.scalar((now - 2 * timedelta(hours=limits.current_hours)).date()))
    newest = None if recent is None else count(_NEWEST, rows=recent)[0][0]
    if recent is None or newest is None:
        begin = now - timedelta(hours=limits.current_hours)
        return Report((_unjudged(f"no cut-off of the last {2 * limits.current_hours:g} hours has features: see the jobs of "
                                 "feature-engineering", limits),), begin, now)
    last = datetime.fromtimestamp(newest, UTC)
    # The cut-offs of so many hours, the newest one counted in.
    current = Span(last - timedelta(hours=limits.current_hours) + timedelta(microseconds=1), last + timedelta(microseconds=1))
    reference = _rows(tables, trained.trained_on)
    return Report(tuple(compare(reference, _rows(tables, current), limits)), current.begin, current.end)


def compare(reference: pa.Table, current: pa.Table, limits: Drift) -> Iterator[Check]:
    """The checks of two tables of features with the same columns: doubles are numbers, strings are categories."""
    fewest = min(reference.num_rows, current.num_rows)
    if fewest < limits.least_rows:
        yield _unjudged(f"{reference.num_rows} rows of the training window and {current.num_rows} of now; {limits.least_rows} are "
                        "needed of each", limits)
        return
    reference = _thinned(reference, limits.most_reference_rows)
    drifted: list[str] = []
    judged = 0
    for name in reference.schema.names:
        checks = list(_of_feature(name, reference[name], current[name], limits))
        if name in limits.not_judged:
            yield from (_told(check) for check in checks)
            continue
        judged += 1
        if any(check.status is Status.FAILURE for check in checks):
            drifted.append(name)
        yield from (_asking_for_a_look(check) for check in checks)
    share = len(drifted) / judged if judged else 0.0
    limit = limits.drifted_share
    yield Check("drifted-share", TABLE, above(share, limit.warning, limit.failure), round(share, 4), limit.failure,
                f"{len(drifted)} of {judged} features drifted{_named(drifted)}", "drift")


def _of_feature(name: str, reference: pa.ChunkedArray, current: pa.ChunkedArray, limits: Drift) -> Iterator[Check]:
    missing = [pc.mean(pc.is_null(values, nan_is_null=True).cast(pa.float64())).as_py() for values in (reference, current)]
    change = abs(missing[1] - missing[0])
    yield _check("null-share-change", name, change, limits.null_share_change.warning, limits.null_share_change.failure,
                 f"{missing[1]:.1%} have no value, {missing[0]:.1%} had none")
    known = [pc.drop_null(values) for values in (reference, current)]
    if pa.types.is_floating(reference.type):
        numbers = [_finite(values) for values in known]
        if min(map(len, numbers)) < limits.least_rows:
            yield Check("psi", TABLE, Status.SKIPPED, None, limits.psi.failure, "too few values to compare", "drift", name)
            return
        distance, chance = ks(*numbers)
        # Of many rows a tiny distance is significant, of few rows a great one is chance: both must speak.
        counted = distance if chance < limits.p_value else 0.0
        status = above(counted, limits.ks.warning, limits.ks.failure)
        yield Check("ks", TABLE, status, round(distance, 4), limits.ks.failure, f"distance {distance:.3f}, p {chance:.2g}",
                    "drift", name)
        index = psi(numbers[0], numbers[1], limits.bins)
        yield _check("psi", name, index, limits.psi.warning, limits.psi.failure, "stability index")
    elif min(map(len, known)) >= limits.least_rows:
        counts = [Counter(values.to_pylist()) for values in known]
        yield _check("psi", name, psi_of_counts(*counts), limits.psi.warning, limits.psi.failure, "stability index")


def _check(name: str, feature: str, value: float, warning: float, failure: float, what: str) -> Check:
    return Check(name, TABLE, above(value, warning, failure), round(value, 4), failure, what, "drift", feature)


def _told(check: Check) -> Check:
    """Of a feature that is reported only."""
    return Check(check.name, check.table, Status.SKIPPED, check.value, None, f"not judged; {check.what}", check.theme, check.part)


def _asking_for_a_look(check: Check) -> Check:
    """One feature alone makes no failure: the share of them does."""
    status = Status.WARNING if check.status is Status.FAILURE else check.status
    return Check(check.name, check.table, status, check.value, check.limit, check.what, check.theme, check.part)


def _unjudged(why: str, limits: Drift) -> Check:
    return Check("drifted-share", TABLE, Status.SKIPPED, None, limits.drifted_share.failure, why, "drift")


def _named(drifted: list[str], most: int = 5) -> str:
    if not drifted:
        return ""
    return f": {', '.join(drifted[:most])}{f' and {len(drifted) - most} more' if len(drifted) > most else ''}"


def _rows(tables: Tables, span: Span) -> pa.Table:
    days = (pc.field("date") >= pa.scalar(span.begin.date())) & (pc.field("date") <= pa.scalar(span.end.date()))
    dataset = tables.rows(TABLE, days & span.within("event_timestamp"))
    assert dataset is not None  # its newest cut-off was read before
    return columns_of(dataset, [name for name in dataset.schema.names if name not in NO_FEATURES])


def _thinned(rows: pa.Table, most: int) -> pa.Table:
    if rows.num_rows <= most:
        return rows
    return rows.take(pa.array(np.linspace(0, rows.num_rows - 1, most).astype(np.int64)))


def _finite(values: pa.ChunkedArray) -> Numbers:
    found: Numbers = values.to_numpy(zero_copy_only=False) if isinstance(values, pa.Array) else values.to_numpy()
    return found[np.isfinite(found)]
