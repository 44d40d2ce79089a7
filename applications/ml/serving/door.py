"""The HTTP door: who may ask, with how large a body, and how many at a time; then the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from fastapi import Request, Response
from starlette.requests import ClientDisconnect

from applications.ml.serving import answers, inputs
from applications.ml.serving.answers import Refusal
from applications.ml.serving.service import Predictions
from applications.runtime.api_keys import ApiKeys, NoKey, WrongKey
from applications.runtime.logs import log
from applications.runtime.web import fault

_CHARSETS = ("utf-8", "utf8", "us-ascii")


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
            self._admit(request)
            return answer()
        except Refusal as refusal:
            return _refused(request, None, refusal)

    async def _answer(self, request: Request, answer: Callable[[bytes, str], Awaitable[Response]]) -> Response:
        client = None
        try:
            client = self._admit(request)
            _require_json(request)
            if self._in_flight >= self._max_in_flight:
                raise answers.busy()
            self._in_flight += 1
            try:
                return await answer(await self._body(request), client)
            finally:
                self._in_flight -= 1
        except Refusal as refusal:
            return _refused(request, client, refusal)
        except Exception as error:
            fault("predicting-failed", error)
            return _refused(request, client, answers.fault())

    def _admit(self, request: Request) -> str:
        try:
            return self._keys.client(request.headers)
        except NoKey:
            raise answers.no_key() from None
        except WrongKey:
            raise answers.wrong_key() from None

    async def _body(self, request: Request) -> bytes:
        # A length that is no number is refused by the server before it comes here.
        if int(request.headers.get("content-length", "0")) > self._max_body_bytes:
            raise answers.too_large(self._max_body_bytes)
        body = bytearray()
        try:
            async with asyncio.timeout(self._read_seconds):
                async for part in request.stream():
                    body += part
                    if len(body) > self._max_body_bytes:
                        raise answers.too_large(self._max_body_bytes)
        except TimeoutError:
            raise answers.too_slow(self._read_seconds) from None
        except ClientDisconnect:
            raise answers.broken() from None
        return bytes(body)


def _require_json(request: Request) -> None:
    media, _, parameters = request.headers.get("content-type", "").partition(";")
    name, _, charset = parameters.strip().lower().partition("=")
    readable = name != "charset" or charset.strip('"') in _CHARSETS
    if media.strip().lower() != "application/json" or not readable \
            or request.headers.get("content-encoding", "identity").lower() != "identity":
        raise answers.unsupported()


def _refused(request: Request, client: str | None, refusal: Refusal) -> Response:
    # Codes alone: a message or the name of a field could quote the body.
    log.info("refused", client=client, path=request.url.path, status=refusal.status, error=refusal.error,
             reasons=sorted({reason.code for reason in refusal.reasons}))
    return refusal.response()
