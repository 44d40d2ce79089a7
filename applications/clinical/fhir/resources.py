"""MedicationAdministration, AdverseEvent and Patient as events."""

from __future__ import annotations

from datetime import date
from typing import Any

from applications.clinical import identity
from applications.clinical.fhir import names
from applications.clinical.fhir.envelope import Surroundings, envelope, event_id, patient_id, pseudonym, unusable
from applications.clinical.fhir.node import Node
from applications.clinical.fhir.observation import amount
from applications.clinical.models import EventType
from applications.clinical.reasons import ReasonCode

Events = list[dict[str, Any]]


def medication(resource: Node, around: Surroundings, full_url: Node | None) -> Events:
    """One administration of a drug."""
    unusable(resource, ("completed",), "administrations are taken")
    moment = resource["effectivePeriod"]["start"] if resource["effectivePeriod"] else resource["effectiveDateTime"]
    event = envelope(resource, EventType.MEDICATIONS, around, event_id=event_id(resource, full_url),
                     patient_id=patient_id(resource["subject"], around),
                     event_time=moment.moment("needs the time of the administration"), recorded=resource["meta"]["lastUpdated"])
    dosage = resource["dosage"]
    if dosage["dose"]:
        dose = amount(dosage["dose"]) or {}
    else:
        dosage["dose"].missing("needs the dose")
        dose = {}
    high_risk = resource.extension(names.HIGH_RISK, "valueBoolean").flag()
    payload = {"drug": _drug(resource), "dose": dose.get("value"), "unit": dose.get("unit"),
               "route": _words(dosage["route"], "needs the route"),
               "frequency": resource.extension(names.FREQUENCY, "valueString").text("needs the frequency"),
               **({} if high_risk is None else {"high_risk": high_risk})}
    return [{**event, "payload": payload}]


def adverse_event(resource: Node, around: Surroundings, full_url: Node | None) -> Events:
    """One adverse event that happened."""
    actuality = resource["actuality"]
    if not actuality:
        actuality.missing("only actual adverse events are taken")
    elif actuality.value != "actual":
        actuality.fault(ReasonCode.INVALID_VALUE, "only actual adverse events are taken")
    start = resource["date"].moment("needs the time at which the adverse event began")
    detected = resource["detected"]
    event = envelope(resource, EventType.ADVERSE_EVENTS, around, event_id=event_id(resource, full_url),
                     patient_id=patient_id(resource["subject"], around),
                     event_time=detected.moment("") if detected else start, recorded=resource["recordedDate"])
    end = resource.extension(names.END, "valueDateTime")
    action = resource.extension(names.ACTION, "valueString").text()
    payload = {"term": _words(resource["event"], "needs the term of the adverse event"),
               "grade": resource.extension(names.GRADE, "valueInteger").integer("needs the CTCAE grade, 1 to 5"),
               "start": start, **({"end": end.moment("")} if end else {}),
               "related": resource.extension(names.RELATED, "valueBoolean").flag(
                   "needs to say whether it is related to the study drug"),
               **({"action_taken": action} if action else {}),
               # The recorder's name is a person's: only the role is read.
               "reporter": resource.extension(names.REPORTER, "valueString").text("needs the role of who reported it")}
    return [{**event, "payload": payload}]


def patient(resource: Node, around: Surroundings, _: Node | None) -> Events:
    """Facts of enrolment. Names, addresses, contacts and the birth date stay behind: only the age goes on."""
    name = pseudonym(resource)
    if name is None:
        resource["identifier"].missing(f"needs the patient's pseudonym: an identifier of the system {names.PATIENT}, or as id")
    effective = resource.extension(names.EFFECTIVE, "valueDateTime")
    moment = (effective or resource["meta"]["lastUpdated"]).moment("needs the time at which these facts held")
    event = envelope(resource, EventType.DEMOGRAPHICS, around, event_id=_version(resource, name, moment), patient_id=name,
                     event_time=moment, recorded=resource["meta"]["lastUpdated"])
    if "enrolment_date" not in event:
        Node(None, f"{resource.path}.meta.tag[{names.ENROLMENT}]", resource.faults).missing("needs the day of the enrolment")
    payload = {"age": _age(resource, moment), "sex": resource["gender"].text("needs the sex"),
               "weight_kg": _measure(resource, names.WEIGHT, "kg"), "height_cm": _measure(resource, names.HEIGHT, "cm"),
               "enrolment_date": event.get("enrolment_date")}
    return [{**event, "payload": payload}]


def _version(resource: Node, name: str | None, moment: str | None) -> str:
    """The id of this state of a patient. The resource's own id stays when facts change, and cannot tell them apart."""
    for one in resource["identifier"]:
        if one["system"].value == names.EVENT_ID and (found := identity.given(one["value"].value)):
            return found
    return identity.derived("Patient", name, moment)


def _drug(resource: Node) -> str | None:
    concept = resource["medicationCodeableConcept"]
    if not concept and (found := resource["medicationReference"]["display"].text()):
        return found
    return _words(concept, "needs the drug")


def _words(concept: Node, needed: str) -> str | None:
    """What a CodeableConcept says: its text, else the display or code of its first coding."""
    if found := concept["text"].text():
        return found
    for coding in concept["coding"]:
        if found := coding["display"].text() or coding["code"].text():
            return found
    concept.missing(needed)
    return None


def _measure(resource: Node, url: str, unit: str) -> float | None:
    place = resource.extension(url, "valueQuantity")
    if not place:
        place.missing(f"needs a quantity in {unit}")
        return None
    found = amount(place)
    if found is not None and found["unit"] != unit:
        place["code"].fault(ReasonCode.UNIT_MISMATCH, f"must be in {unit}")
        return None
    return None if found is None else float(found["value"])


def _age(resource: Node, moment: str | None) -> int | None:
    """Whole years at the given time, by the calendar of the place where it was taken."""
    stated = resource.extension(names.AGE, "valueInteger")
    birth = resource["birthDate"]
    if stated or not birth:
        return stated.integer(f"needs the age in years, or birthDate instead of the extension {names.AGE}")
    born, then = _day(birth.text()), _day(moment)
    if born is None:
        birth.fault(ReasonCode.INVALID_VALUE, f"needs a full date; where it is not known, send the extension {names.AGE}")
    if born is None or then is None:
        return None
    return then.year - born.year - ((then.month, then.day) < (born.month, born.day))


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat((text or "")[:10])
    except ValueError:
        return None
