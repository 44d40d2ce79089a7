"""How far both tables are, kept beside what was read of silver. Without it everything is computed again."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ValidationError

from applications.jobs.job import JobError


class Published(BaseModel):
    """The latest write to the online store: its cut-off, and the versions of the silver tables that it saw."""

    cutoff: datetime
    versions: dict[str, int]


class State(BaseModel):
    """`*_until` is the last cut-off that a table has, `*_from` the first that must be computed again. `definitions` are those
    that this holds for."""

    definitions: str
    features_from: datetime | None = None
    features_until: datetime | None = None
    labels_from: datetime | None = None
    labels_until: datetime | None = None
    published: Published | None = None

    def features_again(self, since: datetime) -> None:
        """Features from a moment on must be computed again."""
        self.features_from = min(since, self.features_from or since)

    def labels_again(self, since: datetime) -> None:
        """Labels of cut-offs from a moment on must be computed again."""
        self.labels_from = min(since, self.labels_from or since)


class StateFile:
    """The state on disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self, definitions: str) -> State:
        """The state; a new one when there is none, or when it was that of other definitions. Raises JobError for a file that
        is none."""
        if not self._path.exists():
            return State(definitions=definitions)
        try:
            state = State.model_validate_json(self._path.read_bytes())
        except ValidationError as error:
            raise JobError(f"{self._path} is damaged: remove it and the folder {self._path.parent}, and everything is read and "
                           "computed again") from error
        return state if state.definitions == definitions else State(definitions=definitions)

    def save(self, state: State) -> None:
        """Puts the state in the place of the former, as a whole."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(".new")
        beside.write_text(state.model_dump_json())
        os.replace(beside, self._path)
