"""Observations: vital signs and laboratory results, told apart by their LOINC codes."""

from __future__ import annotations

from math import isfinite
from typing import Any

from applications.clinical import identity
from applications.clinical.fhir import names
from applications.clinical.fhir.envelope import Surroundings, envelope, event_id, patient_id, unusable
from applications.clinical.fhir.node import Node
from applications.clinical.models import EventType
from applications.clinical.reasons import ReasonCode
from applications.clinical.terminology import BY_CODE, Kind

Measured = tuple[Kind, dict[str, Any]]


def observation(resource: Node, around: Surroundings, full_url: Node | None) -> list[dict[str, Any]]:
    """Its vital signs as one event, and one event a laboratory result."""
    unusable(resource, ("final", "amended", "corrected"), "results are taken")
    event_time = resource.first("effectiveDateTime", "effectiveInstant").moment("needs the time of the measurement")
    identity_of_all = event_id(resource, full_url)
    common = envelope(resource, EventType.PATIENT_VITALS, around, event_id=identity_of_all,
                      patient_id=patient_id(resource["subject"], around), event_time=event_time, recorded=resource["issued"])
    found = _measurements(resource)
    vitals = [measurement for kind, measurement in found if kind is Kind.VITAL]
    events = [{**common, "payload": {"measurements": vitals}}] if vitals else []
    further = {**_coded(resource, names.SEX, "sex"), **_coded(resource, names.PRIORITY, "priority")}
    for number, (kind, measurement) in enumerate(found):
        if kind is Kind.LAB:
            own = identity_of_all if len(found) == 1 else identity.derived(identity_of_all, "component", number)
            events.append({**common, "event_type": EventType.LAB_RESULTS.value, "event_id": own,
                           "payload": {**measurement, **further}})
    return events


def _measurements(resource: Node) -> list[Measured]:
    """The value of the resource and those of its components."""
    components = list(resource["component"])
    places = list(components)
    # A panel has no value of its own; neither has the code of a panel an analyte.
    if not components or resource["valueQuantity"]:
        places.insert(0, resource)
    return [found for place in places if (found := _measured(place)) is not None]


def _measured(place: Node) -> Measured | None:
    code = _code(place["code"])
    value = _value(place)
    analyte = BY_CODE.get(code) if code else None
    if analyte is None or value is None:
        return None
    return analyte.kind, {"code": code, **value}


def _code(concept: Node) -> str | None:
    """The first LOINC code that the contract knows."""
    codes = [coding["code"].value for coding in concept["coding"] if coding["system"].value == names.LOINC]
    known = next((code for code in codes if isinstance(code, str) and code in BY_CODE), None)
    if known is None:
        place = concept["coding"]
        if not codes:
            place.missing(f"needs a LOINC code (system {names.LOINC})")
        elif names.BLOOD_PRESSURE_PANEL in codes:
            place.fault(ReasonCode.INVALID_VALUE, "a blood pressure panel has its values in components")
        else:
            place.fault(ReasonCode.UNKNOWN_CODE, "no analyte of the contract has this LOINC code")
    return known


def _value(place: Node) -> dict[str, Any] | None:
    quantity = place["valueQuantity"]
    if not quantity:
        quantity.missing("needs a value with a unit; other kinds of value, and reasons why there is none, are not taken")
        return None
    if quantity["comparator"]:
        quantity["comparator"].fault(ReasonCode.INVALID_VALUE, "a limit is no measurement")
    return amount(quantity)


def amount(quantity: Node) -> dict[str, Any] | None:
    """Value and UCUM unit of a Quantity."""
    value = quantity["value"].number("needs a number")
    unit = quantity["code"].text("needs the UCUM code of the unit")
    if quantity["system"].value != names.UCUM:
        quantity["system"].fault(ReasonCode.INVALID_VALUE if quantity["system"] else ReasonCode.MISSING_FIELD,
                                 f"the unit's system must be {names.UCUM}")
        return None
    if value is not None and not isfinite(value):
        quantity["value"].fault(ReasonCode.INVALID_VALUE, "must be a finite number")
        return None
    return None if value is None or unit is None else {"value": value, "unit": unit}


def _coded(resource: Node, url: str, name: str) -> dict[str, str]:
    found = resource.extension(url, "valueCode").text()
    return {name: found} if found else {}
