"""Rule: what a page shows to type can be typed as it stands: the examples of README and docs, on a running platform."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from applications.ml.features.registry import FEATURES
from applications.orchestration.serving import middles
from components.settings import layer_kinds
from tests.e2e.command import ALL, LONGEST, Command
from tests.e2e.stack import TREE, Stack

PAGES = ("README.md", "docs/command.md", "docs/ingestion.md", "docs/ml.md", "docs/processing.md", "docs/serving.md", "docs/logs.md")
BLOCK = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TYPED = re.compile(r"^(\./pipeline|curl|docker|make|\w+=)", re.MULTILINE)
ELSEWHERE = re.compile(r"^(make .*|\./pipeline \w+ stop\b.*)\n", re.MULTILINE)
"""What sets the platform up or takes it away: other modules do that."""
STRICT = "curl() { command curl --silent --show-error --fail-with-body \"$@\"; }\nset -euo pipefail\n"
BACKUPS = "/srv/backups"


def examples() -> Iterator[tuple[str, str]]:
    """The blocks with something to type, each with its page."""
    for page in PAGES:
        for block in BLOCK.findall((TREE / page).read_text()):
            if TYPED.search(block):
                yield page, ELSEWHERE.sub("", block)


@pytest.fixture(scope="module")
def patient(command: Command) -> str:
    """Somebody whom the model knows."""
    return str(command("ml", "predict", "--json").data()["patient_id"])


def filled(stack: Stack, block: str, patient: str, folder: Path) -> str:
    """The block for this stack: its name, ports and folder, and what the reader has to fill in."""
    features = json.dumps(middles([asdict(feature) for feature in FEATURES]))
    block = re.sub(r'\{"age": 61[^}]*, …\}', lambda _: features, block)
    block = re.sub(r"PT0000A1B2|PT…", patient, block).replace(BACKUPS, str(folder))
    block = block.replace(f"{stack.project['name']}-dev-", stack.named("")).replace("'dev'", f"'{stack.name}'")
    for kind in layer_kinds().values():
        for port in kind.default_ports.values():
            block = block.replace(f"http://127.0.0.1:{port}/", f"http://127.0.0.1:{port + stack.offset}/")
            block = re.sub(rf"http://127\.0\.0\.1:{port}$", f"http://127.0.0.1:{port + stack.offset}", block, flags=re.MULTILINE)
    return block


def typed(command: Command, script: str) -> subprocess.CompletedProcess[str]:
    """What came of typing it in the checkout, where the first line that fails ends it."""
    return subprocess.run(["bash", "-c", STRICT + script], cwd=command.stack.folder, env=command.environment({}), text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=LONGEST, check=False)


def test_every_page_has_examples() -> None:
    """A page whose examples went, or are written another way, would be forgotten."""
    assert {page for page, _ in examples()} == set(PAGES)


@pytest.mark.parametrize(("page", "block"), list(examples()), ids=lambda value: value if value in PAGES else "")
def test_the_example_runs_as_it_is_written(platform: Stack, command: Command, patient: str, tmp_path: Path, page: str,
                                           block: str) -> None:
    """Every line of it succeeds, requests are answered with success, and nothing is left for the reader to fill in."""
    script = filled(platform, block, patient, tmp_path)
    assert "…" not in re.sub(r"#.*", "", script), script
    done = typed(command, script)
    assert done.returncode == 0, f"{page}:\n{script}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("wrong", ["curl http://127.0.0.1:8184/nothing\n", f"./pipeline {ALL} fly\n"])
def test_an_example_with_a_fault_is_found(platform: Stack, command: Command, patient: str, tmp_path: Path, wrong: str) -> None:
    """The test above can fail: a path that is not there, a command that is none."""
    assert typed(command, filled(platform, wrong, patient, tmp_path)).returncode != 0
