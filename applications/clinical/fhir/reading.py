"""From a FHIR body to native events: a Bundle or one resource, all of it or nothing, with every fault of every resource."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson
from fhir.resources.R4B.adverseevent import AdverseEvent
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.medicationadministration import MedicationAdministration
from fhir.resources.R4B.observation import Observation
from fhir.resources.R4B.patient import Patient
from pydantic import BaseModel, ValidationError

from applications.clinical import identity
from applications.clinical.fhir import resources
from applications.clinical.fhir.envelope import Surroundings, pseudonym
from applications.clinical.fhir.node import Node
from applications.clinical.fhir.observation import observation
from applications.clinical.reasons import Invalid, Reason, ReasonCode, Unparseable

Mapper = Callable[[Node, Surroundings, Node | None], list[dict[str, Any]]]

_READ: Mapping[str, tuple[type[BaseModel], Mapper]] = {
    "Observation": (Observation, observation), "MedicationAdministration": (MedicationAdministration, resources.medication),
    "AdverseEvent": (AdverseEvent, resources.adverse_event), "Patient": (Patient, resources.patient)}
_SUPPORTED = ", ".join(_READ)
_BUNDLES = ("collection", "transaction", "message")
# What goes with results and holds none. Anything else would be lost silently, so it is refused.
_COMPANIONS = frozenset(("Device", "Encounter", "Location", "Medication", "MessageHeader", "Organization", "Practitioner",
                         "PractitionerRole", "Provenance", "ResearchStudy", "ResearchSubject"))
_WORDS = {"missing": "FHIR R4 needs it", "extra_forbidden": "FHIR R4 has no such element"}
LONGEST_PATH = 200


def parse(body: bytes) -> list[dict[str, Any]]:
    """The events of a Bundle (collection, transaction, message) or of one resource, as native envelopes.

    Raises Unparseable for what is not JSON or no such resource, and Invalid with every fault of every resource, `field`
    being the path in the body. What is well formed may still break the contract: validation.check_object says so.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Unparseable(f"the body is not JSON in UTF-8: the fault is near character {error.pos}") from None
    kind = value.get("resourceType") if isinstance(value, dict) else None
    if not isinstance(kind, str):
        raise Unparseable("the body is not a FHIR resource: it needs a resourceType")
    if kind not in _READ and kind != "Bundle":
        raise Unparseable(f"this type of resource is not taken: send a Bundle, {_SUPPORTED}")
    top = Node(value, kind, [])
    places = list(_of_bundle(top) if kind == "Bundle" else _of_resource(top, Surroundings(), None))
    events, clashes = identity.clashes(places)
    faults = _once([*top.faults, *clashes])
    if faults:
        raise Invalid(faults)
    return events


def _of_bundle(bundle: Node) -> Iterator[tuple[dict[str, Any], str]]:
    entries = list(bundle["entry"])
    bare = {**bundle.value, "entry": [
        {name: part for name, part in entry.value.items() if name != "resource"} if isinstance(entry.value, dict)
        else entry.value for entry in entries]} if entries else bundle.value
    _check(Bundle, Node(bare, bundle.path, bundle.faults))
    if bundle["type"].value not in _BUNDLES:
        bundle["type"].fault(ReasonCode.INVALID_VALUE, f"must be {', '.join(_BUNDLES)}")
    around = Surroundings(bundle, _patients(entries))
    taken = 0
    for entry in entries:
        place = entry["resource"]
        kind = place["resourceType"].value
        if entry["request"]["method"].value not in (None, "POST", "PUT"):
            entry["request"]["method"].fault(ReasonCode.INVALID_VALUE, "only POST and PUT are taken: events are never changed")
        if isinstance(kind, str) and kind in _READ:
            taken += 1
            yield from _of_resource(place, around, entry["fullUrl"])
        elif not isinstance(kind, str):
            place.missing("needs a resource with a resourceType")
        elif kind not in _COMPANIONS:
            place.fault(ReasonCode.INVALID_VALUE, f"this type of resource is not taken: send {_SUPPORTED}")
    if not taken:
        bundle["entry"].missing(f"has no resource to take: send {_SUPPORTED}")


def _of_resource(place: Node, around: Surroundings, full_url: Node | None) -> Iterator[tuple[dict[str, Any], str]]:
    model, mapper = _READ[place["resourceType"].value]
    events = mapper(place, around, full_url)
    _check(model, place)
    return ((event, f"{place.path}.id") for event in events)


def _patients(entries: list[Node]) -> dict[str, str]:
    """The pseudonyms of the Bundle's patients, by what a reference to them says."""
    found = {}
    for entry in entries:
        place = entry["resource"]
        if place["resourceType"].value == "Patient" and (name := pseudonym(place)) is not None:
            for reference in (entry["fullUrl"].value, f"Patient/{place['id'].value}"):
                if isinstance(reference, str):
                    found[reference] = name
    return found


def _check(model: type[BaseModel], place: Node) -> None:
    """Holds a resource against the model of FHIR R4."""
    try:
        model.model_validate(place.value)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False, include_context=False):
            path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault["loc"] if part != "root")
            code = ReasonCode.MISSING_FIELD if fault["type"].endswith("missing") else \
                ReasonCode.WRONG_TYPE if fault["type"].endswith("_type") else ReasonCode.INVALID_VALUE
            place.faults.append(Reason(code, (place.path + path)[:LONGEST_PATH], _words(fault["type"], fault["msg"])))
    except Exception:  # the library answers nested resources of unknown type, and very deep ones, with errors of all kinds
        place.fault(ReasonCode.INVALID_VALUE, "is not as FHIR R4 says")


def _words(kind: str, message: str) -> str:
    """A fault in words. Messages of the library that quote the sender's text are not repeated."""
    if kind == "value_error":
        return message.removeprefix("Value error, ").rstrip(".")
    return _WORDS.get(kind, "FHIR R4 needs it" if kind.endswith("missing") else "is not as FHIR R4 says")


def _once(faults: list[Reason]) -> list[Reason]:
    """One fault a place; our own, which say what to do, come before the library's."""
    known: dict[str, Reason] = {}
    for fault in faults:
        known.setdefault(fault.field, fault)
    return list(known.values())
