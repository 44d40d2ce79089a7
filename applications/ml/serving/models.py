"""The champion in service: looks which version it is to be, loads a new one beside the running one, and swaps them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from applications.ml.features.registry import NAMES
from applications.ml.serving import metrics
from applications.ml.serving.ports import BadModel, Model, ModelRegistry, Unavailable
from applications.runtime.logs import log

NOT_ASKED = "the registry has not been asked yet"
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 3.0, 60.0


@dataclass(frozen=True)
class Champion:
    """A version in service."""

    name: str
    version: str
    model: Model
    since: datetime


class Models:
    """The champion, kept up to date by `look`. Readers take `champion` once for a request: it is swapped as a whole.

    `fault` says why there is none to serve. `registry_fault` and `load_fault` say what went wrong last; the champion that
    serves goes on serving through both.
    """

    def __init__(self, registry: ModelRegistry, name: str) -> None:
        self._registry, self._name = registry, name
        self.champion: Champion | None = None
        self.registry_fault: str | None = NOT_ASKED
        self.load_fault: str | None = None
        self._absent = NOT_ASKED
        self._refused: str | None = None
        self._retry_at, self._retry_seconds = 0.0, FIRST_RETRY_SECONDS

    @property
    def fault(self) -> str | None:
        """Why no prediction can be made; None while a champion serves."""
        return None if self.champion else self.load_fault or self.registry_fault or self._absent

    def look(self) -> None:
        """Asks the registry once, and brings the version that it names into service. Blocks."""
        try:
            wanted = self._registry.champion()
        except Unavailable as error:
            self._registry_lost(str(error))
            return
        if self.registry_fault not in (None, NOT_ASKED):
            log.info("registry-back")
        self.registry_fault = None
        if wanted is None:
            self._withdraw()
        elif self.champion is not None and wanted == self.champion.version:
            # Back to what serves: what could not be loaded in between is not wanted any more.
            self.load_fault = self._refused = None
        elif wanted != self._refused or time.monotonic() >= self._retry_at:
            try:
                self._serve(wanted, self._registry.load(wanted))
            except Unavailable as error:
                self._registry_lost(str(error))
            except BadModel as error:
                self._refuse(wanted, str(error))
            except Exception as error:  # whatever a strange artifact does, the running model serves on
                self._refuse(wanted, f"it failed with {type(error).__name__}")

    def _serve(self, number: str, model: Model) -> None:
        # The first prediction costs more than the next: it is made here. And a model that cannot make one serves nobody.
        scores = model.predict_rows([dict.fromkeys(NAMES)])
        if not 0 <= float(scores.probabilities[0]) <= 1 or len(scores.contributions[0]) != len(model.names):
            raise BadModel("its trial prediction is no probability with a contribution of each feature")
        former, since = self.champion, datetime.now(UTC)
        self.champion = Champion(self._name, number, model, since)
        self.load_fault = self._refused = None
        self._retry_seconds = FIRST_RETRY_SECONDS
        _forget(former)
        metrics.MODEL_INFO.labels(self._name, number, model.features_version).set(1)
        metrics.MODEL_LOADED.set(since.timestamp())
        metrics.LOADS.inc()
        log.info("champion-serves", version=number, former=former.version if former else None)

    def _refuse(self, number: str, why: str) -> None:
        if number != self._refused:
            self._retry_seconds = FIRST_RETRY_SECONDS
        self._retry_at = time.monotonic() + self._retry_seconds
        self._retry_seconds = min(2 * self._retry_seconds, LAST_RETRY_SECONDS)
        self._refused = number
        serving = f"version {self.champion.version} goes on serving" if self.champion else "no other version serves"
        self.load_fault = f"champion is version {number}, which cannot be used: {why}; {serving}"
        metrics.LOAD_FAILURES.inc()
        log.error("champion-not-loaded", version=number, error=why)

    def _withdraw(self) -> None:
        self._absent = f"no version of {self._name} is champion: train one, or promote one that was registered"
        self.load_fault = self._refused = None
        if self.champion is not None:
            log.warning("champion-withdrawn", version=self.champion.version)
            _forget(self.champion)
            metrics.MODEL_LOADED.set(0)
            self.champion = None

    def _registry_lost(self, why: str) -> None:
        if self.registry_fault in (None, NOT_ASKED):
            log.warning("registry-away", error=why)
        self.registry_fault = why


def _forget(champion: Champion | None) -> None:
    if champion is not None:
        metrics.MODEL_INFO.labels(champion.name, champion.version, champion.model.features_version).set(0)
