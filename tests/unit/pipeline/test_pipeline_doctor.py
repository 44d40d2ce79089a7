"""A report of what is wrong can be handed on: all that there is to know is in it, and no secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest
from docker.models.containers import Container

from operations import doctor
from operations.faults import OperationError
from operations.probes import Probe
from tests.unit.components.recorded import canary
from tests.unit.pipeline.conftest import Command, World
from tests.unit.pipeline.fakes import FakeDocker, FakeStack, container, engine_error

PASSPHRASE = "canary passphrase of the stack 42"
FORGOTTEN = "0123456789abcdef0123456789abcdef"
"""A secret of an earlier time."""
SECTIONS = ("versions", "machine", "environment", "settings", "states", "updates", "health", "last update's output", "logs")


def daemon() -> FakeDocker:
    """A daemon whose containers say what they must not."""
    lines = (f"login with {canary('redis')}", f'{{"password": "{canary("minio-root")}"}}', f"old key {FORGOTTEN}",
             f"Authorization: Bearer {canary('gateway-key-site')}", "patient PT0A1B2C3D was seen", "an ordinary line")
    found = FakeDocker(container("kafka", lines=lines), cast(Container, container("redis")))
    found.version = lambda: {"Version": "20.10"}  # type: ignore[attr-defined]
    found.info = lambda: {"DockerRootDir": "/var/lib/docker", "Driver": "overlay2", "NCPU": 16,
                          "MemTotal": 64 << 30, "Architecture": "x86_64"}  # type: ignore[attr-defined]
    return found


@pytest.fixture
def stack(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeStack:
    """A stack with canaries in every place that the report looks at."""
    found, _ = world(docker=daemon())
    monkeypatch.setattr(found, "history", lambda page_size, show_secrets: [FakeUpdate("update", "failed")])
    monkeypatch.setattr(doctor, "PROJECT_FOLDER", tmp_path)
    for name in doctor.NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("HTTPS_PROXY", "http://user:canaryproxypassword@proxy:3128")
    (tmp_path / "requirements.txt").write_text("pulumi==1\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(
        "config:\n  clinical:kafkaBrokers: 1\n  clinical:secrets:\n    redis:\n      secure: v1:canaryciphertext\n"
        "    alert-slack-url: https://canary.example/in/the/open\n")
    (tmp_path / "update-dev.log").write_text(f"creating kafka\nthe engine said {canary('mlflow-database')} and {PASSPHRASE}\n")
    monkeypatch.setattr("operations.reading.probes_of", lambda layer, _: [Probe("kafka", lambda: f"knows {canary('redis')}")]
                        if layer == "infrastructure" else [])
    return found


class FakeUpdate:
    """An entry of the stack's history."""

    start_time, resource_changes = "2026-11-25", {"create": 1}

    def __init__(self, kind: str, result: str) -> None:
        self.kind, self.result = kind, result


def report(pipeline: Command, folder: Path, *options: str) -> str:
    """What the command writes."""
    file = folder / "report.txt"
    done = pipeline("all", "doctor", "--output", str(file), *options)
    assert done.status == 0 and str(file) in done.err
    assert file.stat().st_mode & 0o777 == 0o600, "it tells much about a machine"
    return file.read_text()


def section(text: str, title: str) -> str:
    """One section of a report."""
    return text.split(f"== {title}")[1].split("\n\n==")[0]


def test_no_secret_is_in_the_report(stack: FakeStack, pipeline: Command, tmp_path: Path) -> None:
    """Neither the stack's, nor the passphrase, a proxy's password, one of an earlier time, or a patient."""
    text = report(pipeline, tmp_path)
    assert "canary" not in text and PASSPHRASE not in text and FORGOTTEN not in text and "PT0A1B2C3D" not in text
    assert "login with [secret redis]" in text and "an ordinary line" in text
    assert "creating kafka" in section(text, "last update's output")
    secrets = stack.config["clinical:secrets"]
    assert len(secrets) > 5 and not any(value in text for value in secrets.values())


def test_what_a_bug_report_needs_is_in_it(stack: FakeStack, pipeline: Command, tmp_path: Path) -> None:
    """Each section is there and has been had."""
    text = report(pipeline, tmp_path)
    assert [title for title in SECTIONS if f"== {title}" in text] == list(SECTIONS) and "not to be had" not in text
    assert "pulumi 3." in section(text, "versions") and "Docker: 20.10" in section(text, "versions")
    assert "Docker's machine: 16 processors, 64.0 GiB memory, x86_64" in section(text, "machine")
    assert section(text, "environment").split("not set")[0].split("set: ")[1].split() == [
        "PULUMI_CONFIG_PASSPHRASE,", "HTTPS_PROXY"]
    assert "kafkaBrokers: 1" in section(text, "settings") and "infrastructure: wanted running" in section(text, "states")
    assert "update: failed" in section(text, "updates") and "infrastructure kafka: well" in section(text, "health")


def test_logs_are_as_long_as_they_are_asked_for(stack: FakeStack, pipeline: Command, tmp_path: Path) -> None:
    """The last lines."""
    text = section(report(pipeline, tmp_path, "--tail", "1"), "logs")
    assert "an ordinary line" in text and "login" not in text


def test_a_wrong_passphrase_costs_only_what_it_must(stack: FakeStack, pipeline: Command, monkeypatch: pytest.MonkeyPatch,
                                                    tmp_path: Path) -> None:
    """Where the secrets are not known no text is handed on in which one could stand; the rest is there."""
    def wrong() -> Any:
        raise engine_error("error: failed to decrypt: incorrect passphrase")

    monkeypatch.setattr(stack, "get_all_config", wrong)
    text = report(pipeline, tmp_path)
    for title in ("health", "last update's output", "logs"):
        assert "incorrect passphrase" in section(text, title) and ".state/" in section(text, title)
    assert "canary" not in text and "ordinary line" not in text
    assert "pulumi 3." in section(text, "versions") and "kafkaBrokers: 1" in section(text, "settings")


def test_docker_that_does_not_answer_costs_only_what_it_must(stack: FakeStack, pipeline: Command, monkeypatch: pytest.MonkeyPatch,
                                                             tmp_path: Path) -> None:
    """It is what many reports are about."""
    def away() -> Any:
        raise OperationError("Docker does not answer (refused)")

    monkeypatch.setattr(doctor, "connect", away)
    text = report(pipeline, tmp_path)
    assert "Docker does not answer" in section(text, "logs") and "Docker: not to be had" in section(text, "versions")
    assert "update: failed" in section(text, "updates")


def test_a_report_that_cannot_be_written(stack: FakeStack, pipeline: Command) -> None:
    """The message names the option."""
    done = pipeline("all", "doctor", "--output", "/proc/none/report.txt")
    assert done.status == 1 and "--output" in done.err


def test_a_secret_that_holds_another_is_replaced_whole() -> None:
    """The longer one first; a word that is too short to be a secret stays."""
    assert doctor.cleaned("abcdefgh and abcdef, at", {"short": "abcdef", "long": "abcdefgh", "word": "at"}) == \
        "[secret long] and [secret short], at"
    assert doctor.secrets_of({"clinical:secrets": json.dumps({"redis": "x"})}) == {"redis": "x"} and doctor.secrets_of({}) == {}
