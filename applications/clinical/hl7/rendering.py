"""From native events to an ORU^R01: what `parse` reads back as the same events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from applications.clinical import identity
from applications.clinical.hl7.message import CHARSETS, DEFAULT_SEPARATORS, Separators
from applications.clinical.hl7.times import rendered
from applications.clinical.models import EventType
from applications.clinical.terminology import BY_CODE, Sex

_SEX_CODES = {Sex.FEMALE: "F", Sex.MALE: "M", Sex.OTHER: "O", Sex.UNKNOWN: "U"}


def oru_r01(events: Sequence[Mapping[str, Any]], *, application: str = "CLINICAL", facility: str = "SITE001",
            separators: Separators = DEFAULT_SEPARATORS, charset: str = "UNICODE UTF-8") -> bytes:
    """One message of native patient-vitals and lab-results events, at least one, of any patients.

    Its control id follows from the event ids. Raises ValueError for events of other types.
    """
    others = {event["event_type"] for event in events} - {EventType.PATIENT_VITALS, EventType.LAB_RESULTS}
    if others or not events:
        raise ValueError(f"an ORU^R01 holds vital signs and laboratory results, not {', '.join(sorted(others)) or 'nothing'}")
    control_id = identity.derived(*(event["event_id"] for event in events)).replace("-", "")[:20]
    sent = max((event["recorded_time"] for event in events), key=datetime.fromisoformat)
    lines = [["MSH", None, application, facility, "GATEWAY", events[0]["study_id"], _time(sent), "", ["ORU", "R01", "ORU_R01"],
              control_id, "P", "2.5", "", "", "", "", "", charset]]
    for patients, (_, group) in enumerate(groupby(events, _whose), start=1):
        lines += _patient(patients, list(group))
    return "".join(_line(line, separators) for line in lines).encode(CHARSETS[charset])


Line = list[Any]


def _whose(event: Mapping[str, Any]) -> tuple[Any, ...]:
    return (*(event[name] for name in ("patient_id", "study_id", "site_id", "trial_arm")), event.get("enrolment_date"),
            event["payload"].get("sex"))


def _patient(number: int, events: list[Mapping[str, Any]]) -> list[Line]:
    patient_id, study, site, arm, enrolled, sex = _whose(events[0])
    lines: list[Line] = [
        ["PID", str(number), "", [patient_id, "", "", "CLINICAL", "PI"], "", "", "", "", _SEX_CODES.get(sex, "")],
        ["ZCT", study, site, arm, (enrolled or "").replace("-", "")]]
    for order, event in enumerate(events, start=1):
        lines += _order(order, event)
    return lines


def _order(number: int, event: Mapping[str, Any]) -> list[Line]:
    payload = event["payload"]
    lab = event["event_type"] == EventType.LAB_RESULTS
    service = ["26436-6", "Laboratory studies", "LN"] if lab else ["85353-1", "Vital signs panel", "LN"]
    urgency = {"stat": ["", "", "", "", "", "S"], "routine": ["", "", "", "", "", "R"]}.get(payload.get("priority"), "")
    obr: Line = ["OBR", str(number), "", "", service, "", "", _time(event["event_time"]), *[""] * 14,
                 _time(event["recorded_time"]), "", "", "F", "", urgency]
    return [obr, *(_result(place, one, event) for place, one in enumerate([payload] if lab else payload["measurements"], start=1))]


def _result(number: int, measured: Mapping[str, Any], event: Mapping[str, Any]) -> Line:
    known = BY_CODE.get(measured["code"])
    # Without an exponent, which a number of HL7 may not have.
    value = format(Decimal(repr(measured["value"])), "f")
    return ["OBX", str(number), "NM", [measured["code"], known.name if known else "", "LN"], "", value,
            [measured["unit"], "", "UCUM"], "", "", "", "", "F", "", "", _time(event["event_time"]), "", "", "",
            event["source"], "", "", event["event_id"]]


def _time(text: str) -> str:
    return rendered(datetime.fromisoformat(text))


def _line(line: Line, separators: Separators) -> str:
    fields = [separators.component.join(map(separators.escaped, field)) if isinstance(field, list)
              else separators.encoding if field is None else separators.escaped(field) for field in line]
    return separators.field.join(fields) + "\r"
