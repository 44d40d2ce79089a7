"""Rules of the real neighbours: what the online store and the registry raise reaches serving in its own two words."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from applications.ml.features.online import OnlineFeatures, OnlineStoreError
from applications.ml.model.errors import ModelError, RegistryError
from applications.ml.model.registry import Registry
from applications.ml.serving.adapters import MlflowRegistry, OnlineStore
from applications.ml.serving.ports import BadModel, Unavailable
from tests.unit.ml.serving_fakes import PATIENT, Snap, model


class Answers:
    """Either neighbour: gives what it was told to, or raises it."""

    def __init__(self, **found: Any) -> None:
        self._found = found

    def _give(self, name: str) -> Any:
        if isinstance(self._found[name], Exception):
            raise self._found[name]
        return self._found[name]

    def read(self, _: Sequence[str]) -> Any:
        """Features."""
        return self._give("read")

    def champion(self) -> Any:
        """The champion."""
        return self._give("champion")

    def version(self, number: int) -> Any:
        """A version."""
        return SimpleNamespace(number=number)

    def load(self, version: Any) -> Any:
        """The model of the version that was asked for."""
        assert version.number == 7
        return self._give("load")


def registry(**found: Any) -> MlflowRegistry:
    return MlflowRegistry(cast(Registry, Answers(**found)))


def test_what_they_give_passes() -> None:
    found, one = {PATIENT: Snap(cast(Any, None), {})}, model()
    assert OnlineStore(cast(OnlineFeatures, Answers(read=found))).read([PATIENT]) == found
    assert registry(champion=SimpleNamespace(number=7)).champion() == "7"
    assert registry(champion=None).champion() is None
    assert registry(load=one).load("7") is one


def test_outages_are_unavailable_and_a_bad_artifact_is_a_bad_model() -> None:
    """The difference matters: an outage is waited for, a bad artifact is refused and tried again with growing pauses."""
    with pytest.raises(Unavailable, match="Redis is away"):
        OnlineStore(cast(OnlineFeatures, Answers(read=OnlineStoreError("Redis is away")))).read([PATIENT])
    with pytest.raises(Unavailable, match="away"):
        registry(champion=RegistryError("away")).champion()
    with pytest.raises(Unavailable, match="away"):
        registry(load=RegistryError("away")).load("7")
    with pytest.raises(BadModel, match="damaged"):
        registry(load=ModelError("damaged")).load("7")
