"""What a sender of simulated patients remembers over restarts, so that no event_id ever comes with another content."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson


class BadState(Exception):
    """A state file that cannot be used; the text says which, why, and what to do."""


@dataclass(frozen=True, kw_only=True)
class State:
    """Where a simulation stands.

    `start` is the moment of its first start, on which its patients depend; `run` counts the starts, and sets the ids of each
    apart. `confirmed` is how many events were confirmed, `clock` the time (seconds since 1970) up to which the reports of
    adverse events were, `history_until` the time up to which the back-dated history was.
    """

    seed: int
    start: datetime
    run: int = 0
    confirmed: int = 0
    clock: float | None = None
    history_until: datetime | None = None


def begin(path: Path, seed: int) -> State:
    """The state of this start: the next run of the simulation that the file tells of, or the first of a new one.

    It is written before it is returned, so a run that is killed at once has still used its number. Another seed is another
    simulation. Raises BadState for a file that cannot be read or written.
    """
    before = _read(path)
    now = datetime.now(UTC).replace(microsecond=0)
    state = replace(before, run=before.run + 1) if before and before.seed == seed else State(seed=seed, start=now)
    save(path, state)
    return state


def save(path: Path, state: State) -> None:
    """Writes the state so that a kill or a power failure leaves the old or the new one. Raises BadState."""
    fresh = path.with_name(path.name + ".new")
    try:
        with fresh.open("wb") as file:
            file.write(orjson.dumps(state))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise BadState(f"cannot write the state {path}: {error.strerror}; its folder must be a volume that this user may "
                       "write") from error


def _read(path: Path) -> State | None:
    try:
        found: dict[str, Any] = orjson.loads(path.read_bytes())
        until = found["history_until"]
        return State(**{**found, "start": datetime.fromisoformat(found["start"]),
                        "history_until": until and datetime.fromisoformat(until)})
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadState(f"cannot read the state {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise BadState(f"{path} is not a state of this service ({error}); remove it to begin a new simulation") from error
