"""From native events to FHIR R4: what `parse` reads back as the same events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote

from applications.clinical.fhir import names
from applications.clinical.models import EventType
from applications.clinical.terminology import BY_CODE, DIASTOLIC, SYSTOLIC

Resource = dict[str, Any]
VITALS_PANEL = "85353-1"


def bundle(events: Iterable[Mapping[str, Any]], kind: str = "collection") -> Resource:
    """A Bundle of native events (any type but clinical-alerts). `kind` is collection, transaction or message."""
    entries: list[Resource] = []
    if kind == "message":
        entries.append({"resource": {"resourceType": "MessageHeader", "eventUri": f"{names.PREFIX}events",
                                     "source": {"endpoint": f"{names.PREFIX}sender"}}})
    for event in events:
        entry: Resource = {"fullUrl": f"urn:uuid:{event['event_id']}", "resource": resource(event)}
        if kind == "transaction":
            entry["request"] = {"method": "POST", "url": entry["resource"]["resourceType"]}
        entries.append(entry)
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


def resource(event: Mapping[str, Any]) -> Resource:
    """The resource of one native event. Raises ValueError for a type that has none."""
    render = _RENDER.get(event["event_type"])
    if render is None:
        raise ValueError(f"no FHIR resource for events of the type {event['event_type']}")
    tags = [{"system": system, "code": event[field]} for system, field in (
        (names.STUDY, "study_id"), (names.SITE, "site_id"), (names.ARM, "trial_arm"), (names.ENROLMENT, "enrolment_date"))
        if event.get(field) is not None]
    meta = {"lastUpdated": event["recorded_time"], "source": names.SOURCE + quote(event["source"], safe=""), "tag": tags}
    return {"id": event["event_id"], "meta": meta, **render(event, event["payload"])}


def _subject(event: Mapping[str, Any]) -> Resource:
    return {"reference": f"Patient/{event['patient_id']}"}


def _quantity(value: float, unit: str) -> Resource:
    return {"value": value, "unit": unit, "system": names.UCUM, "code": unit}


def _loinc(code: str) -> Resource:
    known = BY_CODE.get(code)
    return {"coding": [{"system": names.LOINC, "code": code, **({"display": known.name} if known else {})}]}


def _extensions(*values: tuple[str, str, Any]) -> list[Resource]:
    return [{"url": url, kind: value} for url, kind, value in values if value is not None]


def _observation(event: Mapping[str, Any], category: str) -> Resource:
    return {"resourceType": "Observation", "status": "final", "subject": _subject(event), "issued": event["recorded_time"],
            "effectiveDateTime": event["event_time"], "category": [{"coding": [{"system": names.CATEGORY, "code": category}]}]}


def _vitals(event: Mapping[str, Any], payload: Mapping[str, Any]) -> Resource:
    measured = [{"code": _loinc(one["code"]), "valueQuantity": _quantity(one["value"], one["unit"])}
                for one in payload["measurements"]]
    common = _observation(event, "vital-signs")
    if len(measured) == 1:
        return {**common, **measured[0]}
    pressure = {one["code"] for one in payload["measurements"]} == {SYSTOLIC, DIASTOLIC}
    return {**common, "code": _loinc(names.BLOOD_PRESSURE_PANEL if pressure else VITALS_PANEL), "component": measured}


def _lab(event: Mapping[str, Any], payload: Mapping[str, Any]) -> Resource:
    return {**_observation(event, "laboratory"), "code": _loinc(payload["code"]),
            "valueQuantity": _quantity(payload["value"], payload["unit"]),
            "extension": _extensions((names.SEX, "valueCode", payload.get("sex")),
                                     (names.PRIORITY, "valueCode", payload.get("priority", "routine")))}


def _medication(event: Mapping[str, Any], payload: Mapping[str, Any]) -> Resource:
    return {"resourceType": "MedicationAdministration", "status": "completed", "subject": _subject(event),
            "effectiveDateTime": event["event_time"], "medicationCodeableConcept": {"text": payload["drug"]},
            "dosage": {"route": {"text": payload["route"]}, "dose": _quantity(payload["dose"], payload["unit"])},
            "extension": _extensions((names.FREQUENCY, "valueString", payload["frequency"]),
                                     (names.HIGH_RISK, "valueBoolean", payload.get("high_risk", False)))}


def _adverse_event(event: Mapping[str, Any], payload: Mapping[str, Any]) -> Resource:
    return {"resourceType": "AdverseEvent", "actuality": "actual", "subject": _subject(event),
            "event": {"text": payload["term"]}, "date": payload["start"], "detected": event["event_time"],
            "recordedDate": event["recorded_time"],
            "extension": _extensions(
                (names.GRADE, "valueInteger", payload["grade"]), (names.END, "valueDateTime", payload.get("end")),
                (names.RELATED, "valueBoolean", payload["related"]),
                (names.ACTION, "valueString", payload.get("action_taken")),
                (names.REPORTER, "valueString", payload["reporter"]))}


def _patient(event: Mapping[str, Any], payload: Mapping[str, Any]) -> Resource:
    return {"resourceType": "Patient", "id": event["patient_id"], "gender": payload["sex"],
            "identifier": [{"system": names.EVENT_ID, "value": event["event_id"]},
                           {"system": names.PATIENT, "value": event["patient_id"]}],
            "extension": _extensions(
                (names.EFFECTIVE, "valueDateTime", event["event_time"]), (names.AGE, "valueInteger", payload["age"]),
                (names.WEIGHT, "valueQuantity", _quantity(payload["weight_kg"], "kg")),
                (names.HEIGHT, "valueQuantity", _quantity(payload["height_cm"], "cm")),
                # Where the envelope has no such day, the payload's is the only one.
                *([] if event.get("enrolment_date") else [(names.ENROLMENT, "valueDate", payload["enrolment_date"])]))}


_RENDER: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Resource]] = {
    EventType.PATIENT_VITALS: _vitals, EventType.LAB_RESULTS: _lab, EventType.MEDICATIONS: _medication,
    EventType.ADVERSE_EVENTS: _adverse_event, EventType.DEMOGRAPHICS: _patient}
