"""Commands that look: the truth from Docker beside what is wanted, for people and for programs, with an exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.settings import Settings, layer_kinds
from operations.plugins import probes_of
from operations.probes import Probe
from operations.stack import Declared
from tests.unit.components.recorded import CONTAINER, PROJECT, STACK, configuration, platform
from tests.unit.pipeline.conftest import Command, World
from tests.unit.pipeline.fakes import FakeDocker, container, layer, service

GOOD = (container("kafka"), container("redis"))


def test_status_as_data_has_a_fixed_shape(world: World, pipeline: Command) -> None:
    """Programs read it."""
    world(docker=FakeDocker(*GOOD))
    done = pipeline("all", "status", "--json")
    report = json.loads(done.out)
    assert done.status == 0 and list(report) == ["infrastructure", "storage"]
    assert report["storage"] == {"wanted": "running", "is": "up", "services": []}
    assert report["infrastructure"]["services"][0] == {
        "layer": "infrastructure", "service": "kafka", "state": "running", "health": "healthy", "since": "2026-11-25 10:00:00",
        "restarts": 2, "image": "clinical-mlops/kafka:1", "ports": "127.0.0.1:8080", "declared": True}


@pytest.mark.parametrize(("containers", "verdict", "status"), [
    (GOOD, "up", 0),
    ((container("kafka"),), "degraded", 1),
    ((container("kafka"), container("redis", health="unhealthy")), "degraded", 1),
    ((container("kafka"), container("redis", health="starting")), "degraded", 1),
    ((container("kafka"), container("redis", "paused")), "degraded", 1),
    ((container("kafka"), container("redis", "exited", policy="no")), "up", 0),
    ((container("kafka"), container("redis", "exited", policy="no", exit_code=3)), "degraded", 1),
    ((container("kafka", "exited"), container("redis", "exited")), "down", 1),
    ((), "down", 1)])
def test_a_layer_is_up_only_when_every_service_is(
        world: World, pipeline: Command, containers: tuple[object, ...], verdict: str, status: int) -> None:
    """A layer without services of its own stands on the one it needs; a task that ended well is done."""
    world(docker=FakeDocker(*containers))  # type: ignore[arg-type]
    done = pipeline("all", "status", "--json")
    report = json.loads(done.out)
    assert (done.status, report["infrastructure"]["is"]) == (status, verdict)
    assert report["storage"]["is"] == ("up" if verdict == "up" else "degraded")
    assert (status == 0) or "infrastructure start" in done.err


def test_a_missing_container_is_shown_as_missing(world: World, pipeline: Command) -> None:
    """True after a manual `docker rm`."""
    world(docker=FakeDocker(GOOD[0]))
    rows = {line.split()[0]: line.split()[1] for line in pipeline("infrastructure", "status").out.splitlines()[2:]}
    assert rows == {"kafka": "running", "redis": "missing"}


def test_a_container_that_the_stack_does_not_know_is_named(world: World, pipeline: Command) -> None:
    """It does not make the layer ill."""
    world(docker=FakeDocker(*GOOD, container("stranger")))
    done = pipeline("infrastructure", "status")
    assert done.status == 0 and "not of this stack's program: stranger" in done.err


@pytest.mark.parametrize(("state", "mend"), [("stopped", "infrastructure stop "), ("absent", "infrastructure stop-full ")])
def test_a_stopped_layer_misses_nothing_and_must_have_nothing(world: World, pipeline: Command, state: str, mend: str) -> None:
    """No container is as wanted; a container that still runs is not."""
    _, docker = world(state)
    done = pipeline("all", "status", "--json")
    assert done.status == 0 and json.loads(done.out)["infrastructure"] == {"wanted": state, "is": state, "services": []}
    docker.all.append(container("kafka"))
    done = pipeline("all", "status")
    assert done.status == 1 and mend in done.err


def test_after_an_update_that_was_cut_off_a_layer_without_services_is_not_called_up(world: World, pipeline: Command) -> None:
    """What it declares may be missing, and no container shows that."""
    stack, _ = world()
    stack.results = [("refresh", "succeeded"), ("update", "failed")]
    done = pipeline("all", "status", "--json")
    assert done.status == 1 and json.loads(done.out)["storage"]["is"] == "degraded" and "did not reach its end" in done.err


def test_a_layer_that_was_switched_on_but_never_brought_up_is_down(world: World, pipeline: Command) -> None:
    """The configuration alone starts nothing."""
    stack, _ = world()
    stack.resources = []
    report = json.loads(pipeline("all", "status", "--json").out)
    assert report["storage"]["is"] == "down" and report["infrastructure"]["is"] != "up"


def test_declared_things_belong_to_the_layer_that_holds_them() -> None:
    """Read from the parent chain of the URN; what belongs to no layer is nobody's service."""
    there = Declared.of([layer("infrastructure"), layer("storage", "stopped"), *service("kafka"),
                         *service("odd", "clinical:layer:Elsewhere")])
    assert there.services == {"kafka": "infrastructure"} and there.layers == {"infrastructure": "running", "storage": "stopped"}
    assert {name: of for name, (_, of) in there.containers.items()} == {"kafka": "infrastructure"}


def test_health_as_data_has_a_fixed_shape_and_fails_with_one_probe(
        world: World, pipeline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception of a client library is an answer."""
    world()

    def refused() -> str:
        raise ConnectionError("refused [/odd]\nmore")

    monkeypatch.setattr("operations.reading.probes_of", lambda layer, _: [Probe("kafka", refused), Probe("redis", lambda: "fine")]
                        if layer == "infrastructure" else [])
    done = pipeline("infrastructure", "health", "--json")
    answers = json.loads(done.out)
    assert done.status == 1 and [a.pop("milliseconds") >= 0 for a in answers] == [True, True]
    assert answers == [{"layer": "infrastructure", "service": "kafka", "healthy": False, "detail": "refused [/odd]"},
                       {"layer": "infrastructure", "service": "redis", "healthy": True, "detail": "fine"}]
    done = pipeline("all", "health")
    assert "refused [/odd]" in done.out and "1 not well" in done.err


@pytest.mark.parametrize("containers", [(container("redis"),), (container("redis"), container("kafka", "exited"))])
def test_a_service_without_a_running_container_is_not_asked(
        world: World, pipeline: Command, monkeypatch: pytest.MonkeyPatch, containers: tuple[object, ...]) -> None:
    """Another stack's server may answer on its port; a probe that is of no container is asked all the same."""
    world(docker=FakeDocker(*containers))  # type: ignore[arg-type]
    monkeypatch.setattr("operations.reading.probes_of", lambda layer, _: [Probe(name, lambda: "fine") for name in
                        (("kafka", "redis") if layer == "infrastructure" else ("bronze",))])
    answers = {answer["service"]: answer["healthy"] for answer in json.loads(pipeline("all", "health", "--json").out)}
    assert answers == {"kafka": False, "redis": True, "bronze": True}


def test_probes_are_called_as_their_containers() -> None:
    """Else they would be taken for services that do not run."""
    settings, graph = Settings.parse(PROJECT, STACK, configuration("prod", images="build")), platform("prod", images="build")
    for name, kind in layer_kinds().items():
        if kind.images:
            assert {probe.service for probe in probes_of(name, settings)} <= set(graph.of_type(CONTAINER)), name


def test_health_of_what_does_not_run_is_not_good(world: World, pipeline: Command) -> None:
    """A script that goes on only when a layer is healthy must not go on."""
    world("stopped")
    done = pipeline("infrastructure", "health")
    assert done.status == 1 and "infrastructure start" in done.err


def test_logs_of_many_services_carry_their_names(world: World, pipeline: Command) -> None:
    """Of one they do not, so that they can be processed."""
    world(docker=FakeDocker(container("kafka", lines=("a", "b")), container("redis", lines=("c",))))
    assert pipeline("infrastructure", "logs").out.splitlines() == ["kafka | a", "kafka | b", "redis | c"]
    assert sorted(pipeline("all", "logs", "-f").out.splitlines()) == ["kafka | a", "kafka | b", "redis | c"]
    assert pipeline("all", "logs", "kafka", "--tail", "1").out == "b\n"


@pytest.mark.parametrize(("arguments", "words"), [
    (["infrastructure", "logs", "nosuch"], "kafka, redis"), (["storage", "logs"], "storage start")])
def test_logs_that_there_are_not(world: World, pipeline: Command, arguments: list[str], words: str) -> None:
    """The message names what there is, or what to do."""
    world()
    done = pipeline(*arguments)
    assert done.status == 1 and words in done.err


def test_urls_are_those_of_the_layer(world: World, pipeline: Command) -> None:
    """A layer without pages says so."""
    world()
    assert json.loads(pipeline("all", "urls", "--json").out) == json.loads(pipeline("infrastructure", "urls", "--json").out) == {
        "minio-console": "http://127.0.0.1:9001", "redis-insight": "http://127.0.0.1:5540"}
    assert json.loads(pipeline("storage", "urls", "--json").out) == {}
    assert pipeline("storage", "urls").status == 1


def test_a_table_is_whole_where_there_is_no_terminal(world: World, pipeline: Command, tmp_path: Path) -> None:
    """`status | grep` sees the ports."""
    world(docker=FakeDocker(*GOOD))
    lines = [line for line in pipeline("all", "status").out.splitlines() if " kafka " in line]
    assert len(lines) == 1 and lines[0].split() == [
        "kafka", "running", "healthy", "2026-11-25", "10:00:00", "2", "clinical-mlops/kafka:1", "127.0.0.1:8080"]
