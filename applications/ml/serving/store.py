"""The online store, and whether it can be read: what failed is not tried again by each request, but by one look now and then."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from applications.ml.serving import metrics
from applications.ml.serving.ports import FeatureStore, Snapshot, Unavailable
from applications.runtime.logs import log

NOT_ASKED = "the online store has not been asked yet"
NOBODY = "PT00000000"
"""A pseudonym to ask for when only the answer counts."""


class Store:
    """Reads features. `fault` says why it cannot do so now, or is None."""

    def __init__(self, features: FeatureStore) -> None:
        self._features = features
        self.fault: str | None = NOT_ASKED

    def read(self, patient_ids: Sequence[str]) -> Mapping[str, Snapshot]:
        """The latest features of patients, by patient; unknown ones are left out. Blocks. Raises Unavailable, at once while
        the store was away at the last look.
        """
        if (fault := self.fault) is not None:
            raise Unavailable(fault)
        began = time.perf_counter()
        try:
            found = self._features.read(patient_ids)
        except Unavailable as error:
            self._lost(str(error))
            raise
        metrics.READ_SECONDS.observe(time.perf_counter() - began)
        return found

    def look(self) -> None:
        """Asks the store for nobody, and notes whether it answers. Blocks."""
        try:
            self._features.read([NOBODY])
        except Unavailable as error:
            self._lost(str(error))
        else:
            if self.fault is not None:
                log.info("features-reached")
            self.fault = None

    def _lost(self, fault: str) -> None:
        # Once for each time that it goes, not for each request that meets it.
        if self.fault in (None, NOT_ASKED):
            log.warning("features-away", error=fault)
        self.fault = fault
