"""The HTTP door: who may ask, with how large a body, and how many at a time; then the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request, Response

from applications.ml.serving import answers, inputs, metrics
from applications.ml.serving.service import Predictions
from applications.runtime.api_keys import ApiKeys
from applications.runtime.door import Refusal, admitted, body_of, media_type
from applications.runtime.logs import log
from applications.runtime.web import fault


class Door:
    """Answers requests for predictions. `max_body_bytes` and `read_seconds` bound one body, `max_in_flight` all of them."""

    def __init__(self, predictions: Predictions, keys: ApiKeys, *, max_body_bytes: int, read_seconds: float,
                 max_in_flight: int) -> None:
        self._predictions, self._keys = predictions, keys
        self._max_body_bytes, self._read_seconds, self._max_in_flight = max_body_bytes, read_seconds, max_in_flight
        self._in_flight = 0

    async def single(self, request: Request) -> Response:
        """The answer to a request for one prediction."""
        async def answer(body: bytes, client: str) -> Response:
            return answers.single((await self._predictions.serve([inputs.single(body)], client))[0])

        return await self._answer(request, answer)

    async def batch(self, request: Request) -> Response:
        """The answer to a batch."""
        async def answer(body: bytes, client: str) -> Response:
            return answers.batch(await self._predictions.serve(inputs.batch(body), client))

        return await self._answer(request, answer)

    async def admitted(self, request: Request, answer: Callable[[], Response]) -> Response:
        """The answer to a request without a body, to whoever has a key."""
        try:
            admitted(self._keys, request.headers)
            return answer()
        except Refusal as refusal:
            return _refused(request, None, refusal)

    async def _answer(self, request: Request, answer: Callable[[bytes, str], Awaitable[Response]]) -> Response:
        client = None
        try:
            client = admitted(self._keys, request.headers)
            media_type(request.headers, ("application/json",))
            if self._in_flight >= self._max_in_flight:
                raise answers.busy()
            self._in_flight += 1
            try:
                return await answer(await body_of(request, self._max_body_bytes, self._read_seconds, "instances"), client)
            finally:
                self._in_flight -= 1
        except Refusal as refusal:
            return _refused(request, client, refusal)
        except Exception as error:
            fault("predicting-failed", error)
            return _refused(request, client, answers.fault())


def _refused(request: Request, client: str | None, refusal: Refusal) -> Response:
    metrics.REFUSED.labels(refusal.error).inc()
    # Codes alone: a message or the name of a field could quote the body.
    log.info("refused", client=client, path=request.url.path, status=refusal.status, error=refusal.error,
             reasons=sorted({reason.code for reason in refusal.reasons}))
    return refusal.response()
