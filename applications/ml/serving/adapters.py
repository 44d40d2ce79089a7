"""The real online store and registry as serving sees them: their errors in serving's own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from applications.ml.features.online import OnlineFeatures, OnlineStoreError
from applications.ml.model.errors import ModelError, RegistryError
from applications.ml.model.registry import Registry
from applications.ml.serving.ports import BadModel, Model, Snapshot, Unavailable


class OnlineStore:
    """The features in Redis."""

    def __init__(self, features: OnlineFeatures) -> None:
        self._features = features

    def read(self, patient_ids: Sequence[str]) -> Mapping[str, Snapshot]:
        """The latest features of patients; unknown ones are left out. Raises Unavailable."""
        try:
            return self._features.read(patient_ids)
        except OnlineStoreError as error:
            raise Unavailable(str(error)) from error


class MlflowRegistry:
    """The versions of the model in MLflow."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def champion(self) -> str | None:
        """The number of the version that is to serve. Raises Unavailable."""
        try:
            found = self._registry.champion()
        except RegistryError as error:
            raise Unavailable(str(error)) from error
        return None if found is None else str(found.number)

    def load(self, number: str) -> Model:
        """The model of a version. Raises Unavailable or BadModel."""
        try:
            return self._registry.load(self._registry.version(int(number)))
        except RegistryError as error:
            raise Unavailable(str(error)) from error
        except ModelError as error:
            raise BadModel(str(error)) from error
