"""Rules: FHIR becomes the same events as native JSON, all or nothing; people's names stay outside; nothing is more than invalid."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from applications.clinical import fhir
from applications.clinical.fhir import names
from applications.clinical.identity import derived
from applications.clinical.reasons import Invalid, Unparseable
from applications.clinical.validation import check_object
from tests.unit.clinical.contract_events import (
    BOUNDED,
    ID,
    RECEIVED,
    TYPES,
    anything,
    event,
    faults,
    json_values,
    reasons,
    sample,
    spoiled,
)


def parsed(value: Any) -> list[dict[str, Any]]:
    return fhir.parse(orjson.dumps(value))


def found_faults(value: Any) -> dict[str, str]:
    return faults(lambda: parsed(value))


def changed(event_type: str, **changes: Any) -> dict[str, Any]:
    """The resource of an event with some members replaced; None takes one away."""
    resource = {**fhir.resource(event(event_type)), **changes}
    return {name: part for name, part in resource.items() if part is not None}


def quantity(value: Any, unit: str) -> dict[str, Any]:
    return {"value": value, "system": names.UCUM, "code": unit}


def without(resource: dict[str, Any], url: str) -> list[dict[str, Any]]:
    return [one for one in resource["extension"] if one["url"] != url]


def test_a_visit_as_a_hospital_sends_it() -> None:
    """Values, codes, times and pseudonyms come out; each kind of reference to the patient is understood."""
    found = parsed(orjson.loads(sample("bundle-visit.json")))
    for one in found:
        check_object(one, RECEIVED, one["event_type"])
    common = {"schema_version": "1.0.0", "patient_id": "PTAB12CD34", "study_id": "CARDIO-01", "site_id": "SITE007",
              "trial_arm": "treatment", "enrolment_date": "2026-01-15"}
    hospital = "https://ehr.example.org/fhir"
    assert found == [
        {**common, "event_id": derived("Patient", "PTAB12CD34", "2026-03-01T09:00:00+01:00"), "event_type": "demographics",
         "event_time": "2026-03-01T09:00:00+01:00", "recorded_time": "2026-03-01T09:00:00+01:00", "source": hospital,
         # One day before the 65th birthday.
         "payload": {"age": 64, "sex": "female", "weight_kg": 71.5, "height_cm": 168.0, "enrolment_date": "2026-01-15"}},
        {**common, "event_id": derived("Observation", "https://hospital.example.org/results", "bp-2026-0301-1"),
         "event_type": "patient-vitals", "event_time": "2026-03-01T09:05:00+01:00",
         "recorded_time": "2026-03-01T09:06:10.250+01:00", "source": "Cuff 12",
         "payload": {"measurements": [{"code": "8480-6", "value": 128.0, "unit": "mm[Hg]"},
                                      {"code": "8462-4", "value": 10.5, "unit": "kPa"}]}},
        {**common, "event_id": "5c1f0d9a-8a34-4f0e-b6b9-6a0c6a2f3e10", "event_type": "lab-results",
         "event_time": "2026-03-01T08:30:00+01:00", "recorded_time": "2026-03-01T08:30:00+01:00", "source": hospital,
         "payload": {"code": "14749-6", "value": 5.4, "unit": "mmol/L", "sex": "female", "priority": "stat"}},
        {**common, "event_id": "7d0b1b52-2e3c-4f7e-8a63-1b7d1c0a9e22", "event_type": "medications",
         "event_time": "2026-03-01T09:15:00+01:00", "recorded_time": "2026-03-01T09:15:00+01:00", "source": hospital,
         "payload": {"drug": "Metoprolol", "dose": 50.0, "unit": "mg", "route": "oral", "frequency": "BID", "high_risk": True}},
        {**common, "event_id": derived("AdverseEvent", "https://hospital.example.org/safety", "AE-17"),
         "event_type": "adverse-events", "event_time": "2026-03-01T09:10:00+01:00",
         "recorded_time": "2026-03-01T09:20:00+01:00", "source": hospital,
         "payload": {"term": "Übelkeit", "grade": 3, "start": "2026-03-01T07:00:00+01:00", "related": True,
                     "action_taken": "dose reduced", "reporter": "investigator"}}]


def test_names_addresses_birth_dates_and_other_identifiers_stay_outside() -> None:
    text = orjson.dumps(parsed(orjson.loads(sample("bundle-visit.json")))).decode()
    for secret in ("Müller", "Łucja", "花子", "1961", "5550199", "Straße", "Köln", "MRN", "4711", "Nørgård"):
        assert secret not in text
        assert secret in sample("bundle-visit.json").decode()


@BOUNDED
@given(st.lists(anything(), min_size=1, max_size=4, unique_by=lambda one: one["event_id"]),
       st.sampled_from(("collection", "transaction", "message")))
def test_rendering_and_reading_gives_the_same_events(events: list[dict[str, Any]], kind: str) -> None:
    assert parsed(fhir.bundle(events, kind)) == events
    assert [parsed(fhir.resource(one)) for one in events] == [[one] for one in events]


def test_only_what_senders_send_can_be_rendered() -> None:
    with pytest.raises(ValueError, match="clinical-alerts"):
        fhir.resource({**event(), "event_type": "clinical-alerts"})


@BOUNDED
@given(st.binary(max_size=200))
def test_random_bytes_are_unparseable(body: bytes) -> None:
    with pytest.raises(Unparseable):
        fhir.parse(body)


@BOUNDED
@given(st.data(), st.sampled_from(TYPES))
def test_a_spoiled_resource_is_unparseable_invalid_or_events_that_can_be_judged(data: st.DataObject, event_type: str) -> None:
    value = data.draw(spoiled(fhir.bundle([event(event_type), event(event_id=ID.replace("1", "9"))])))
    try:
        for one in parsed(value):
            check_object(one, RECEIVED)
    except Unparseable:
        return
    except Invalid as error:
        assert all(reason.message for reason in error.reasons)


@BOUNDED
@given(st.sampled_from(("Observation", "Patient", "AdverseEvent", "MedicationAdministration", "Bundle")),
       st.dictionaries(st.sampled_from(("status", "code", "component", "subject", "meta", "entry", "extension", "identifier", "id",
                                        "valueQuantity", "device", "dosage", "contained", "birthDate")), json_values()))
def test_members_of_any_type_are_invalid_and_nothing_worse(kind: str, members: dict[str, Any]) -> None:
    assert found_faults({**members, "resourceType": kind})


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b"{}", b'{"resourceType": 5}', b'{"resourceType": "Condition"}', b'{"resourceType": "Bundl\xe9"}',
    b"[" * 100_000, '{"resourceType": "Patient"}'.encode("utf-16")])
def test_what_is_not_json_or_none_of_these_resources_is_unparseable(body: bytes) -> None:
    with pytest.raises(Unparseable):
        fhir.parse(body)


def test_every_fault_of_every_resource_is_named_with_its_path_at_once() -> None:
    lab = changed("lab-results", status="preliminary", effectiveDateTime="2026-03-01", colour="red",
                  valueQuantity={"value": "92", "unit": "mg/dL"}, subject={"reference": "Patient/Jane-Doe"})
    del lab["meta"]["tag"][1]
    assert found_faults(
        {"resourceType": "Bundle", "type": "history", "entry": [
            {"resource": lab}, {"resource": changed("medications", dosage=None), "request": {"method": "DELETE", "url": "x"}},
            {"resource": {"resourceType": "Condition"}}, {}]}) == {
        "Bundle.type": "invalid-value", "Bundle.entry[1].request.method": "invalid-value",
        "Bundle.entry[2].resource": "invalid-value", "Bundle.entry[3].resource": "missing-field",
        "Bundle.entry[0].resource.status": "invalid-value", "Bundle.entry[0].resource.effectiveDateTime": "invalid-value",
        "Bundle.entry[0].resource.subject": "missing-field", "Bundle.entry[0].resource.colour": "invalid-value",
        "Bundle.entry[0].resource.meta.tag[urn:clinical:site]": "missing-field",
        "Bundle.entry[0].resource.valueQuantity.value": "wrong-type",
        "Bundle.entry[0].resource.valueQuantity.code": "missing-field",
        "Bundle.entry[0].resource.valueQuantity.system": "missing-field",
        "Bundle.entry[1].resource.dosage.dose": "missing-field", "Bundle.entry[1].resource.dosage.route": "missing-field"}


def test_a_reason_never_repeats_what_was_sent() -> None:
    secret = "XYZZYPLUGH"
    broken = changed("demographics", gender=[secret], birthDate=secret, name=[{"family": secret, "use": [secret]}], identifier=[
        {"system": "urn:oid:1.2.3", "value": secret}], id=secret + "!", contained=[{"resourceType": secret}])
    for resource in (broken, {**broken, "contained": [{"resourceType": "Observation", "code": secret}]}):
        assert not any(secret in reason.message + field for field, reason in reasons(lambda r=resource: parsed(r)).items())


@pytest.mark.parametrize(("event_type", "changes", "found"), [
    ("lab-results", {"status": "entered-in-error"}, {"status": "invalid-value"}),
    ("lab-results", {"status": None}, {"status": "missing-field"}),
    ("lab-results", {"effectiveDateTime": "2026-03-01T09:05:00"}, {"effectiveDateTime": "invalid-value"}),
    ("lab-results", {"effectiveDateTime": "2026"}, {"effectiveDateTime": "invalid-value"}),
    ("lab-results", {"effectiveDateTime": None}, {"effectiveDateTime": "missing-field"}),
    ("lab-results", {"valueQuantity": None, "valueString": "high"}, {"valueQuantity": "missing-field"}),
    ("lab-results", {"valueQuantity": {**quantity(5, "mg/dL"), "comparator": "<"}}, {"valueQuantity.comparator": "invalid-value"}),
    ("lab-results", {"valueQuantity": quantity(True, "mg/dL")}, {"valueQuantity.value": "wrong-type"}),
    ("lab-results", {"valueQuantity": {**quantity(5, "mg/dL"), "system": "urn:local"}}, {"valueQuantity.system": "invalid-value"}),
    ("lab-results", {"code": {"coding": [{"system": names.LOINC, "code": "1-1"}]}}, {"code.coding": "unknown-code"}),
    ("lab-results", {"code": {"coding": [{"system": "urn:local", "code": "2345-7"}]}}, {"code.coding": "missing-field"}),
    ("lab-results", {"code": {"coding": [{"system": names.LOINC, "code": names.BLOOD_PRESSURE_PANEL}]}},
     {"code.coding": "invalid-value"}),
    ("lab-results", {"id": None}, {"id": "missing-field"}),
    ("lab-results", {"subject": {"display": "Jane Doe"}}, {"subject": "missing-field"}),
    ("medications", {"status": "not-done"}, {"status": "invalid-value"}),
    ("medications", {"medicationCodeableConcept": {}}, {"medicationCodeableConcept": "missing-field"}),
    ("adverse-events", {"actuality": "potential"}, {"actuality": "invalid-value"}),
    ("adverse-events", {"date": None}, {"date": "missing-field"}),
    ("demographics", {"gender": None}, {"gender": "missing-field"}),
    ("demographics", {"identifier": None, "id": "4711"}, {"identifier": "missing-field"})])
def test_what_is_refused_and_where(event_type: str, changes: dict[str, Any], found: dict[str, str]) -> None:
    resource = changed(event_type, **changes)
    expected = {f"{resource['resourceType']}.{field}": code for field, code in found.items()}
    assert {field: code for field, code in found_faults(resource).items() if field in expected} == expected
    assert len(found_faults(resource)) <= len(expected) + 1


def test_ids_a_uuid_is_kept_and_anything_else_gives_one_that_a_resend_has_again() -> None:
    def id_of(**changes: Any) -> str:
        return str(parsed(changed("lab-results", **changes))[0]["event_id"])
    local = [{"system": "urn:lab", "value": "R-1"}]
    assert id_of(id=ID.upper()) == ID
    assert id_of(id=None, identifier=[{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{ID}"}]) == ID
    assert id_of(identifier=[{"system": names.EVENT_ID, "value": ID.replace("1", "7")}]) == ID.replace("1", "7")
    assert id_of(id="r1", identifier=local) == id_of(id="other", identifier=local) == derived("Observation", "urn:lab", "R-1")
    others = {id_of(id="r1", identifier=local), id_of(id="r1", identifier=[{"system": "urn:other", "value": "R-1"}]),
              id_of(id="r1"), id_of(id="r2")}
    assert len(others) == 4
    entry = {"fullUrl": f"urn:uuid:{ID}", "resource": changed("lab-results", id=None)}
    assert parsed({"resourceType": "Bundle", "type": "collection", "entry": [entry]})[0]["event_id"] == ID


def test_the_same_id_of_a_server_at_two_sites_is_two_events() -> None:
    first, second = changed("lab-results", id="r1"), changed("lab-results", id="r1")
    second["meta"] = deepcopy(second["meta"])
    second["meta"]["tag"][1]["code"] = "SITE008"
    assert parsed(first)[0]["event_id"] != parsed(second)[0]["event_id"]


def test_an_id_with_two_contents_is_refused_and_a_true_repeat_is_one_event() -> None:
    bundle = fhir.bundle([event(), event()])
    assert parsed(bundle) == [event()]
    other = fhir.bundle([event(), event(source="another")])
    assert found_faults(other) == {"Bundle.entry[1].resource.id": "invalid-value"}


def test_a_patients_changed_facts_are_a_new_event_though_the_resource_keeps_its_id() -> None:
    def id_of(moment: str) -> str:
        resource = changed("demographics", identifier=[{"system": names.PATIENT, "value": "PTAB12CD34"}], id=ID)
        resource["extension"] = [{"url": names.EFFECTIVE, "valueDateTime": moment}, *without(resource, names.EFFECTIVE)]
        return str(parsed(resource)[0]["event_id"])
    assert id_of("2026-02-01T00:00:00Z") == id_of("2026-02-01T00:00:00Z") != id_of("2026-02-02T00:00:00Z")


@pytest.mark.parametrize(("moment", "age"), [
    ("2026-03-01T23:59:59+01:00", 65), ("2026-02-28T23:59:59+01:00", 65), ("2026-02-27T23:59:59+01:00", 64)])
def test_the_age_is_counted_in_whole_years_at_the_effective_date(moment: str, age: int) -> None:
    resource = changed("demographics", birthDate="1961-02-28")
    resource["extension"] = [{"url": names.EFFECTIVE, "valueDateTime": moment},
                             *(one for one in without(resource, names.AGE) if one["url"] != names.EFFECTIVE)]
    assert parsed(resource)[0]["payload"]["age"] == age


def test_half_a_birth_date_is_no_age() -> None:
    resource = changed("demographics", birthDate="1961")
    resource["extension"] = without(resource, names.AGE)
    assert found_faults(resource) == {"Patient.birthDate": "invalid-value"}
    del resource["birthDate"]
    assert found_faults(resource) == {f"Patient.extension[{names.AGE}].valueInteger": "missing-field"}


def test_study_site_arm_and_enrolment_come_from_extensions_too_and_a_resources_own_come_first() -> None:
    resource = changed("lab-results", meta=None)
    resource["extension"] = [*resource["extension"], {"url": names.STUDY, "valueString": "ONC-2"},
                             {"url": names.SITE, "valueCode": "SITE042"}, {"url": names.ARM, "valueCode": "control"},
                             {"url": names.ENROLMENT, "valueDate": "2026-02-02"}]
    expected = {"study_id": "ONC-2", "site_id": "SITE042", "trial_arm": "control", "enrolment_date": "2026-02-02"}
    tags = [{"system": names.SITE, "code": "SITE001"}, {"system": names.ARM, "code": "treatment"}]
    bundle = {"resourceType": "Bundle", "type": "collection", "meta": {"tag": tags}, "entry": [{"resource": resource}]}
    for value in (resource, bundle):
        assert expected.items() <= parsed(value)[0].items()


def test_components_of_a_panel_are_one_set_of_vitals_and_an_event_a_laboratory_result() -> None:
    def component(code: str, value: float, unit: str) -> dict[str, Any]:
        return {"code": {"coding": [{"system": names.LOINC, "code": code}]}, "valueQuantity": quantity(value, unit)}
    panel = changed("lab-results", valueQuantity=None, extension=None, code={"text": "rounds"}, component=[
        component("8867-4", 72, "/min"), component("2823-3", 4.2, "mmol/L"), component("8310-5", 37.1, "Cel"),
        component("2951-2", 140, "mmol/L")])
    found = parsed(panel)
    assert [one["payload"] for one in found] == [
        {"measurements": [{"code": "8867-4", "value": 72.0, "unit": "/min"}, {"code": "8310-5", "value": 37.1, "unit": "Cel"}]},
        {"code": "2823-3", "value": 4.2, "unit": "mmol/L"}, {"code": "2951-2", "value": 140.0, "unit": "mmol/L"}]
    assert len({one["event_id"] for one in found}) == 3
    assert found[0]["event_id"] == ID
    assert parsed(panel) == found


def test_a_time_keeps_the_offset_with_which_it_was_sent() -> None:
    for moment in ("2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-03-01T09:05:00.123+05:45"):
        assert parsed(changed("lab-results", effectiveDateTime=moment))[0]["event_time"] == moment


def test_very_deep_resources_are_invalid_and_nothing_worse() -> None:
    nested = b'{"url":"x","extension":[' * 400 + b'{"url":"x"}' + b"]}" * 400
    body = orjson.dumps(changed("lab-results", extension=["HERE"])).replace(b'"HERE"', nested)
    with pytest.raises(Invalid):
        fhir.parse(body)
