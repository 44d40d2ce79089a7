"""Answers to senders: one JSON shape for what was taken, one for every refusal, and the words of acknowledgements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson
from fastapi import Response

from applications.clinical import hl7
from applications.clinical.reasons import Invalid, Reason, Unparseable
from applications.ingestion.gateway.intake import Intake, Status, Taken
from applications.ingestion.gateway.reading import Format
from applications.ingestion.gateway.senders import Away
from applications.runtime.door import CLOSE, Refusal, retry_after
from applications.runtime.web import fault

AWAY_SECONDS = 5
FULL_SECONDS = 1


class Refused(Refusal):
    """A message that was looked at and refused: a refusal with the code of an HL7 acknowledgement."""

    def __init__(self, status: int, error: str, message: str, code: str, *, reasons: Sequence[Reason] = (),
                 headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, error, message, reasons=reasons, headers=headers)
        self.code = code

    def acknowledge(self, message: bytes) -> bytes:
        """The answer in HL7."""
        return hl7.acknowledge(message, self.code, self.message, self.reasons)


async def take(intake: Intake, form: Format, body: bytes) -> list[Taken]:
    """Has a body taken. Raises Refused, with the code of the acknowledgement that HL7 needs."""
    try:
        return await intake.take(form, body)
    except Unparseable as error:
        raise Refused(400, "unparseable", str(error), "AR") from None
    except Invalid as error:
        raise Refused(422, "invalid", "nothing of this body was accepted; mend what the reasons name and send it again", "AE",
                      reasons=error.reasons) from None
    except Away as error:
        raise Refused(503, "unavailable", f"{error}. Nothing of this request counts as accepted: send it again with the same "
                      "event ids", "AE", headers=retry_after(AWAY_SECONDS)) from None
    except Exception as error:
        fault("taking-failed", error)
        raise Refused(500, "fault", "a fault of the gateway, which its log names; nothing of this request counts as accepted",
                      "AE") from None


def status_of(taken: Sequence[Taken]) -> int:
    """202 when something was taken now, 200 when all of it had been taken before."""
    return 202 if any(one.status is Status.ACCEPTED for one in taken) else 200


def accepted(taken: Sequence[Taken]) -> Response:
    """The answer to a body whose events are all safe."""
    body = {"accepted": [{"event_id": one.event_id, "status": one.status} for one in taken]}
    return Response(orjson.dumps(body), status_of(taken), media_type="application/json")


def too_many(seconds: float) -> Refusal:
    """A client that sends more often than it may."""
    return Refusal(429, "too-many-requests", "more requests than this client may send; wait as Retry-After says",
                   headers=retry_after(seconds))


def full() -> Refusal:
    """A request too many, or bodies too large, at the same time."""
    return Refusal(503, "busy", "too much is in work; nothing of this request was accepted, send it again",
                   headers={**retry_after(FULL_SECONDS), **CLOSE})
