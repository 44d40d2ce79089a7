"""Commands that change: what they write, what they do and in which order, and what they leave alone."""

from __future__ import annotations

import io
import os
import signal

import pytest
from pulumi.automation import OpType

from operations import rotating
from operations.stack import CONTAINER, IMAGE
from tests.unit.pipeline.conftest import Command, World
from tests.unit.pipeline.fakes import FakeDocker, container, engine_error, event, fault, step, urn


def test_starting_a_layer_starts_what_it_needs_first(world: World, pipeline: Command) -> None:
    """Both wanted states are written, the lower layer's first, and the update follows."""
    stack, docker = world("stopped")
    docker.all[:] = [container("kafka")]
    done = pipeline("storage", "start")
    assert done.status == 0, done.err
    assert stack.calls == ["set infrastructure running", "set storage running", "up"]
    assert "infrastructure: starts too" in done.err


@pytest.mark.parametrize(("command", "state", "words"), [
    (["stop"], "stopped", "storage: stops first"), (["stop-full", "--yes"], "absent", "storage: goes first with its data")])
def test_stopping_a_layer_takes_what_depends_on_it_first(
        world: World, pipeline: Command, command: list[str], state: str, words: str) -> None:
    """The upper layer's state is written first, and the user is told."""
    stack, _ = world()
    done = pipeline("infrastructure", *command)
    assert done.status == 0, done.err
    assert stack.calls == [f"set storage {state}", f"set infrastructure {state}", "refresh", "up"]
    assert words in done.err


def test_stopping_a_layer_leaves_what_it_needs_alone(world: World, pipeline: Command) -> None:
    """Stopping goes up only."""
    stack, _ = world()
    assert pipeline("storage", "stop").status == 0
    assert stack.states == {"infrastructure": "running", "storage": "stopped"}


def test_what_a_killed_update_left_behind_is_removed(world: World, pipeline: Command) -> None:
    """Its container has the name that the next one needs; the stack's own and a stranger's are left alone."""
    own, left, stranger = container("kafka"), container("redis", number=2), container("mine")
    stack, _ = world(docker=FakeDocker(own, left, stranger))
    done = pipeline("infrastructure", "start")
    assert [vars(found)["done"] for found in (own, left, stranger)] == [[], ["stop", "remove"], []]
    assert "removed redis: an update that was cut off had left it behind" in done.err
    assert stack.calls == ["refresh", "up"]


def test_nothing_is_removed_while_another_update_is_under_way(world: World, pipeline: Command,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    """What the state does not know yet may be what the other one is making."""
    made = container("redis", number=2)
    stack, _ = world(docker=FakeDocker(container("kafka"), made))

    def locked(**_: object) -> None:
        raise engine_error("error: the stack is currently locked by 1 lock(s)")

    monkeypatch.setattr(stack, "refresh", locked)
    assert pipeline("infrastructure", "start").status == 1
    assert vars(made)["done"] == []


def test_only_containers_and_images_are_looked_at_before_an_update(world: World, pipeline: Command) -> None:
    """A full refresh would ask servers that may be down."""
    stack, _ = world()
    pipeline("all", "start")
    assert sorted(urn.split("::")[2].rpartition("$")[2] for urn in stack.refreshed) == [CONTAINER, CONTAINER, IMAGE]


@pytest.mark.parametrize("command", ["start", "start-force", "stop", "stop-full", "restart", "init", "build", "rebuild"])
def test_a_dry_run_changes_nothing(world: World, pipeline: Command, command: str) -> None:
    """It says what would be done, and asks nothing."""
    stack, _ = world()
    done = pipeline("all", command, "--dry-run")
    assert (done.status, stack.calls) == (0, [])
    assert done.err


def test_a_dry_run_names_the_containers_that_would_come_back(world: World, pipeline: Command) -> None:
    """Also when the configuration is as it is wanted already."""
    world(docker=FakeDocker(container("kafka", "exited")))
    assert "would get new containers: kafka, redis" in pipeline("all", "start", "--dry-run").err


@pytest.mark.parametrize(("answer", "status", "state"), [
    ("y\n", 0, "absent"), ("n\n", 1, "running"), ("\n", 1, "running"), ("", 1, "running")])
def test_removing_data_is_asked_for(world: World, pipeline: Command, monkeypatch: pytest.MonkeyPatch,
                                    answer: str, status: int, state: str) -> None:
    """Without a yes, or without anybody to ask, nothing happens, and the exit status says so."""
    stack, _ = world()
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    done = pipeline("all", "stop-full")
    assert done.status == status and set(stack.states.values()) == {state}
    assert status == 0 or (stack.calls == [] and "--yes" in done.err)


def test_data_inside_a_stopped_layer_is_not_removed(world: World, pipeline: Command) -> None:
    """The server that would have to do it does not run; nothing is written, and the message names what to start."""
    stack, _ = world("stopped")
    stack.resources.append(rule())
    done = pipeline("storage", "stop-full", "--yes")
    assert (done.status, stack.calls) == (1, []) and "./pipeline infrastructure start" in done.err
    assert pipeline("all", "stop-full", "--yes").status == 0, "what goes together needs no server"


def test_a_layer_with_nothing_inside_of_servers_can_go_while_they_are_stopped(world: World, pipeline: Command) -> None:
    """Volumes are Docker's, which needs no server for them."""
    stack, _ = world("stopped")
    assert pipeline("storage", "stop-full", "--yes").status == 0
    assert stack.states == {"infrastructure": "stopped", "storage": "absent"}


def rule() -> dict[str, str]:
    """What the storage layer declares inside of a server, in the stack's state."""
    kind = "minio:index/ilmPolicy:IlmPolicy"
    return {"type": kind, "urn": urn(f"clinical:layer:Storage${kind}", "bronze-lifecycle")}


def test_protected_data_is_not_removed(world: World, pipeline: Command) -> None:
    """The engine would refuse in the middle; the command refuses before it writes anything."""
    stack, _ = world(protect=True)
    done = pipeline("all", "stop-full", "--yes")
    assert (done.status, stack.calls) == (1, []) and "clinical:protect" in done.err


def test_a_configuration_that_the_program_would_refuse_is_refused_before_it_is_written(world: World, pipeline: Command) -> None:
    """The message is the settings' own."""
    stack, _ = world("stopped", kafkaBrokers=2, zookeeperNodes=2)
    done = pipeline("all", "start")
    assert (done.status, stack.calls) == (1, []) and "zookeeperNodes" in done.err


def test_a_switch_fault_is_mended_by_the_command_that_mends_it(world: World, pipeline: Command) -> None:
    """A configuration with a layer on and its base off can be started."""
    stack, docker = world("stopped", storage="running")
    docker.all[:] = [container("kafka")]
    assert pipeline("infrastructure", "start").status == 0
    assert stack.states == {"infrastructure": "running", "storage": "running"}


@pytest.mark.parametrize("command", ["start-force", "restart"])
def test_force_replaces_the_containers_that_there_are(world: World, pipeline: Command, command: str) -> None:
    """One that was removed by hand comes back by itself; to ask the engine to replace it would be an error."""
    stack, _ = world()
    stack.removed_by_hand = {"redis"}
    assert pipeline("infrastructure", command).status == 0
    assert [urn.rpartition("::")[2] for urn in stack.replaced] == ["kafka"]


def test_a_start_replaces_nothing_by_itself(world: World, pipeline: Command) -> None:
    """What runs well is left alone; so is another layer's container."""
    stack, _ = world()
    pipeline("infrastructure", "start")
    assert stack.replaced == []
    pipeline("storage", "start-force")
    assert stack.replaced == []


def test_what_does_not_run_cannot_be_restarted(world: World, pipeline: Command) -> None:
    """A stopped layer stays stopped; the message names the command that starts it."""
    stack, _ = world("stopped")
    done = pipeline("infrastructure", "restart")
    assert (done.status, stack.calls) == (1, []) and "infrastructure start" in done.err


def test_a_start_is_not_done_while_a_service_is_ill(world: World, pipeline: Command) -> None:
    """The engine has nothing to change about a paused container, and yet the layer is not up."""
    world(docker=FakeDocker(container("kafka", "paused"), container("redis")))
    done = pipeline("infrastructure", "start")
    assert done.status == 1 and "kafka (paused" in done.err and "start-force" in done.err


@pytest.mark.parametrize("health", ["starting", "unhealthy"])
def test_a_start_waits_for_a_service_that_becomes_healthy_by_itself(world: World, pipeline: Command, health: str,
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker restarted it just now, or what it needs was being replaced until now."""
    _, docker = world(docker=FakeDocker(container("kafka", health=health), container("redis")))
    monkeypatch.setattr("time.sleep", lambda _: docker.all.__setitem__(0, container("kafka")))
    done = pipeline("infrastructure", "start")
    assert done.status == 0 and "waiting for kafka" in done.err


def test_a_start_does_not_wait_for_ever(world: World, pipeline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that stays ill is named, with what shows why."""
    world(docker=FakeDocker(container("kafka", health="unhealthy"), container("redis")))
    monkeypatch.setattr("operations.services.RECOVERY_SECONDS", 0)
    done = pipeline("infrastructure", "start")
    assert done.status == 1 and "kafka (running, unhealthy)" in done.err and "logs kafka" in done.err


def test_a_failed_update_says_what_failed_and_keeps_the_wanted_state(world: World, pipeline: Command) -> None:
    """The resource, the engine's words (whatever brackets they have), the next step and the log."""
    stack, _ = world("stopped")

    def breaks(on_event: object) -> None:
        assert callable(on_event)
        on_event(fault("<{%fg 1%}>port is already allocated [/odd]<{%reset%}>\nsecond line", "kafka"))
        on_event(fault("update failed"))
        raise engine_error("error: update failed")

    stack.on_up = breaks
    done = pipeline("all", "start")
    assert done.status == 1 and stack.states == {"infrastructure": "running", "storage": "running"}
    for words in ("kafka: port is already allocated [/odd]", "second line", "portOffset", "update-fake.log",
                  "configuration holds the wanted state"):
        assert words in done.err
    assert "<{%" not in done.err and "update failed\n" not in done.err.replace("failed:\n", "")


def test_interrupting_an_update_waits_for_the_engine(world: World, pipeline: Command) -> None:
    """Ctrl-C goes to the engine, which gives the lock back; the command ends after it, and with the shell's own status."""
    stack, _ = world("stopped")
    before = signal.getsignal(signal.SIGINT)

    def interrupted(on_event: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        raise engine_error("error: update cancelled")

    stack.on_up = interrupted
    done = pipeline("all", "start")
    assert done.status == 130 and "goes on from here" in done.err
    assert signal.getsignal(signal.SIGINT) is before


def test_progress_is_a_line_for_each_thing_done_and_a_summary(world: World, pipeline: Command) -> None:
    """A replacement counts once; components, providers and images that stay on the host are no news."""
    stack, _ = world()

    def works(on_event: object) -> None:
        assert callable(on_event)
        for op, name, kind in [(OpType.DELETE_REPLACED, "kafka", CONTAINER), (OpType.REPLACE, "kafka", CONTAINER),
                               (OpType.CREATE_REPLACEMENT, "kafka", CONTAINER), (OpType.CREATE, "redis", CONTAINER),
                               (OpType.SAME, "minio", CONTAINER), (OpType.CREATE, "part", "clinical:service:Service"),
                               (OpType.DELETE, "old-image", IMAGE)]:
            on_event(event(resource_pre_event=step(op, name, kind)))
            on_event(event(res_outputs_event=step(op, name, kind)))
        on_event(event(resource_pre_event=step(OpType.UPDATE, "broken")))
        on_event(event(res_op_failed_event=step(OpType.UPDATE, "broken")))

    stack.on_up = works
    err = pipeline("all", "start").err
    assert "fake: 1 created, 1 replaced (" in err
    assert [line.split()[:2] for line in err.splitlines() if line.startswith("  ")] == [["replaced", "kafka"], ["created", "redis"]]


def test_an_update_with_nothing_to_do_says_so(world: World, pipeline: Command) -> None:
    """In one line."""
    world()
    assert "fake: nothing to change (" in pipeline("all", "start").err


def test_secrets_get_new_values_once_somebody_says_yes(world: World, pipeline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run names them; a no, or no secret at all, changes nothing."""
    world()
    done: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(rotating, "rotate", lambda stack, names, console: done.append((stack, names)))
    assert "would be new: redis" in pipeline("all", "rotate-secrets", "redis", "--dry-run").err
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    refused = pipeline("all", "rotate-secrets", "redis")
    assert refused.status == 1 and "--yes" in refused.err
    assert pipeline("all", "rotate-secrets", "--yes").status == 1 and done == []
    assert pipeline("all", "rotate-secrets", "redis", "minio-root", "--yes").status == 0
    assert done == [("dev", ["redis", "minio-root"])]
