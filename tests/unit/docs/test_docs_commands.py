"""Rule: what a page or a message tells to type exists: commands with their options, targets of make, and linked files."""

from __future__ import annotations

import functools
import re
import shlex
from pathlib import Path

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

from components.settings import Platform, keys_of, layer_kinds
from operations.__main__ import application
from operations.stack import PROJECT_FOLDER as TREE

PAGES = [TREE / "README.md", *sorted((TREE / "docs").glob("*.md"))]
PROGRAMS = [path for folder in ("operations", "components", "applications", "toolchain", "policies")
            for path in sorted((TREE / folder).rglob("*")) if path.suffix in (".py", ".yml", ".json")]
APPLICATION = application()
TOY = "sessions"
"""The layer that docs/contributing.md makes."""
BLANKS = {r"\{\{ \$labels\.layer \}\}": "ingestion", r"\{\{ \$labels\.\w+ \}\}": "kafka", r"\{[^{}]*layer[^{}]*\}": "ingestion",
          r"\{(need|busy\[0\]|layers\[-?\d\])\}": "ingestion", r"\{mend\[0\]\}": "start", r"\{[^{}]*\}": "value",
          r"\bLAYER\b": "ingestion", r"\bCOMMAND\b": "status", r"\bSERVICE\b": "kafka", "…": "x", rf"^{TOY}\b": "ingestion"}
"""What stands for something that the reader or the program fills in."""
TYPED = re.compile(r"\./pipeline ([^`|#\n\"]*[^`|#\n\" ])")
CUT_OFF = re.compile(r"[,;:.)]+(?:\s.*)?$|\s(?:says|starts|or|and|where|brings|runs|tells|for|after|shows)\s.*$"
                     r"| --stack$|'.*and start it.*$")


def typed(path: Path) -> list[str]:
    """The command lines of a file, without `./pipeline`."""
    found = []
    for line in TYPED.findall(path.read_text()):
        for blank, example in BLANKS.items():
            line = re.sub(blank, example, line)
        found.append(CUT_OFF.sub("", line).strip())
    return found


@functools.cache
def fault(line: str) -> str:
    """What the command says against a command line; empty when it understands. Its help is asked for, so that nothing runs."""
    words = shlex.split(line.replace("'", "") if line.count("'") % 2 else line)
    answer = CliRunner().invoke(APPLICATION, [*words, "--help"])
    return "" if answer.exit_code == 0 else answer.output or "wrong usage"


@pytest.mark.parametrize("path", [path for path in (*PAGES, *PROGRAMS) if "./pipeline " in path.read_text()],
                         ids=lambda path: str(path.relative_to(TREE)))
def test_every_command_is_understood(path: Path) -> None:
    """Its layer, command, options and arguments are there."""
    assert {line: fault(line) for line in typed(path) if fault(line)} == {}


@pytest.mark.parametrize("line", ["urls", "all statsu", "all graph --fromat svg", "sorage buckets"])
def test_a_command_that_is_not_there_is_found(line: str) -> None:
    """The test above can fail."""
    assert fault(line)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_target_of_make_is_there(path: Path) -> None:
    """In code, since "make" is a word of the language, too."""
    targets = set(re.findall(r"^([a-z0-9-]+):", (TREE / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`| {4})make ((?:[a-z0-9])+)", path.read_text(), re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_leads_to_a_file(path: Path) -> None:
    """Of this repository."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


def settings_named(text: str) -> set[str]:
    """The names in the first column of each table of settings."""
    found, within = set[str](), False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) < 3:
            within = False
        elif cells[1].lower() in ("setting", "settings", "key"):
            within = True
        elif within and set(cells[1]) - set("- "):
            found |= set(re.findall(r"[A-Za-z]+", re.sub(r"\([^)]*\)|\.\S+|\[.*?\]", "", cells[1].replace("clinical:", ""))))
    return found


def test_every_setting_in_a_table_exists() -> None:
    """Under the name that the configuration has it by (docs/serving.md tells those of the service itself)."""
    models: list[type[BaseModel]] = [Platform, *layer_kinds().values()]
    known = {key for model in models for key in keys_of(model)} | {"clinical", "sessionsMemoryMb"}
    unknown = {path.name: settings_named(path.read_text()) - known for path in PAGES if path.name != "serving.md"}
    assert {name: names for name, names in unknown.items() if names} == {}
    assert "sparkWorkers" in settings_named((TREE / "docs" / "operations.md").read_text())
