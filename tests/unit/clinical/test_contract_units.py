"""Rules: the pair of code and unit decides; factors are those of chemistry and of the contract; nothing is guessed."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ucumvert import PintUcumRegistry

from applications.clinical import fhir, hl7
from applications.clinical.reasons import ReasonCode
from applications.clinical.terminology import ANALYTES, Alternate, Analyte, Kind
from applications.clinical.units import UnitMismatch, UnknownCode, to_canonical
from applications.clinical.validation import check_object
from tests.unit.clinical.contract_events import BOUNDED, RECEIVED, event, faults

# The contract's table, written down a second time on purpose: analyte, canonical code and unit, what else is accepted
# (unit, code), with the factor to the canonical unit.
CONTRACT: dict[str, tuple[str, str, dict[tuple[str, str], float]]] = {
    "Sodium": ("2951-2", "mmol/L", {("meq/L", "2951-2"): 1}),
    "Potassium": ("2823-3", "mmol/L", {("meq/L", "2823-3"): 1}),
    "Glucose": ("2345-7", "mg/dL", {("mmol/L", "14749-6"): 1 / 0.05551}),
    "Creatinine": ("2160-0", "mg/dL", {("umol/L", "14682-9"): 1 / 88.4}),
    "Urea nitrogen": ("3094-0", "mg/dL", {("mmol/L", "14937-7"): 1 / 0.357}),
    "ALT": ("1742-6", "U/L", {("ukat/L", "1742-6"): 1 / 0.0167}),
    "AST": ("1920-8", "U/L", {("ukat/L", "1920-8"): 1 / 0.0167}),
    "Bilirubin, total": ("1975-2", "mg/dL", {("umol/L", "14631-6"): 1 / 17.1}),
    "Albumin": ("1751-7", "g/dL", {("g/L", "1751-7"): 1 / 10}),
    "Hemoglobin": ("718-7", "g/dL", {("g/L", "718-7"): 1 / 10}),
    "Leukocytes": ("6690-2", "10*9/L", {("10*3/uL", "6690-2"): 1, ("{cells}/uL", "6690-2"): 1 / 1000,
                                        ("cells/uL", "6690-2"): 1 / 1000}),
    "Platelets": ("777-3", "10*9/L", {("10*3/uL", "777-3"): 1}),
    "Heart rate": ("8867-4", "/min", {}),
    "Respiratory rate": ("9279-1", "/min", {}),
    "SpO2": ("2708-6", "%", {}),
    "Body temperature": ("8310-5", "Cel", {("[degF]", "8310-5"): 1 / 1.8}),
    "Systolic pressure": ("8480-6", "mm[Hg]", {("kPa", "8480-6"): 1 / 0.1333}),
    "Diastolic pressure": ("8462-4", "mm[Hg]", {("kPa", "8462-4"): 1 / 0.1333})}
UNITS = sorted({unit for _, unit, also in CONTRACT.values() for unit in (unit, *(other for other, _ in also))}
               | {"mg/L", "nmol/L", "mmHg", "MG/DL", "%{}", ""})
CODES = sorted({code for code, _, also in CONTRACT.values() for code in (code, *(other for _, other in also))})
NAMES = {analyte.name: analyte for analyte in ANALYTES}
# Grams a mole; for urea nitrogen what its two nitrogen atoms weigh.
MOLAR_MASS = {"Glucose": 180.156, "Creatinine": 113.12, "Urea nitrogen": 28.0134, "Bilirubin, total": 584.66}
ALTERNATES = [(analyte, other) for analyte in ANALYTES for other in analyte.also]


def allowed(analyte: Analyte) -> dict[tuple[str, str], float]:
    code, unit, also = CONTRACT[analyte.name]
    return {(unit, code): 1.0, **also}


@cache
def registry() -> Any:
    return PintUcumRegistry()


def in_base_units(unit: str) -> Any:
    # The contract also takes the unit without the braces of UCUM's annotation.
    return registry().from_ucum("{cells}/uL" if unit == "cells/uL" else unit).to_base_units()


def test_the_table_is_the_contracts() -> None:
    assert {a.name: (a.code, a.unit, {(o.unit, o.code): pytest.approx(o.factor) for o in a.also}) for a in ANALYTES} == CONTRACT
    assert len({a.column for a in ANALYTES}) == len(ANALYTES) == 18


@pytest.mark.parametrize(("analyte", "other"), ALTERNATES, ids=lambda part: getattr(part, "unit", ""))
def test_each_factor_is_that_of_chemistry(analyte: Analyte, other: Alternate) -> None:
    """Within 0.3 %: clinical factors are rounded (0.0167 for a sixtieth)."""
    if other.offset:
        fahrenheit = registry().Quantity(other.offset + 1 / other.factor, "degree_Fahrenheit")
        assert fahrenheit.to("degree_Celsius").magnitude == pytest.approx(1, abs=1e-9)
        return
    theirs, ours = in_base_units(other.unit), in_base_units(analyte.unit)
    ratio = theirs / ours
    if other.code != analyte.code:
        ratio = ratio * MOLAR_MASS[analyte.name] * registry().from_ucum("g/mol")
    ratio = ratio.to_base_units()
    assert ratio.dimensionless
    assert ratio.magnitude == pytest.approx(other.factor, rel=3e-3)


@BOUNDED
@given(st.sampled_from(ALTERNATES), st.floats(-1e5, 1e5))
def test_there_and_back_is_the_same(pair: tuple[Analyte, Alternate], canonical: float) -> None:
    analyte, other = pair
    there = to_canonical(other.code, canonical / other.factor + other.offset, other.unit)
    assert there.value == pytest.approx(canonical, rel=1e-9, abs=1e-9)
    assert (there.analyte, there.converted) == (analyte, True)


@BOUNDED
@given(st.sampled_from(ANALYTES), st.floats(allow_nan=False))
def test_a_canonical_value_stays_untouched(analyte: Analyte, value: float) -> None:
    found = to_canonical(analyte.code, value, analyte.unit)
    assert (found.value, found.converted, found.analyte) == (value, False, analyte)


@pytest.mark.parametrize(("code", "unit"), list(product(CODES, UNITS)))
def test_every_code_with_every_unit_is_taken_converted_or_refused(code: str, unit: str) -> None:
    analyte = next(a for a in ANALYTES if code in {code for _, code in allowed(a)})
    factor = allowed(analyte).get((unit, code))
    if factor is None:
        with pytest.raises(UnitMismatch, match="measured in"):
            to_canonical(code, 1.0, unit)
    else:
        found = to_canonical(code, 100.0, unit)
        assert found.value == pytest.approx((100 - 32) / 1.8 if unit == "[degF]" else 100 * factor)
        assert found.converted is ((code, unit) != (analyte.code, analyte.unit))


@pytest.mark.parametrize(("name", "unit"), list(product(NAMES, UNITS)))
def test_a_swapped_unit_never_reaches_silver_whatever_the_value(name: str, unit: str) -> None:
    """Each analyte under its canonical code, with a value that would be plausible in its own unit: by every way in."""
    analyte = NAMES[name]
    value = analyte.reference.low + (analyte.reference.high - analyte.reference.low) / 2
    measured = {"code": analyte.code, "value": value, "unit": unit}
    vital = analyte.kind is Kind.VITAL
    sent = event("patient-vitals", {"measurements": [measured]}) if vital else event("lab-results", measured)
    place = "payload.measurements[0].unit" if vital else "payload.unit"
    if (unit, analyte.code) in allowed(analyte):
        if to_canonical(analyte.code, value, unit).possible:
            check_object(sent, RECEIVED)
        else:
            # In another unit the same number can be one that no body shows; that is all that is wrong with it.
            assert unit != analyte.unit
            assert set(faults(lambda: check_object(sent, RECEIVED)).values()) == {ReasonCode.IMPOSSIBLE_VALUE}
        return
    refused = {place: "unit-mismatch"} if unit else {place: "invalid-value"}
    assert faults(lambda: check_object(sent, RECEIVED)) == refused
    if unit:
        for parsed in (fhir.parse(orjson.dumps(fhir.resource(sent))), hl7.parse(hl7.oru_r01([sent])).events):
            assert faults(lambda found=parsed[0]: check_object(found, RECEIVED)) == refused


@pytest.mark.parametrize("unit", ["umol/L", "mmol/L"])
@pytest.mark.parametrize("name", list(MOLAR_MASS))
def test_a_mass_code_with_a_molar_unit_is_refused_and_so_is_the_reverse(name: str, unit: str) -> None:
    analyte = NAMES[name]
    with pytest.raises(UnitMismatch):
        to_canonical(analyte.code, 20.0, unit)
    with pytest.raises(UnitMismatch):
        to_canonical(analyte.also[0].code, 20.0, analyte.unit)


@pytest.mark.parametrize("code", ["", "0000-0", "2345-7 ", "85354-9"])
def test_a_code_outside_the_table_is_unknown(code: str) -> None:
    with pytest.raises(UnknownCode):
        to_canonical(code, 1.0, "mg/dL")
