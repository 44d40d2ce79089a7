"""The layer of docs/contributing.md, added to a copy of the program as the page says: a new folder and __main__.py suffice."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TREE = Path(__file__).parents[3]
PAGE = (TREE / "docs/contributing.md").read_text()
BLOCK = re.compile(r"^`([\w/.]+\.py)`[^\n]*\n(?:[^`\n][^\n]*\n)*\n```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = dict(BLOCK.findall(PAGE))
LAYER = "components/sessions"
READ_ALONE = ("applications", "docs", "images", "policies", "tests")
LOOK = """
from pulumi_policy import ResourceValidationArgs, StackValidationArgs

from components.settings import layer_kinds
from operations.stack import dependents_of, needed_by
from policies.pack import RULES
from policies.rule import StackRule
from tests.policies.test_policy_platform import resources
from tests.unit.components.recorded import CONTAINER, platform

graph = platform("dev", images="pull")
every = resources(graph)
faults = [fault for rule in RULES if not isinstance(rule, StackRule) for r in every
          for fault in rule.check(ResourceValidationArgs(r.resource_type, r.props, r.urn, r.name, r.opts, None))]
faults += [fault for rule in RULES if isinstance(rule, StackRule) for _, fault in rule.check(StackValidationArgs(every))]
store = graph.of_type(CONTAINER)["session-store"]
targets = graph.of_type(CONTAINER)["monitoring-service"].inputs["uploads"]
stopped = platform("dev", layers="stopped")
print(list(layer_kinds()).index("sessions") > list(layer_kinds()).index("infrastructure"))
print(needed_by("sessions"), "sessions" in dependents_of("infrastructure"))
print(graph.layer_of(store), int(store.inputs["ports"][0]["external"]), any('"session-store"' in t["content"] for t in targets))
print("session-store" in stopped.of_type(CONTAINER), "session-store-data" in stopped.of_type("docker:index/volume:Volume"))
print(faults)
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The program in a folder of its own, where the page's blocks are added to it."""
    shutil.copytree(TREE / "components", tmp_path / "components", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(TREE / "operations", tmp_path / "operations", ignore=shutil.ignore_patterns("__pycache__"))
    for name in READ_ALONE:
        (tmp_path / name).symlink_to(TREE / name)
    for file in (TREE / "__main__.py", TREE / "pyproject.toml", *TREE.glob("Pulumi*.yaml")):
        shutil.copy(file, tmp_path)
    (tmp_path / "toolchain").symlink_to(TREE / "toolchain")
    return tmp_path


@pytest.fixture
def added(copy: Path) -> Path:
    """The copy with the page's layer."""
    (copy / LAYER).mkdir()
    for name, text in BLOCKS.items():
        path = copy / name
        path.write_text(wired(path.read_text(), text) if name == "__main__.py" else text)
    return copy


def wired(program: str, block: str) -> str:
    """The program with the page's lines: the import among the imports, the rest in place of the list of layers."""
    line, rest = block.split("\n\n", 1)
    old = re.search(r"^below = \(.*\)$", program, re.MULTILINE)
    assert old is not None and old.group().removesuffix(")") in rest, "the page's list of layers is not the program's with one more"
    last = "from components.settings"
    return program.replace(old.group(), rest.rstrip()).replace(last, f"{line}\n{last}", 1)


def test_the_page_adds_a_folder_and_changes_main_alone() -> None:
    """The blocks are the files of one new folder, and __main__.py."""
    assert not (TREE / LAYER).exists()
    assert set(BLOCKS) == {f"{LAYER}/{name}.py" for name in ("__init__", "settings", "layer")} | {"__main__.py"}


def test_the_layer_stands_in_the_graph_switches_and_keeps_the_policies(added: Path) -> None:
    """The real program with it: found by the settings, in its place in the order, watched, kept when stopped, without a fault."""
    done = subprocess.run([sys.executable, "-c", LOOK], cwd=added, capture_output=True, text=True, check=False,
                          env={**os.environ, "PYTHONPATH": str(added), "PYTHONDONTWRITEBYTECODE": "1"})
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-5:] == ["True", "['infrastructure'] True", "sessions 6390 True", "False True", "[]"]


def test_the_page_s_code_keeps_the_rules_of_the_house(added: Path) -> None:
    """The linter finds nothing in it, so that whoever begins with it begins well."""
    done = subprocess.run([sys.executable, "-m", "ruff", "check", "--no-cache", LAYER], cwd=added, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout
