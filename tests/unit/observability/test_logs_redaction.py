"""What the log-shipper leaves out of log lines, and what it keeps."""

from __future__ import annotations

import json

import pytest

from applications.observability.shipper.redaction import RULES, redact, redact_field

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl"
SECRETS = {
    "password=s3cr3t-canary user=x": "s3cr3t-canary",
    "PGPASSWORD=canary1 psql": "canary1",
    '{"db_password": "two words canary", "a": 1}': "canary",
    "{'secret_key': 'canary\\'s'}": "canary",
    '{\\"apiKey\\": \\"canary\\", \\"kept\\": 1}': "canary",
    'token => "canary never closed': "canary",
    "secrets: {'a': {'b': 'canary'}}": "canary",
    "X-API-Key: canary-0": "canary",
    "Authorization: Bearer canary": "canary",
    "sent bearer canary-canary-canary": "canary",
    "Authorization: Basic Y2FuYXJ5OmNhbmFyeQ==": "Y2FuYXJ5",
    "Cookie: a=canary1; session=canary2": "canary",
    "postgresql://airflow:canary@postgres:5432/airflow": "canary",
    "redis://:can@ary@redis:6379/1": "ary",
    f"refused {TOKEN}": "eyJ",
    "CREATE ROLE mlflow PASSWORD 'canary'": "canary",
    "your password is canary7": "canary7",
    "exec redis-cli --redis-password canary": "canary",
    "AKIAIOSFODNN7EXAMPLE used": "AKIA",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIcanary\n-----END RSA PRIVATE KEY-----": "canary",
    "-----BEGIN PRIVATE KEY----- MIIcanary": "canary",
    "GET /lake?X-Amz-Credential=canary&X-Amz-Signature=canary2": "canary",
    "got aB3dE6gH9jK2mN5pQ8sT1vW4yZ7canary0": "canary",
}
IDENTIFIERS = {
    "refused PT0A1B2C3D": "PT0A1B2C3D",
    "key patient:PT0A1B2C3D_features": "PT0A1B2C3D",
    "PID|1||X77^^^H||ROE^JANE^Q||19500102|F\rOBX|1|NM|2951-2": "JANE",
    "b'MSH|x\\rPID|1||X77||ROE^JANE||19500102\\rPV1|1'": "19500102",
    "NK1|1|ROE^RICHARD|SPO PV1|1": "RICHARD",
    "5^ROE^JANE": "JANE",
    '{"name":[{"use":"official","text":"Jane Roe","given":["Jane","Q"]}],"id":"1"}': "Jane",
    '{"name": {"text": "Jane Roe"}}': "Jane",
    '"given": ["Jane", "Q"': "Jane",
    '"family" : "Roe-Müller"': "Roe",
    '"address":[{"line":["7 Elm Street"],"city":"Springfield"}]': "Elm",
    '"telecom":[{"system":"phone","value":"555"}]': "555",
    '"name": "Jane Roe"': "Jane",
    "patient name: Jane van Roe": "Jane",
    "patient_name=Jane Roe failed": "Roe",
    "Patient Jane Roe was enrolled": "Roe",
    "Dr. Émile Zola signed": "Zola",
    '"birthDate":"1950-01-02"': "1950",
    "dob: 02.01.1950": "1950",
    "date of birth 1950-01-02, born 1950-01-02": "born 1950",
    "mail from jane.roe+x@example.co.uk": "jane",
    "call +49 (176) 123-45678": "123-45678",
    "call (555) 123-4567 or 555-123-4568": "4568",
    "phone: 0176 1234567": "1234567",
    "SSN 078-05-1120": "1120",
    "mrn=8812345": "8812345",
}
KEPT = (
    "2026-11-26T10:49:46.123456789Z INFO started on 10.0.0.12:8080 in 1.5 s, version 2.19.6",
    "consumed topic=patient-vitals partition=3 offset=123456789012 lag=0",
    "org.apache.spark.sql.execution.datasources.FileFormatWriter: Write Job 3f2504e0-4f89-11d3-9a0c-0305e82c3301 committed",
    "digest sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "GET http://minio:9000/bronze/topic=lab-results/date=2026-11-26/hour=10/3-100-200.parquet 200",
    "java.lang.IllegalStateException: className: Foo, given up after 3 attempts",
    '{"name": "spark-streaming", "address": "127.0.0.1:8080"}',
    "the password is wrong; ssl.key.password = null",
    "Creatinine 1.2 mg/dL, Patient Count 17",
    "2026-11-26 10:49:46,123 [main] WARN  Optimization pass +0000 1732618186123",
)


@pytest.mark.parametrize(("line", "gone"), {**SECRETS, **IDENTIFIERS}.items())
def test_what_must_not_leave_is_gone(line: str, gone: str) -> None:
    assert gone in line and gone not in redact(line)


@pytest.mark.parametrize("line", KEPT)
def test_what_tells_nothing_of_anybody_is_kept(line: str) -> None:
    assert redact(line) == line


@pytest.mark.parametrize("line", [*SECRETS, *IDENTIFIERS])
def test_a_redacted_line_stays_as_it_is(line: str) -> None:
    assert redact(redact(line)) == redact(line)


def test_hints_hide_nothing_that_a_rule_would_find() -> None:
    """A hint is a shortcut: without it each rule must find the same."""
    for line in (*SECRETS, *IDENTIFIERS, *KEPT):
        for rule in RULES:
            assert rule.apply(line, line.lower()) == rule.pattern.sub(rule.replacement, line), rule.name


def test_every_rule_is_needed_by_a_line_above() -> None:
    for rule in RULES:
        assert any(rule.pattern.search(line) for line in (*SECRETS, *IDENTIFIERS)), rule.name


@pytest.mark.parametrize(("name", "value", "kept"), [
    ("password", "a b c", False), ("minioSecretKey", "abc", False), ("family", "Roe", False), ("patient", "Jane Roe", False),
    ("name", "Jane Roe", False), ("name", "kafka", True), ("topic", "patient-vitals", True), ("records", "500", True),
])
def test_the_name_of_a_field_decides_about_its_value(name: str, value: str, kept: bool) -> None:
    assert (redact_field(name, value) == value) is kept


@pytest.mark.parametrize("piece", [
    'password="', "[{", "a-", "PID|", "Jane ", "A1b", "^a", "://", "1 ", "token_", '\\"', "@a.", "Ab^Cd^", "--secret-"])
def test_a_long_line_is_redacted_to_its_end(piece: str) -> None:
    """Also one that is made to send the rules back and forth: such a line must not hold the others up either."""
    assert "canary" not in redact(piece * (30_000 // len(piece)) + " user password: canary")


def test_json_of_a_bundle_loses_its_patient_and_keeps_its_codes() -> None:
    bundle = {"resourceType": "Bundle", "entry": [{"resource": {
        "resourceType": "Patient", "name": [{"family": "Roe", "given": ["Jane"]}], "telecom": [{"value": "+491761234567"}],
        "birthDate": "1950-01-02"}}, {"resource": {"resourceType": "Observation", "code": {"coding": [{"code": "2951-2"}]}}}]}
    found = redact(json.dumps(bundle))
    assert "2951-2" in found
    assert not any(word in found for word in ("Roe", "Jane", "1950", "176123"))
