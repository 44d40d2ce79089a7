"""What a check found, and a report of several."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How a check ended; in rising order of what it asks for. A `skipped` one could not be judged, and says why."""

    SKIPPED = "skipped"
    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


_ORDER = list(Status)


@dataclass(frozen=True)
class Check:
    """One check: its name (kebab-case), the table it looked at, how it ended, what was measured and against which limit, and a
    sentence for people (`what`). Neither holds an id or a value of a patient. None stands for what could not be measured.
    """

    name: str
    table: str
    status: Status
    value: float | None
    limit: float | None
    what: str
    theme: str = ""
    """What it belongs to, such as `completeness`."""
    part: str = ""
    """The column, feature, reason or model version that it is of, where it is of one."""

    def __str__(self) -> str:
        return f"{self.table}: {self.name}{f' of {self.part}' if self.part else ''}: {self.what}"

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {"theme": self.theme, "name": self.name, "table": self.table, "part": self.part, "status": str(self.status),
                "value": self.value, "limit": self.limit, "what": self.what}


@dataclass(frozen=True)
class Report:
    """The checks of a stretch of time, from `begin` up to, and not including, `end` (UTC)."""

    checks: tuple[Check, ...]
    begin: datetime
    end: datetime

    @property
    def status(self) -> Status:
        """The worst of the checks; `skipped` where there are none."""
        return max((check.status for check in self.checks), key=_ORDER.index, default=Status.SKIPPED)

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(self.of(Status.FAILURE))

    def of(self, status: Status) -> Iterator[Check]:
        """The checks that ended so."""
        return (check for check in self.checks if check.status is status)

    def counts(self) -> dict[str, Any]:
        """How it ended, and how many checks ended how."""
        return {"status": str(self.status), **{str(status): sum(1 for _ in self.of(status)) for status in Status}}

    def summary(self) -> dict[str, Any]:
        """A few words and numbers, small enough for an XCom."""
        return {**self.counts(), "begin": self.begin.isoformat(), "end": self.end.isoformat(),
                "failures": [str(check) for check in self.failures]}

    def words(self) -> str:
        """The failures, one a line; empty where there are none."""
        return "\n".join(map(str, self.failures))


def above(value: float | None, warning: float, failure: float) -> Status:
    """How a value is judged of which less is better; nothing is skipped silently: None and NaN are `skipped`."""
    if value is None or math.isnan(value):
        return Status.SKIPPED
    return Status.FAILURE if value > failure else Status.WARNING if value > warning else Status.OK
