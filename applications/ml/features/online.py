"""The online store: the latest features of each patient, in Redis, written and read through Feast."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from redis.exceptions import RedisError

from applications.jobs.job import JobError
from applications.ml.features.definitions import PATIENT, VIEW, VIEW_NAME, OnlineAccess, configuration
from applications.ml.features.feast_parts import EntityKey, FeatureStore, RedisOnlineStore, Value
from applications.ml.features.registry import NAMES

NEVER = datetime.fromtimestamp(0, UTC)


class OnlineStoreError(JobError):
    """The online store does not answer, in words for whoever runs the platform."""


@dataclass(frozen=True)
class Snapshot:
    """A patient's features at their cut-off (UTC); those that are missing are None."""

    cutoff: datetime
    values: dict[str, float | str | None]


class OnlineFeatures:
    """Reads and writes the latest features. Threads may share it; it keeps nothing between calls but connections."""

    def __init__(self, access: OnlineAccess) -> None:
        self._place = f"{access.redis_host}:{access.redis_port}"
        self._registry = tempfile.TemporaryDirectory(prefix="feast-")
        self._configuration = configuration(access, Path(self._registry.name) / "registry.db")
        self._store = RedisOnlineStore()
        self._written: FeatureStore | None = None

    def read(self, patient_ids: Sequence[str]) -> dict[str, Snapshot]:
        """The features of patients, by patient; who is not known is absent. Raises OnlineStoreError."""
        keys = [EntityKey(join_keys=["patient_id"], entity_values=[Value(string_val=patient)]) for patient in patient_ids]
        try:
            found = self._store.online_read(self._configuration, VIEW, keys, list(NAMES))
        except RedisError as error:
            raise self._away(error) from error
        # Of a patient who is not there Feast says that all was null in 1970.
        return {patient: Snapshot(cutoff.astimezone(UTC), {name: _plain(values[name]) for name in NAMES})
                for patient, (cutoff, values) in zip(patient_ids, found, strict=True)
                if cutoff is not None and values is not None and cutoff.astimezone(UTC) != NEVER}

    def write(self, frame: pd.DataFrame, cutoff: datetime, created: datetime) -> None:
        """Writes the features of patients (`patient_id` and NAMES) at a cut-off; what is there of a later one stays.

        Raises OnlineStoreError.
        """
        if self._written is None:
            self._written = FeatureStore(config=self._configuration)
            self._written.apply([PATIENT, VIEW])
        try:
            self._written.write_to_online_store(VIEW_NAME, frame.assign(
                event_timestamp=pd.Timestamp(cutoff), created_timestamp=pd.Timestamp(created)))
        except RedisError as error:
            raise self._away(error) from error

    def _away(self, error: Exception) -> OnlineStoreError:
        return OnlineStoreError(f"the online store, Redis at {self._place}, does not answer as it should: "
                                f"{str(error).rstrip('.')}. Is it up, has it memory left, and is the password the one that it "
                                "was given?")


def _plain(value: Value) -> float | str | None:
    kind = value.WhichOneof("val")
    found: float | str | None = None if kind in (None, "null_val") else getattr(value, kind)
    return found


def as_values(row: Mapping[str, object]) -> dict[str, float | str | None]:
    """The values of a computed row as the online store gives them: None for what is missing."""
    return {name: None if value is None or value != value else value if isinstance(value, str) else float(str(value))
            for name in NAMES for value in [row[name]]}
