"""From an ORU^R01 of HL7 v2.5 to native events: all of it or nothing, with every fault of every segment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any

from applications.clinical import identity
from applications.clinical.hl7.message import Segment, segments
from applications.clinical.hl7.results import Faults, Result, priority, read_time, result, sex
from applications.clinical.hl7.times import WrongTime, zone_of
from applications.clinical.models import PATIENT_ID, SCHEMA_VERSION, EventType
from applications.clinical.reasons import Invalid, ReasonCode, Unparseable
from applications.clinical.terminology import Kind

VERSIONS = ("2.5", "2.5.1")
DEFAULT_SOURCE = "hl7"
_ZCT = {"study_id": (1, 6, "study"), "site_id": (2, 4, "site"), "trial_arm": (3, None, "trial arm")}
"""Fields of ZCT, the MSH field that stands in for each, and what it is."""


@dataclass(frozen=True)
class Message:
    """The events of a message, as native envelopes, and its control id (MSH-10)."""

    events: list[dict[str, Any]]
    control_id: str


@dataclass
class _Patient:
    """A PID with its ZCT. Both may be missing; that is a fault, noted once."""

    pid: Segment | None = None
    zct: Segment | None = None
    orders: list[_Order] = field(default_factory=list)


@dataclass
class _Order:
    """An OBR, counted over the message from 1, with its results and timings."""

    obr: Segment
    results: list[Segment] = field(default_factory=list)
    timings: list[Segment] = field(default_factory=list)


def parse(message: bytes) -> Message:
    """The events of an ORU^R01. Names, addresses and other identifiers of the patient are not even looked at.

    Raises Unparseable for what is not HL7, or not this message in this version, and Invalid with every fault, `field` being
    like `OBX[2]-5`. What is well formed may still break the contract: validation.check_object says so.
    """
    found = segments(message)
    msh = found[0]
    _accept(msh)
    faults = Faults()
    if not msh.text(10):
        faults.add(ReasonCode.MISSING_FIELD, "MSH-10", "needs a control id, which a resend keeps")
    zone = _zone(msh, faults)
    patients = _grouped(found, faults)
    events, clashes = identity.clashes(event for patient in patients if patient.orders
                                       for event in _events(patient, msh, zone, faults))
    if not any(order.results for patient in patients for order in patient.orders):
        faults.add(ReasonCode.MISSING_FIELD, "OBX", "needs at least one result, in an OBX after an OBR")
    if reasons := [*faults.reasons, *clashes]:
        raise Invalid(reasons)
    return Message(events, msh.text(10))


def _accept(msh: Segment) -> None:
    if (msh.text(9), msh.text(9, 2)) != ("ORU", "R01"):
        raise Unparseable("MSH-9 must be ORU^R01: no other message is taken")
    if msh.text(12) not in VERSIONS:
        raise Unparseable(f"MSH-12 must be {' or '.join(VERSIONS)}: no other version is taken")
    if msh.text(11) != "P":
        raise Unparseable("MSH-11 must be P: messages for training and debugging are not taken")


def _zone(msh: Segment, faults: Faults) -> tzinfo | None:
    try:
        return zone_of(msh.text(7))
    except WrongTime as error:
        faults.add(ReasonCode.INVALID_VALUE, "MSH-7", str(error))
        return None


def _grouped(found: list[Segment], faults: Faults) -> list[_Patient]:
    """The segments as patients and orders. Segments of no use here (notes, visits, specimens) are passed over."""
    patients = [_Patient()]
    common: Segment | None = None
    order: _Order | None = None
    for segment in found:
        if segment.name == "PID":
            patients.append(_Patient(segment, common))
            order = None
        elif segment.name == "ZCT":
            patients[-1].zct = segment
            # One that comes before the first PID holds for every patient without one of its own.
            common = segment if len(patients) == 1 else common
        elif segment.name == "OBR":
            order = _Order(segment)
            patients[-1].orders.append(order)
        elif segment.name == "TQ1" and order is not None:
            order.timings.append(segment)
        elif segment.name == "OBX":
            if order is None:
                faults.add(ReasonCode.INVALID_VALUE, segment.path(), "needs an OBR before it, after the PID")
            else:
                order.results.append(segment)
    return patients


def _events(patient: _Patient, msh: Segment, zone: tzinfo | None, faults: Faults) -> Iterator[tuple[dict[str, Any], str]]:
    patient_id, about = _patient_id(patient, faults), _trial(patient, msh, faults)
    known_sex = sex(patient.pid, faults) if patient.pid else None
    for order in patient.orders:
        recorded = read_time(*((order.obr, 22) if order.obr.text(22) else (msh, 7)), zone, faults, "needs the time of the message")
        urgency = priority(order.obr, order.timings)
        further = {name: value for name, value in (("sex", known_sex), ("priority", urgency)) if value}
        found = [one for place, obx in enumerate(order.results, start=1)
                 if (one := result(obx, place, order.obr, zone, faults)) is not None]
        for first, kind, payload in _payloads(found, further):
            event_id = identity.given(first.segment.text(21)) or identity.derived(
                "hl7", msh.raw(3), msh.raw(4), msh.text(10), order.obr.number, first.place, patient_id, first.time.isoformat())
            yield {"event_id": event_id, "schema_version": SCHEMA_VERSION, "event_type": kind.value, "patient_id": patient_id,
                   "event_time": first.time.isoformat(), "recorded_time": recorded.isoformat() if recorded else None,
                   "source": first.segment.text(18) or msh.text(3) or DEFAULT_SOURCE, **about, "payload": payload,
                   }, first.segment.path(21)


def _payloads(found: list[Result], further: dict[str, str]) -> Iterator[tuple[Result, EventType, dict[str, Any]]]:
    """Vital signs of one time are one set; each laboratory result is an event."""
    sets: dict[datetime, list[Result]] = {}
    for one in found:
        if one.kind is Kind.VITAL:
            sets.setdefault(one.time, []).append(one)
        else:
            yield one, EventType.LAB_RESULTS, {**_measurement(one), **further}
    for together in sets.values():
        yield together[0], EventType.PATIENT_VITALS, {"measurements": [_measurement(one) for one in together]}


def _measurement(one: Result) -> dict[str, Any]:
    return {"code": one.code, "value": one.value, "unit": one.unit}


def _patient_id(patient: _Patient, faults: Faults) -> str | None:
    """The pseudonym among the identifiers of PID-3; the others stay where they are."""
    if patient.pid is None:
        faults.add(ReasonCode.MISSING_FIELD, "PID", "needs a PID before the OBR")
        return None
    found = {parts[0] for parts in patient.pid.repetitions(3) if re.fullmatch(PATIENT_ID, parts[0])}
    if len(found) == 1:
        return found.pop()
    faults.add(ReasonCode.INVALID_VALUE if found else ReasonCode.MISSING_FIELD, patient.pid.path(3),
               "has two pseudonyms" if found else "needs the patient's pseudonym, PT and eight digits or capital letters")
    return None


def _trial(patient: _Patient, msh: Segment, faults: Faults) -> dict[str, str | None]:
    """Study, site, arm and enrolment."""
    zct = patient.zct
    about: dict[str, str | None] = {}
    for name, (number, stand_in, what) in _ZCT.items():
        value = (zct.text(number) if zct else "") or (msh.text(stand_in) if stand_in else "")
        about[name] = value or None
        if not value:
            faults.add(ReasonCode.MISSING_FIELD, zct.path(number) if zct else f"ZCT-{number}",
                       f"needs the {what}" + (f", here or in MSH-{stand_in}" if stand_in else ""))
    if zct and (day := zct.text(4)):
        about["enrolment_date"] = f"{day[:4]}-{day[4:6]}-{day[6:]}" if re.fullmatch(r"\d{8}", day, re.ASCII) else None
        if about["enrolment_date"] is None:
            faults.add(ReasonCode.INVALID_VALUE, zct.path(4), "must be a day like 20260301")
    return about
