"""The HTTP door: who may come in, with what, and how much; then the shared pipeline; then the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from fastapi import Request, Response
from starlette.requests import ClientDisconnect

from applications.clinical import hl7
from applications.ingestion.gateway import answers
from applications.ingestion.gateway.answers import Refusal
from applications.ingestion.gateway.intake import Intake, Taken
from applications.ingestion.gateway.limits import Full, Held, Holding, Rate
from applications.ingestion.gateway.reading import Format
from applications.runtime.api_keys import ApiKeys, NoKey, WrongKey
from applications.runtime.logs import log

HL7_TYPE = "application/hl7-v2"
JSON_TYPE = "application/json"
_CHARSETS = ("utf-8", "utf8", "us-ascii")


class Door:
    """Answers requests that bring data. `max_body_bytes` and `read_seconds` bound one body."""

    def __init__(self, intake: Intake, keys: ApiKeys, rate: Rate, held: Held, max_body_bytes: int, read_seconds: float) -> None:
        self._intake, self._keys, self._rate, self._held = intake, keys, rate, held
        self._max_body_bytes, self._read_seconds = max_body_bytes, read_seconds

    async def answer(self, request: Request, formats: Mapping[str, Format]) -> Response:
        """The answer to a request on a path that takes these media types."""
        client, body, wants_acknowledgement = None, b"", False
        try:
            client = self._admit(request)
            form = media_format(request.headers, formats)
            # An HL7 sender is answered in HL7, unless it asks for JSON.
            wants_acknowledgement = form is Format.HL7 and JSON_TYPE not in request.headers.get("accept", "")
            with self._held.request() as holding:
                body = await self._body(request, holding)
                taken = await answers.take(self._intake, form, body)
            return _acknowledged(body, taken) if wants_acknowledgement else answers.accepted(taken)
        except Full:
            refusal = answers.full()
        except Refusal as error:
            refusal = error
        # Codes alone: a message or the name of a field could quote the body.
        log.info("refused", client=client, path=request.url.path, status=refusal.status, error=refusal.error,
                 reasons=sorted({reason.code for reason in refusal.reasons}))
        acknowledgement = refusal.acknowledge(body) if wants_acknowledgement else None
        return Response(acknowledgement, refusal.status, refusal.headers, HL7_TYPE) if acknowledgement else refusal.response()

    def _admit(self, request: Request) -> str:
        try:
            client = self._keys.client(request.headers)
        except NoKey:
            raise answers.no_key() from None
        except WrongKey:
            raise answers.wrong_key() from None
        if wait := self._rate.take(client):
            raise answers.too_many(wait)
        return client

    async def _body(self, request: Request, holding: Holding) -> bytes:
        # A length that is no number is refused by the server before it comes here.
        if int(request.headers.get("content-length", "0")) > self._max_body_bytes:
            raise answers.too_large(self._max_body_bytes)
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._read_seconds):
                async for part in request.stream():
                    size += len(part)
                    if size > self._max_body_bytes:
                        raise answers.too_large(self._max_body_bytes)
                    holding.grow(len(part))
                    parts.append(part)
        except TimeoutError:
            raise answers.too_slow(self._read_seconds) from None
        except ClientDisconnect:
            raise answers.broken() from None
        return b"".join(parts)


def media_format(headers: Mapping[str, str], formats: Mapping[str, Format]) -> Format:
    """The format that a request's headers name. Raises Refusal (415) for one that the path does not take."""
    media, _, parameters = headers.get("content-type", "").partition(";")
    form = formats.get(media.strip().lower())
    name, _, charset = parameters.strip().lower().partition("=")
    # HL7 names its character set itself, in MSH-18.
    readable = form is Format.HL7 or name != "charset" or charset.strip('"') in _CHARSETS
    if form is None or not readable or headers.get("content-encoding", "identity").lower() != "identity":
        raise answers.unsupported(sorted(formats))
    return form


def _acknowledged(body: bytes, taken: Sequence[Taken]) -> Response:
    return Response(hl7.acknowledge(body, "AA", ""), answers.status_of(taken), media_type=HL7_TYPE)
