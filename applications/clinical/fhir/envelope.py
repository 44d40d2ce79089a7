"""What every event has, read from a FHIR resource: its id, whose it is, study, site, arm, enrolment, times and source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from applications.clinical import identity
from applications.clinical.fhir import names
from applications.clinical.fhir.node import Node
from applications.clinical.models import PATIENT_ID, SCHEMA_VERSION, EventType
from applications.clinical.reasons import ReasonCode

DEFAULT_SOURCE = "fhir"


@dataclass(frozen=True)
class Surroundings:
    """What a Bundle says for all its resources: its own node (for tags and source) and the patients in it, by reference."""

    bundle: Node | None = None
    patients: Mapping[str, str] = field(default_factory=dict)


def envelope(resource: Node, event_type: EventType, around: Surroundings, *, event_id: str | None, patient_id: str | None,
             event_time: str | None, recorded: Node) -> dict[str, Any]:
    """The envelope. Notes as faults what is missing; what is there is judged later, by the contract's validation."""
    study, site, arm = (_tag(resource, system, around, what) for system, what in (
        (names.STUDY, "study"), (names.SITE, "site"), (names.ARM, "trial arm")))
    enrolment = _tag(resource, names.ENROLMENT, around, None)
    return {"event_id": event_id, "schema_version": SCHEMA_VERSION, "event_type": event_type.value, "patient_id": patient_id,
            "study_id": study, "site_id": site, "trial_arm": arm, "event_time": event_time,
            "recorded_time": (recorded or resource["meta"]["lastUpdated"]).text() or event_time,
            "source": _source(resource, around), **({"enrolment_date": enrolment} if enrolment else {})}


def event_id(resource: Node, full_url: Node | None) -> str | None:
    """The id: a UUID that the sender gave, else one derived from the resource's identifier, id or address."""
    identifiers = _identifiers(resource)
    own = next((one["value"] for one in identifiers if one["system"].value == names.EVENT_ID), None)
    for candidate in ([own] if own else []) + [resource["id"], *(one["value"] for one in identifiers)]:
        if found := identity.given(candidate.value):
            return found
    kind = resource["resourceType"].value
    for one in identifiers:
        if value := one["value"].text():
            return identity.derived(kind, one["system"].text() or "", value)
    if value := resource["id"].text():
        # An id is unique on its server only; the site stands for the server.
        return identity.derived(kind, "id", _found(resource, names.SITE) or "", value)
    if full_url is not None and (found := identity.given(full_url.value)):
        return found
    resource["id"].missing("needs an id or identifier, or a resend could not be told from a new event")
    return None


def patient_id(subject: Node, around: Surroundings) -> str | None:
    """The pseudonym in a reference: `Patient/PT…`, an identifier, or a Patient of the same Bundle."""
    reference = subject["reference"].text()
    if reference is not None:
        known = around.patients.get(reference)
        name = known or reference.removesuffix("/").rpartition("Patient/")[2]
        if re.fullmatch(PATIENT_ID, name):
            return name
    identifier = subject["identifier"]
    if identifier["system"].value == names.PATIENT and (value := identifier["value"].text()):
        return value
    # The reference may hold a hospital number or a name: it is not repeated.
    subject.missing(f"needs the patient's pseudonym: a reference Patient/PT…, or an identifier of the system {names.PATIENT}")
    return None


def pseudonym(patient: Node) -> str | None:
    """The pseudonym of a Patient resource, None where it has none."""
    for one in _identifiers(patient):
        if one["system"].value == names.PATIENT and isinstance(one["value"].value, str):
            return str(one["value"].value)
    own = patient["id"].value
    return own if isinstance(own, str) and re.fullmatch(PATIENT_ID, own) else None


def _identifiers(resource: Node) -> list[Node]:
    # AdverseEvent has one identifier where other resources have a list.
    place = resource["identifier"]
    return [place] if isinstance(place.value, dict) else list(place)


def _tag(resource: Node, system: str, around: Surroundings, what: str | None) -> str | None:
    found = _found(resource, system) or (_found(around.bundle, system) if around.bundle else None)
    if found is None and what is not None:
        Node(None, f"{resource.path}.meta.tag[{system}]", resource.faults).missing(
            f"needs the {what}: a tag of this system, or an extension of this address")
    return found


def _found(resource: Node, system: str) -> str | None:
    """The code of a tag, or the value of an extension."""
    for tag in resource["meta"]["tag"]:
        if tag["system"].value == system:
            return tag["code"].text("needs a code")
    for extension in resource["extension"]:
        if extension["url"].value == system:
            return extension.first("valueString", "valueCode", "valueId", "valueDate").text("needs a value")
    return None


def _source(resource: Node, around: Surroundings) -> str:
    """The device, else the system that the resource came from. Performers are people: they are not read."""
    device = resource["device"]
    if not isinstance(device.value, list):
        for place in (device["identifier"]["value"], device["display"], device["reference"]):
            if found := place.text():
                return found
    for meta in (resource["meta"], around.bundle["meta"] if around.bundle else None):
        if meta is not None and (found := meta["source"].text()):
            return unquote(found.removeprefix(names.SOURCE)) if found.startswith(names.SOURCE) else found
    return DEFAULT_SOURCE


def unusable(resource: Node, allowed: tuple[str, ...], meaning: str) -> None:
    """Notes a status that is missing, or says that the content does not count."""
    status = resource["status"]
    if not status:
        status.missing(f"only {', '.join(allowed)} {meaning}")
    elif status.value not in allowed:
        status.fault(ReasonCode.INVALID_VALUE, f"only {', '.join(allowed)} {meaning}")
