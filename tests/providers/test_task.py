"""A task that fails stops what comes after it, with its last lines: Docker's provider alone would call it a success."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pulumi_docker
import pytest
from pulumi import automation as auto

import toolchain
from components.catalog import Catalog
from components.contracts import Network
from components.layer import Scope
from components.service import Limits, RunArgs, Task
from components.settings import Platform, State

TREE = Path(__file__).parents[2]
NAME = f"task{os.getpid()}"


def program(status: int) -> Callable[[], None]:
    """A task that ends with this exit status, and a volume that waits for it."""
    def run() -> None:
        network = pulumi_docker.Network("net", name=f"clinical-{NAME}")
        scope = Scope(project="clinical", stack=NAME, layer="none", state=State.RUNNING, platform=Platform(),
                      catalog=Catalog("clinical-mlops", "build"))
        task = Task("migrate", RunArgs(scope=scope, network=Network(name=network.name), image="redis", limits=Limits(memory_mb=64),
                                       command=["bash", "-c", f"echo first; echo the reason; exit {status}"]))
        label = pulumi_docker.VolumeLabelArgs(label="after", value=task.done)
        pulumi_docker.Volume("after", name=f"clinical-{NAME}-after", labels=[label])
    return run


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[auto.Stack]:
    """A stack of its own, removed at the end."""
    monkeypatch.chdir(TREE)  # build contexts are relative to the project
    variables = {**toolchain.environment(), "PULUMI_BACKEND_URL": f"file://{tmp_path}", "PULUMI_CONFIG_PASSPHRASE": "x"}
    monkeypatch.setenv("PATH", variables["PATH"])
    project = auto.ProjectSettings(name="task", runtime="python", main=str(TREE),
                                   backend=auto.ProjectBackend(variables["PULUMI_BACKEND_URL"]))
    made = auto.create_stack(NAME, project_name="task", program=program(3), opts=auto.LocalWorkspaceOptions(
        env_vars=variables, project_settings=project))
    yield made
    made.destroy()


def test_a_failed_task_stops_what_depends_on_it(stack: auto.Stack) -> None:
    """The update fails with the task's words, its dependent is not made; mended, both are."""
    client = docker.from_env(timeout=60)
    with pytest.raises(auto.CommandError, match="migrate: the task ended with exit status 3") as error:
        stack.up()
    assert "the reason" in str(error.value)
    assert not client.volumes.list(filters={"name": f"clinical-{NAME}-after"})
    stack.workspace.program = program(0)
    stack.up()
    assert len(client.volumes.list(filters={"name": f"clinical-{NAME}-after"})) == 1
    client.close()
