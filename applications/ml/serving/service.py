"""The way of a request: is there a champion, can it be audited, what does the model say, and is it written down."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from applications.clinical.predictions import Prediction
from applications.ml.serving import answers, metrics
from applications.ml.serving.answers import Outcome
from applications.ml.serving.audit import Audit
from applications.ml.serving.inputs import Instance
from applications.ml.serving.judging import Judge
from applications.ml.serving.models import Champion, Models
from applications.ml.serving.ports import Unavailable
from applications.runtime.door import Refusal

PART = 8
"""Instances of a batch that are judged in one go: single requests wait for so many at most, not for a whole batch."""


class Predictions:
    """Serves predictions. `workers` threads judge, so that neither the store nor the model holds other requests up."""

    def __init__(self, models: Models, judge: Judge, audit: Audit, workers: int) -> None:
        self._models, self._judge, self._audit = models, judge, audit
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="judge")

    async def serve(self, instances: Sequence[Instance | Refusal], client: str) -> list[Outcome]:
        """What becomes of each instance, in their order; all of a call by one champion. Raises Refusal (503) when none can
        be served now.
        """
        champion = self._ready()
        valid = [one for one in instances if isinstance(one, Instance)]
        parts = [valid[start:start + PART] for start in range(0, len(valid), PART)]
        judged = iter([outcome for part in parts for outcome in await self._judged(part, champion, client)])
        outcomes = [one if isinstance(one, Refusal) else next(judged) for one in instances]
        served = await asyncio.gather(*(self._recorded(one) for one in outcomes))
        for one in served:
            _count(one)
        return served

    def close(self) -> None:
        """Ends the threads once they are done."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _ready(self) -> Champion:
        champion = self._models.champion
        if champion is None:
            raise answers.unavailable("no-champion", self._models.fault or "the champion is being changed")
        try:
            self._audit.require()
        except Unavailable as error:
            raise answers.unavailable("audit-away", str(error)) from None
        return champion

    async def _judged(self, part: Sequence[Instance], champion: Champion, client: str) -> list[Outcome]:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._judge.judge, part, champion, client)

    async def _recorded(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Prediction):
            try:
                await self._audit.record(outcome)
            except Unavailable as error:
                return answers.unavailable("audit-away", str(error))
        return outcome


def _count(outcome: Outcome) -> None:
    if isinstance(outcome, Refusal):
        metrics.REFUSED.labels(outcome.error).inc()
    else:
        metrics.PREDICTIONS.labels(outcome.risk_class).inc()
        metrics.SCORES.observe(outcome.probability)
