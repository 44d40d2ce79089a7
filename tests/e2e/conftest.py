"""Tests of the real platform: real engine, real Docker, in stacks of their own beside whatever else runs.

One run at a time: a lock in the temporary folder. Whatever happens, all that a run made is removed afterwards, unless
`--keep-failed` is given and a test failed. On failure the containers' logs are kept beside pulumi's in .logs/e2e/.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
import pytest

from components.context import build_arguments, context_hash, host_arguments
from components.orchestration.settings import BY_HAND, SCHEDULED
from tests.e2e.command import Command
from tests.e2e.markers import Markers
from tests.e2e.places import Place
from tests.e2e.ports import free_offset
from tests.e2e.stack import LOGS, Stack, remove_leftovers
from tests.e2e.workflows import PIPELINE, PIPELINE_MINUTES, RETRAINING, Workflows

STACKS = pytest.StashKey[list[Stack]]()
FAILED = pytest.StashKey[list[str]]()
LOCK = "clinical-e2e.lock"
OFFSET = 23_000
SENDERS = ("kafka-producer", "clinical-data-generator")
ORCHESTRATED = "test_e2e_3_orchestrat"
"""How the names of the modules begin that run DAGs."""
WATCHED = ("test_e2e_3_control_room", "test_e2e_3_logs", "test_e2e_3_observability", "test_e2e_3_orchestration_watched",
           "docs/logs.md")
"""What needs the observability layer."""
COMMANDED = ("test_e2e_4_operations", "test_e2e_4_rotation", "test_e2e_4_written", "test_e2e_5_commands", "test_e2e_5_rotation",
             "test_e2e_5_stop_full")
"""The modules that change the platform by the management command; CHANGED does it by the engine alone, and takes less time."""
CHANGED = ("test_e2e_4_changes",)
CLIENT = Path(__file__).parent / "client"

NewStack = Callable[..., Stack]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds --keep-failed."""
    parser.addoption(
        "--keep-failed", action="store_true", help="leave the stacks of a run with a failed test running"
    )
    parser.addoption("--dags", action="store_true", help="run every DAG, too, which takes half an hour more")
    parser.addoption("--commands", action="store_true",
                     help="every command for every layer, which takes an hour more")
    parser.addoption("--observability", action="store_true",
                     help="with the observability layer and its tests, which takes a quarter of an hour more")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what runs DAGs or commands and what needs the observability layer, unless it is asked for."""
    unwanted = [*(() if config.getoption("--dags") else (ORCHESTRATED,)), *(() if config.getoption("--observability") else WATCHED),
                *(CHANGED if config.getoption("--commands") else COMMANDED)]
    left_out = [item for item in items if any(name in item.nodeid for name in unwanted)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_configure(config: pytest.Config) -> None:
    """Prepares what the run notes down."""
    config.stash[STACKS], config.stash[FAILED] = [], []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Keeps the containers' logs as they are when a test fails, and says where they are."""
    report: Any = yield
    if report.failed:
        item.config.stash[FAILED].append(item.nodeid)
        for stack in item.config.stash[STACKS]:
            stack.keep_logs()
            report.sections.append(("logs", f"{stack.logs}: pulumi's output and every container's log"))
    return report


@pytest.fixture(scope="session", autouse=True)
def run_lock() -> Iterator[None]:
    """Lets one run at a time have this machine; a second ends at once and says why."""
    with (Path(tempfile.gettempdir()) / LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            pytest.exit(
                f"another e2e run (process {lock.read().strip()}) is under way on this machine; "
                "wait until it ends, then start again",
                returncode=1,
            )
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@pytest.fixture(scope="session")
def client(run_lock: None) -> Iterator[docker.DockerClient]:
    """The Docker daemon, cleared of what earlier runs left behind."""
    found = docker.from_env(timeout=180)
    for stack in remove_leftovers(found):
        print(f"removed what an earlier run left of the stack {stack}")
    yield found
    found.close()


@pytest.fixture(scope="session")
def new_stack(client: docker.DockerClient, request: pytest.FixtureRequest) -> Iterator[NewStack]:
    """Makes stacks, and removes each at the end of the run in whatever state it is."""
    stacks = request.config.stash[STACKS]
    LOGS.mkdir(parents=True, exist_ok=True)

    def make(kind: str, config: Mapping[str, str] | None = None) -> Stack:
        stacks.append(Stack(kind, free_offset(OFFSET + 1000 * len(stacks)), client, config))
        return stacks[-1]

    yield make
    if request.config.getoption("--keep-failed") and request.config.stash[FAILED]:
        for stack in stacks:
            print(f"\nkept: {stack.name} in {stack.folder} (the next run removes it)")
        return
    for stack in stacks:
        stack.remove()


@pytest.fixture(scope="session")
def platform(new_stack: NewStack, request: pytest.FixtureRequest) -> Stack:
    """The platform, built and brought up once; the tests of the modules go on from each other's state."""
    # The platform's own senders only have to be there: what is counted is sent by the tests.
    # Of their patients there are fewer than a model needs for its figures to stand firm: two groups of test patients differ by
    # chance alone.
    # No DAG begins by itself: which one runs when is the tests' business.
    dags = request.config.getoption("--dags")
    schedules = {**dict.fromkeys(SCHEDULED, BY_HAND), **({PIPELINE: f"*/{PIPELINE_MINUTES} * * * *"} if dags else {})}
    stack = new_stack("", {"producerRate": "25", "generatorRate": "3", "trainingMostAurocGap": "0.25", "driftSeconds": "60",
                           "monitoringSeconds": "30",
                           **({} if request.config.getoption("--observability") else {"layers.observability": "absent"}),
                           **{f"airflowSchedules.{dag}": cron for dag, cron in schedules.items()}})
    stack.up()
    workflows = Workflows(stack)
    # Patients that tests make up drift from those that a champion has learned from: the training that follows would be in the way.
    workflows.hold(RETRAINING)
    if dags:
        workflows.begun()
        workflows.airflow.pause(PIPELINE, True)
    return stack


@pytest.fixture(scope="session")
def command(platform: Stack) -> Command:
    """The management command, for the platform."""
    return Command(platform)


@pytest.fixture(scope="session")
def thorough(request: pytest.FixtureRequest) -> bool:
    """Whether each layer is tried where else some stand for all."""
    return bool(request.config.getoption("--commands"))


@pytest.fixture(scope="session")
def client_image(client: docker.DockerClient) -> str:
    """An image with a client of every protocol, built once from Debian packages."""
    tag = f"clinical-mlops/e2e-client:{context_hash(CLIENT, build_arguments())}"
    client.images.build(
        path=str(CLIENT), tag=tag, buildargs={**host_arguments(), **build_arguments()}, rm=True
    )
    return tag


@pytest.fixture(params=["host", "network"])
def place(request: pytest.FixtureRequest, platform: Stack, client_image: str) -> Place:
    """Both places that clients of the platform stand in."""
    return Place(platform, client_image if request.param == "network" else None)


@pytest.fixture(scope="session")
def markers(platform: Stack) -> Markers:
    """A marker in every store of the platform."""
    return Markers(platform)


@pytest.fixture(scope="session")
def workflows(platform: Stack) -> Workflows:
    """Airflow, as its operators use it."""
    return Workflows(platform)


@pytest.fixture(scope="module")
def at_rest(platform: Stack) -> Iterator[None]:
    """The platform's own senders rest, so that there is an end to compare."""
    for service in SENDERS:
        platform.containers()[service].stop(timeout=60)
    yield
    for service in SENDERS:
        platform.containers()[service].start()
