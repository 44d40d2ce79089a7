"""Answers to senders: one JSON shape for what was taken, one for every refusal, and the words of acknowledgements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

import orjson
from fastapi import Response

from applications.clinical import hl7
from applications.clinical.reasons import Invalid, Reason, Unparseable
from applications.ingestion.gateway.intake import Intake, Status, Taken
from applications.ingestion.gateway.reading import Format
from applications.ingestion.gateway.senders import Away
from applications.runtime.web import fault

AWAY_SECONDS = 5
FULL_SECONDS = 1
# Whatever of a body is still on its way is not wanted: the connection ends with the answer.
_CLOSE = {"Connection": "close"}


class Refusal(Exception):
    """A request that is answered with an error: HTTP status, a word for programs, a sentence for people, and the code of an
    HL7 acknowledgement where one is due."""

    def __init__(self, status: int, error: str, message: str, *, reasons: Sequence[Reason] = (),
                 headers: Mapping[str, str] | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.error, self.message, self.reasons = status, error, message, reasons
        self.headers, self.code = headers, code

    def response(self) -> Response:
        """The answer in JSON."""
        body: dict[str, object] = {"error": self.error, "message": self.message}
        if self.reasons:
            body["reasons"] = [reason.as_dict() for reason in self.reasons]
        return Response(orjson.dumps(body), self.status, self.headers, "application/json")

    def acknowledge(self, message: bytes) -> bytes | None:
        """The answer in HL7; None where the request was refused before its message was looked at."""
        return hl7.acknowledge(message, self.code, self.message, self.reasons) if self.code else None


async def take(intake: Intake, form: Format, body: bytes) -> list[Taken]:
    """Has a body taken. Raises Refusal, with the code of the acknowledgement that HL7 needs."""
    try:
        return await intake.take(form, body)
    except Unparseable as error:
        raise Refusal(400, "unparseable", str(error), code="AR") from None
    except Invalid as error:
        raise Refusal(422, "invalid", "nothing of this body was accepted; mend what the reasons name and send it again",
                      reasons=error.reasons, code="AE") from None
    except Away as error:
        raise Refusal(503, "unavailable", f"{error}. Nothing of this request counts as accepted: send it again with the same "
                      "event ids", headers=retry_after(AWAY_SECONDS), code="AE") from None
    except Exception as error:
        fault("taking-failed", error)
        raise Refusal(500, "fault", "a fault of the gateway, which its log names; nothing of this request counts as accepted",
                      code="AE") from None


def status_of(taken: Sequence[Taken]) -> int:
    """202 when something was taken now, 200 when all of it had been taken before."""
    return 202 if any(one.status is Status.ACCEPTED for one in taken) else 200


def accepted(taken: Sequence[Taken]) -> Response:
    """The answer to a body whose events are all safe."""
    body = {"accepted": [{"event_id": one.event_id, "status": one.status} for one in taken]}
    return Response(orjson.dumps(body), status_of(taken), media_type="application/json")


def retry_after(seconds: float) -> dict[str, str]:
    """The header that says when to come again."""
    return {"Retry-After": str(max(1, ceil(seconds)))}


def no_key() -> Refusal:
    """A request without a key."""
    return Refusal(401, "no-key", "send your key in the header X-API-Key, or as Authorization: Bearer",
                   headers={"WWW-Authenticate": "Bearer"})


def wrong_key() -> Refusal:
    """A request with a key that nobody has."""
    return Refusal(403, "wrong-key", "nobody has this key; ask the platform's operator for one")


def too_many(seconds: float) -> Refusal:
    """A client that sends more often than it may."""
    return Refusal(429, "too-many-requests", "more requests than this client may send; wait as Retry-After says",
                   headers=retry_after(seconds))


def unsupported(allowed: Sequence[str]) -> Refusal:
    """A body in a format that this path does not take."""
    return Refusal(415, "unsupported-media-type", f"send Content-Type {' or '.join(allowed)}, in UTF-8 and not compressed",
                   headers={"Accept": ", ".join(allowed)})


def too_large(most: int) -> Refusal:
    """A body above the limit."""
    return Refusal(413, "too-large", f"a body may have {most} bytes; send its events in several requests", headers=_CLOSE)


def too_slow(seconds: float) -> Refusal:
    """A body that does not come to its end."""
    return Refusal(408, "too-slow", f"the body did not arrive within {seconds:g} seconds", headers=_CLOSE)


def broken() -> Refusal:
    """A body that ended before its time."""
    return Refusal(400, "unparseable", "the connection ended before the body did", headers=_CLOSE)


def full() -> Refusal:
    """A request too many, or bodies too large, at the same time."""
    return Refusal(503, "busy", "too much is in work; nothing of this request was accepted, send it again",
                   headers={**retry_after(FULL_SECONDS), **_CLOSE})
