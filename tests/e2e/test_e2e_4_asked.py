"""Rule: what only looks tells the truth of each layer and changes nothing, and a dry run changes nothing either."""

from __future__ import annotations

import stat
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import httpx
import pytest

from components.settings import layer_kinds
from operations.images import PROJECT
from tests.e2e.command import ALL, Command
from tests.e2e.effects import seen
from tests.e2e.flow import healthy, wait_until
from tests.e2e.stack import Stack

DRY = (("start",), ("start-force",), ("stop",), ("stop-full", "--yes"), ("restart",), ("init",), ("build",), ("rebuild",))
OWN_DRY = {
    "ingestion": (("producer", "--rate", "7"),),
    "storage": (("backup",),),
    "processing": (("submit", "gold", "from=2026-11-24", "to=2026-11-25"),),
    "ml": (("train",), ("promote", "1"), ("rollback",), ("features", "parity")),
    "orchestration": (("trigger", "backup"),),
}
"""The layers' own commands that change something."""


@pytest.fixture(scope="module")
def layers(platform: Stack, command: Command) -> list[str]:
    """The layers that run here, once what the modules before this one restarted is well again."""
    wait_until("every service is healthy", lambda: healthy(platform))
    return command.running_layers()


@pytest.fixture(scope="module")
def tried(layers: list[str], thorough: bool) -> list[str]:
    """The layers with services that are asked one by one: all, or the lowest and the topmost."""
    own = [layer for layer in layers if layer_kinds()[layer].images]
    return own if thorough else [own[0], own[-1]]


def owned(platform: Stack, layer: str) -> set[str]:
    """The services of a layer, as Docker has them."""
    return {service for service, container in {**platform.containers(), **platform.tasks()}.items()
            if container.labels["clinical.layer"] == layer}


def test_status_is_what_docker_says(platform: Stack, command: Command, tried: list[str]) -> None:
    """Every container with its state and its ports; each layer by itself says the same as all together."""
    together = command(ALL, "status", "--json").data()
    told = {row["service"]: row for part in together.values() for row in part["services"]}
    assert set(told) == {*platform.containers(), *platform.tasks()}
    for service, container in platform.containers().items():
        bindings = [b for bound in container.attrs["NetworkSettings"]["Ports"].values() for b in bound or ()]
        ports = {f"{b['HostIp']}:{b['HostPort']}" for b in bindings}
        assert (told[service]["state"], set(told[service]["ports"].split())) == ("running", ports), service
    assert set(together) == set(layer_kinds())
    assert {part["is"] for part in together.values() if part["wanted"] == "running"} == {"up"}
    for layer, answer in command.each(tried, "status", "--json").items():
        alone, among = answer.data()[layer]["services"], together[layer]["services"]
        assert {row["service"] for row in alone} == {row["service"] for row in among} == owned(platform, layer)


def test_health_asks_every_service(platform: Stack, command: Command, layers: list[str]) -> None:
    """Each layer's services, none left out, each with what it answered. The modules before this one have trained a model."""
    for layer, answer in command.each(layers, "health", "--json").items():
        found = answer.data()
        assert all(row["healthy"] and row["detail"] for row in found), found
        assert {row["service"] for row in found} >= owned(platform, layer) - set(platform.tasks()) and found


def test_logs_are_those_of_the_layer_and_go_on(platform: Stack, command: Command, tried: list[str]) -> None:
    """Each line behind its service; one service alone without; `--follow` stays until it is ended."""
    for layer, answer in command.each(tried, "logs", "--tail", "1").items():
        assert {line.partition(" | ")[0].strip() for line in answer.found.splitlines()} <= owned(platform, layer)
    last = platform.containers()["kafka"].logs(tail=1).decode().strip()
    assert last in command(ALL, "logs", "kafka", "--tail", "50").found
    with command.running(ALL, "logs", "kafka", "--follow", "--tail", "1") as process:
        assert process.stdout is not None and process.stdout.readline().strip()
        assert process.poll() is None
    assert "there is no container of nonsense" in command(ALL, "logs", "nonsense", status=1).told


def test_every_page_answers_where_urls_says(command: Command, tried: list[str]) -> None:
    """The pages of a layer are some of those of all; none of them is an address that nobody serves."""
    together: dict[str, str] = command(ALL, "urls", "--json").data()
    for layer, answer in command.each(tried, "urls", "--json").items():
        assert answer.data() and answer.data().items() <= together.items(), layer
    answers = {page: httpx.get(url, timeout=60, follow_redirects=True).status_code for page, url in together.items()}
    assert {page: status for page, status in answers.items() if status >= 400 and status != 401} == {}


def test_the_graph_is_that_of_the_stack(platform: Stack, command: Command, layers: list[str], tried: list[str],
                                        tmp_path: Path) -> None:
    """Layers with their needs and every service, as data, as Mermaid and as a picture; of one layer, its own services."""
    data = command(ALL, "graph", "--json").data()
    assert {row["name"]: row["state"] for row in data["layers"]} == platform.outputs()["layers"]
    there = {row["name"] for row in data["services"] if row["layer"] in layers}
    assert there == {*platform.containers(), *platform.tasks()}
    assert "infrastructure" in next(row["needs"] for row in data["layers"] if row["name"] == "ingestion")
    for layer, answer in command.each(tried, "graph").items():
        assert answer.found.startswith(("flowchart", "graph")) and layer in answer.found
    command("ingestion", "graph", "--format", "svg", "--output", "ingestion.svg", folder=tmp_path)
    text = "".join(ElementTree.fromstring((tmp_path / "ingestion.svg").read_text()).itertext())
    assert [service for service in owned(platform, "ingestion") if service not in text] == []
    planned = command(ALL, "graph", "--preview", "--json").data()
    assert {row["name"] for row in planned["services"]} == {row["name"] for row in data["services"]}


def test_validate_finds_a_running_stack_valid(command: Command, tried: list[str], thorough: bool) -> None:
    """Settings, images, ports and a preview with the policies; of all layers, or where all are tried of each."""
    for layer, answer in command.each([ALL, *(tried if thorough else ())], "validate", "--json").items():
        assert {check["what"]: check["faults"] for check in answer.data()} == {
            "settings": [], "images": [], "ports": [], "preview and policies": []}, layer


def test_doctor_tells_everything_but_secrets(platform: Stack, command: Command, tmp_path: Path) -> None:
    """A secret that stands in a log does not come into the report; states, health and settings of every layer do."""
    secret = platform.secrets["redis"]
    platform.execute("redis", "sh", "-c", f"echo connected with {secret} > /proc/1/fd/1")
    assert secret in platform.containers()["redis"].logs(tail=5).decode()
    command(ALL, "doctor", "--output", "report.txt", "--tail", "20", folder=tmp_path)
    file = tmp_path / "report.txt"
    text = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "connected with [secret redis]" in text
    assert [name for name, value in platform.secrets.items() if value in text] == []
    assert [service for service in platform.containers() if f"\n{service}: running" not in text] == []
    assert [layer for layer in layer_kinds() if f"\n{layer}: wanted" not in text] == []


def test_a_dry_run_changes_nothing(platform: Stack, command: Command, layers: list[str], thorough: bool) -> None:
    """Every command that changes something, each layer's own, and the change of secrets."""
    before = seen(platform)
    common = [(layer, *given, "--dry-run") for layer in (layers if thorough else [ALL]) for given in DRY]
    assert all(answer.told for answer in command.several(common))
    own = [(layer, *given, "--dry-run") for layer in layers for given in OWN_DRY.get(layer, ())]
    assert all("would" in answer.told for answer in command.several([*own, (ALL, "rotate-secrets", "--every", "--dry-run")]))
    assert seen(platform) == before


def test_a_dry_run_says_what_would_happen(platform: Stack, command: Command, layers: list[str]) -> None:
    """What needs the layer stops, what is new, and which images would be made."""
    stopping = command("infrastructure", "stop", "--dry-run").told
    assert f"would be stopped: {', '.join(reversed(layers))}" in stopping
    assert all(f"{layer}: stops first, since it depends on it" in stopping for layer in layers[1:])
    forced = command("infrastructure", "start-force", "--dry-run").told
    assert all(service in forced.partition("would get new containers")[2] for service in owned(platform, "infrastructure"))
    assert f"would build {PROJECT}/kafka:" in command("infrastructure", "rebuild", "--dry-run").told
