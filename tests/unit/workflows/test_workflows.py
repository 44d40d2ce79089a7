"""The workflows: correct, pinned, with no more rights than they use, and of the same steps as the Makefile's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from operations.pr import scans

TREE = Path(__file__).parents[3]
FILES = sorted((TREE / ".github/workflows").glob("*.yml"))
FLOWS = [pytest.param(yaml.safe_load(file.read_text()), id=file.stem) for file in FILES]
EXACT = re.compile(r"[\w.-]+/[\w./-]+@(v\d+\.\d+\.\d+|[0-9a-f]{40})")
Flow = dict[Any, Any]


def jobs(flow: Flow) -> Iterator[tuple[str, dict[str, Any]]]:
    """The jobs by name."""
    yield from flow["jobs"].items()


def steps(flow: Flow) -> Iterator[dict[str, Any]]:
    """Every step of every job."""
    for _, job in jobs(flow):
        yield from job["steps"]


def test_actionlint_finds_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The workflow files are what GitHub expects; a wrong one is found."""
    assert scans.workflows() is None
    broken = tmp_path / ".github/workflows/broken.yml"
    broken.parent.mkdir(parents=True)
    broken.write_text("on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: echo ${{ nonsense.x }}\n")
    monkeypatch.setattr(scans, "TREE", tmp_path)
    assert "nonsense" in str(scans.workflows())


@pytest.mark.parametrize("flow", FLOWS)
def test_actions_are_pinned(flow: Flow) -> None:
    """By a full version or a commit, so that nobody changes what runs here."""
    assert [step["uses"] for step in steps(flow) if "uses" in step and not EXACT.fullmatch(step["uses"])] == []


@pytest.mark.parametrize("flow", FLOWS)
def test_rights_are_least(flow: Flow) -> None:
    """A workflow may read the code; the one job that may write comments, and checks out nothing of the change."""
    assert flow["permissions"] == {"contents": "read"}
    for name, job in jobs(flow):
        if "permissions" in job:
            assert (name, job["permissions"]) == ("comment", {"pull-requests": "write"})
            assert not any("checkout" in step.get("uses", "") for step in job["steps"])
    checkouts = [step for step in steps(flow) if "checkout" in step.get("uses", "")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize("flow", FLOWS)
def test_a_change_gets_no_secret_and_no_command(flow: Flow) -> None:
    """Code of a pull request never runs with the repository's secrets, and no text of it stands in a command."""
    triggers = flow[True]  # YAML reads the key `on` as true
    assert "pull_request_target" not in triggers and "workflow_run" not in triggers
    assert not any("${{" in step.get("run", "") for step in steps(flow))
    assert "pull_request" not in triggers or "secrets." not in str(flow)


@pytest.mark.parametrize("flow", FLOWS)
def test_jobs_end(flow: Flow) -> None:
    """Each job has a limit of time."""
    assert [name for name, job in jobs(flow) if not job.get("timeout-minutes")] == []


def test_what_runs_here_runs_locally() -> None:
    """Commands of the workflows are targets of the Makefile or the project's own commands, and `make pr` has the scans, the
    tests, the plan and the images."""
    makefile = (TREE / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z0-9-]+):", makefile, re.MULTILINE))
    every = [step for file in FILES for step in steps(yaml.safe_load(file.read_text()))]
    lines = [line for step in every for line in step.get("run", "").splitlines()]
    called = {line.split()[1] for line in lines if line.startswith("make ")}
    assert called <= targets
    others = [line for line in lines if not line.startswith(("make ", ".ci/run", "./pipeline ", "cat .logs/", "gh pr comment "))]
    assert others == []
    of_pr = re.search(r"^pr: ([^#\n]*)", makefile, re.MULTILINE)
    assert of_pr is not None and {"scan", "test", "plan", "images"} <= set(of_pr.group(1).split())
