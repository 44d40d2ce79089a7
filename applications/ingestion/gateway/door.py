"""The HTTP door: who may come in, with what, and how much; then the shared pipeline; then the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastapi import Request, Response

from applications.clinical import hl7
from applications.ingestion.gateway import answers
from applications.ingestion.gateway.answers import Refused
from applications.ingestion.gateway.intake import Intake, Taken
from applications.ingestion.gateway.limits import Full, Held, Rate
from applications.ingestion.gateway.reading import Format
from applications.runtime.api_keys import ApiKeys
from applications.runtime.door import Refusal, admitted, body_of, media_type
from applications.runtime.logs import log

HL7_TYPE = "application/hl7-v2"
JSON_TYPE = "application/json"


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
            # HL7 names its character set itself, in MSH-18.
            form = formats[media_type(request.headers, formats, (HL7_TYPE,))]
            # An HL7 sender is answered in HL7, unless it asks for JSON.
            wants_acknowledgement = form is Format.HL7 and JSON_TYPE not in request.headers.get("accept", "")
            with self._held.request() as holding:
                body = await body_of(request, self._max_body_bytes, self._read_seconds, "events", holding.grow)
                taken = await answers.take(self._intake, form, body)
            return _acknowledged(body, taken) if wants_acknowledgement else answers.accepted(taken)
        except Full:
            refusal: Refusal = answers.full()
        except Refusal as error:
            refusal = error
        # Codes alone: a message or the name of a field could quote the body.
        log.info("refused", client=client, path=request.url.path, status=refusal.status, error=refusal.error,
                 reasons=sorted({reason.code for reason in refusal.reasons}))
        acknowledgement = refusal.acknowledge(body) if wants_acknowledgement and isinstance(refusal, Refused) else None
        return Response(acknowledgement, refusal.status, refusal.headers, HL7_TYPE) if acknowledgement else refusal.response()

    def _admit(self, request: Request) -> str:
        client = admitted(self._keys, request.headers)
        if wait := self._rate.take(client):
            raise answers.too_many(wait)
        return client


def _acknowledged(body: bytes, taken: Sequence[Taken]) -> Response:
    return Response(hl7.acknowledge(body, "AA", ""), answers.status_of(taken), media_type=HL7_TYPE)
