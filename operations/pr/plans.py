"""What a change does to each committed stack: the engine's plan for it, beside the plan of the code that it starts from.

Both are plans for an empty state, made in scratch stacks: no secret, no state and no server of a real stack is needed, so
that they can be made of anybody's pull request.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import yaml

import toolchain
from operations.faults import OperationError
from policies.configuration import write_configuration

TREE = Path(__file__).parents[2]
STACKS = ("dev", "prod")
NAMES = """
import json
from components.settings import layer_kinds
print(json.dumps([name for kind in layer_kinds().values() for name in kind.secrets]))
"""
Plan = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Change:
    """One resource that differs: `kind` is `+`, `-` or `~`, and `keys` are the inputs that differ."""

    kind: str
    resource: str
    keys: tuple[str, ...] = ()


@contextmanager
def tree_of(reference: str) -> Iterator[Path]:
    """The project's files as a commit has them, in a folder of their own. Raises OperationError where there is no such commit."""
    done = subprocess.run(["git", "archive", "--format=tar", reference], cwd=TREE, capture_output=True, check=False)
    if done.returncode:
        raise OperationError(f"there is no commit {reference} to compare with; name one: `make plan BASE=origin/main`")
    with tempfile.TemporaryDirectory(prefix="clinical-plan-") as folder:
        with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
            archive.extractall(folder, filter="data")
        yield Path(folder)


def plan(tree: Path, stack: str, *, policies: bool) -> Plan:
    """The inputs of each resource that the program in `tree` would make, by type and name. Raises OperationError."""
    with tempfile.TemporaryDirectory(prefix="clinical-plan-") as name:
        folder = Path(name)
        (folder / "state").mkdir()
        project = yaml.safe_load((tree / "Pulumi.yaml").read_text())
        runtime = {"name": "python", "options": {"virtualenv": str(TREE / ".venv")}}
        (folder / "Pulumi.yaml").write_text(yaml.safe_dump({**project, "main": str(tree), "runtime": runtime}))
        pulumi(["stack", "init", stack], folder)
        file = folder / f"Pulumi.{stack}.yaml"
        configuration = settings(tree, stack)
        file.write_text(yaml.safe_dump({**(yaml.safe_load(file.read_text()) or {}), "config": configuration}))
        # Mandatory, also for a stack that would only be told: what is merged keeps every rule.
        told = write_configuration(folder / "policies.json", "mandatory", configuration.get("clinical:bindAddress", "127.0.0.1"))
        pack = ["--policy-pack", str(tree / "policies"), "--policy-pack-config", str(told)] if policies else []
        return read(pulumi(["preview", "--json", "--stack", stack, *pack], folder))


def settings(tree: Path, stack: str) -> dict[str, Any]:
    """The settings of a committed stack file, every layer on, with secrets that are nobody's and always the same."""
    given = yaml.safe_load((tree / f"Pulumi.{stack}.yaml").read_text())["config"]
    layers = dict.fromkeys(given.get("clinical:layers") or {}, "running")
    names = json.loads(command([str(TREE / ".venv/bin/python"), "-c", NAMES], tree))
    secrets = {name: hashlib.sha256(name.encode()).hexdigest()[:32] for name in names}
    return {**given, "clinical:layers": layers, "clinical:secrets": secrets}


def read(text: str) -> Plan:
    """The plan in what `pulumi preview --json` prints."""
    steps = json.loads(text[text.index("{"):text.rindex("}") + 1])["steps"]
    found = [step["newState"] for step in steps]
    return {f"{state['type']} {state['urn'].rpartition('::')[2]}": state.get("inputs") or {} for state in found}


def changes(before: Plan, after: Plan) -> list[Change]:
    """Each resource that is new, gone or different, by type and name."""
    found = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old is None:
            found.append(Change("+", name))
        elif new is None:
            found.append(Change("-", name))
        elif keys := tuple(key for key in sorted({*old, *new}) if old.get(key) != new.get(key)):
            found.append(Change("~", name, keys))
    return found


def pulumi(arguments: list[str], folder: Path) -> str:
    """What a Pulumi command prints in a scratch folder, away from the user's own stacks."""
    return command(["pulumi", *arguments, "--non-interactive", "--color", "never"], folder, scratch(folder))


def scratch(folder: Path) -> dict[str, str]:
    """The environment of a scratch stack."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_CONFIG")}
    return {**own, **toolchain.environment(), "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "a plan holds no secret"}


def command(arguments: list[str], folder: Path, environment: Mapping[str, str] | None = None) -> str:
    """What a command prints. Raises OperationError with its own words."""
    done = subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OperationError(f"`{' '.join(arguments[:2])}` failed:\n{failure(done.stdout, done.stderr)}")
    return done.stdout


def failure(output: str, errors: str) -> str:
    """The words of a command that failed: for a preview in JSON its diagnostics, else all that it printed."""
    try:
        found = json.loads(output[output.index("{"):output.rindex("}") + 1]).get("diagnostics") or []
    except ValueError:
        return "\n".join(filter(None, (output.strip(), errors.strip())))
    return "\n".join([*(str(diagnostic["message"]).strip() for diagnostic in found), errors.strip()])
