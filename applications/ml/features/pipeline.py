"""From silver to features and labels: what is new is read, and what follows from it is computed again, day by day."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa

from applications.clinical.models import EventType
from applications.ml.features.computation import Patients
from applications.ml.features.labels import frontier, label_rows
from applications.ml.features.lake import FEATURES_TABLE, LABELS_TABLE, Lake
from applications.ml.features.mirror import Change, History, Mirror
from applications.ml.features.offline import Offline, feature_rows
from applications.ml.features.registry import HORIZON, VERSION
from applications.ml.features.rows import Cuts, Database
from applications.ml.features.silver import Silver, nothing
from applications.ml.features.state import Published, StateFile
from applications.runtime.logs import log

WINDOWED = (EventType.PATIENT_VITALS, EventType.MEDICATIONS)
LASTING = (EventType.LAB_RESULTS, EventType.DEMOGRAPHICS)
ACTIVITY = (EventType.PATIENT_VITALS, EventType.LAB_RESULTS)
A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Done:
    """What was computed: days that were replaced, and rows that they have now."""

    days: int = 0
    rows: int = 0

    def __add__(self, other: Done) -> Done:
        return Done(self.days + other.days, self.rows + other.rows)

    def as_dict(self) -> dict[str, int]:
        """As a job tells it."""
        return {"days": self.days, "rows": self.rows}


class Pipeline:
    """One run at `now` (whole seconds): everything up to then, nothing after it. Use `opened`.

    `refresh` first; then `features`, `labels` and `active` work on what was read.
    """

    def __init__(self, lake: Lake, folder: Path, database: Database, now: datetime, step: timedelta) -> None:
        self.now, self._lake, self._offline = now, lake, Offline(lake)
        self._cuts = Cuts(step, now)
        self._mirror = Mirror(folder, lake, database, self._cuts)
        self._history = History(folder, self._mirror, database, self._cuts)
        self._file = StateFile(folder / "state.json")
        self._state = self._file.load(f"{VERSION} every {step}")
        self._silver: Mapping[EventType, Silver] = {}

    def refresh(self) -> None:
        """Reads what is new in silver, and notes what follows from it. Raises LakeError."""
        if self._state.features_until is None and self._state.features_from is None:
            for kind in (*WINDOWED, *LASTING):
                for day in self._mirror.days(kind)[:1]:
                    # The tables are to be made anew, though silver was read before.
                    self._state.features_again(_midnight(day))
        self._silver = self._mirror.refresh(self._note)

    def again(self, first: date, last: date) -> None:
        """Has some days of silver read again, and their features and labels computed again."""
        self._mirror.forget(first, last)
        for kind in LASTING:
            self._history.forget_after(kind, first)

    def features(self) -> Done:
        """Computes the features of all cut-offs that are missing or see something new. Raises LakeError."""
        last, state = self._cuts.last_until(self.now), self._state
        missing = [state.features_until + self._cuts.step] if state.features_until else []
        again = [self._cuts.first_from(state.features_from)] if state.features_from else []
        first = min([*missing, *again], default=None)
        if first is None or first > last:
            return Done()
        state.features_again(first)
        state.labels_again(_midnight(first.date()))
        self._file.save(state)
        done = Done()
        for day in _days(first.date(), last.date()):
            done += self.features_of(day)
            state.features_from = _midnight(day + A_DAY)
            self._file.save(state)
        state.features_from, state.features_until = None, last
        self._file.save(state)
        return done

    def features_of(self, day: date) -> Done:
        """Replaces the features of a day. Raises LakeError."""
        # While a history is on its way most days have nobody yet.
        if not self._mirror.any(ACTIVITY, (day - A_DAY, day)) and day not in self._offline.days(FEATURES_TABLE):
            return Done()
        patients = Patients(self._rows(day))
        cutoffs = self._cutoffs(day, self.now)
        found = feature_rows([(cutoff, patients.at(cutoff)) for cutoff in cutoffs], day, self.now)
        self._offline.replace(FEATURES_TABLE, day, found)
        log.info("features-day", day=day.isoformat(), rows=len(found))
        return Done(1, len(found))

    def labels(self) -> Done:
        """Computes the labels that are newly mature or see another adverse event. Raises LakeError."""
        events, state = self._adverse_events(), self._state
        known_until = frontier(events, self.now)
        if known_until is None:
            return Done()
        last = self._cuts.last_until(known_until - HORIZON)
        missing = [state.labels_until + self._cuts.step] if state.labels_until else []
        again = [self._cuts.first_from(state.labels_from)] if state.labels_from else []
        first = min([*missing, *again], default=None)
        if first is None or first > last:
            return Done()
        state.labels_again(first)
        self._file.save(state)
        done = Done()
        for day in _days(first.date(), last.date()):
            done += self.labels_of(day, events, known_until)
        state.labels_from, state.labels_until = None, last
        self._file.save(state)
        return done

    def labels_of(self, day: date, events: pa.Table | None = None, known_until: datetime | None = None) -> Done:
        """Replaces the labels of a day. Raises LakeError."""
        events = self._adverse_events() if events is None else events
        known_until = known_until or frontier(events, self.now)
        if known_until is None:
            return Done()
        rows = label_rows(self._offline.keys(day), events, known_until, day, self.now)
        if not len(rows) and day not in self._offline.days(LABELS_TABLE):
            return Done()
        self._offline.replace(LABELS_TABLE, day, rows)
        log.info("labels-day", day=day.isoformat(), rows=len(rows))
        return Done(1, len(rows))

    def active(self) -> pd.DataFrame:
        """The features at `now` of every patient who was active in the last 24 hours."""
        return Patients(self._rows(self.now.date())).at(self.now)

    def published(self) -> None:
        """Notes that `active` is in the online store."""
        versions = {str(kind): silver.version for kind, silver in self._silver.items()}
        self._state.published = Published(cutoff=self.now, versions=versions)
        self._file.save(self._state)

    def latest_published(self) -> Published | None:
        """The latest write to the online store that was noted."""
        return self._state.published

    def clean(self) -> None:
        """Removes files that no reader of the tables can still need."""
        self._offline.clean()

    def _note(self, change: Change) -> None:
        if change.kind is EventType.ADVERSE_EVENTS:
            self._state.labels_again(change.since)
        else:
            self._state.features_again(change.since)
        if change.kind in LASTING:
            self._history.forget_after(change.kind, change.day)
        self._file.save(self._state)

    def _rows(self, day: date) -> dict[EventType, pa.Table]:
        """The rows that any cut-off of a day may need."""
        before = {kind: self._mirror.day(kind, day - A_DAY) for kind in WINDOWED}
        before |= {kind: self._history.before(kind, day) for kind in LASTING}
        return {kind: pa.concat_tables([rows, self._mirror.day(kind, day)]) for kind, rows in before.items()}

    def _adverse_events(self) -> pa.Table:
        kind = EventType.ADVERSE_EVENTS
        return pa.concat_tables([nothing(kind), *(self._mirror.day(kind, day) for day in self._mirror.days(kind))])

    def _cutoffs(self, day: date, end: datetime) -> list[datetime]:
        begin, step = _midnight(day), self._cuts.step
        return [begin + number * step for number in range(A_DAY // step) if begin + number * step <= end]


@contextlib.contextmanager
def opened(lake: Lake, folder: Path, *, now: datetime, step: timedelta, memory_mb: int) -> Iterator[Pipeline]:
    """A pipeline on a service's folder, which one run at a time may use: a second one waits."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock, Database(memory_mb, folder / "spill") as database:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Pipeline(lake, folder, database, now.replace(microsecond=0), step)


def _days(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += A_DAY


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
