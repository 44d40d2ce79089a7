"""The plan of a pull request: what differs between two plans, and the comment that says so."""

from __future__ import annotations

import json
from contextlib import nullcontext
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

import operations.pr.__main__ as pr
from components.settings import Settings, layer_kinds
from operations.faults import OperationError
from operations.pr import plans, scans
from operations.pr.plans import Change, changes, failure, read, settings, tree_of
from operations.pr.texts import MOST_ROWS, comment

TREE = Path(__file__).parents[3]


def preview(*resources: tuple[str, str, dict[str, Any]]) -> str:
    """What the engine prints: a warning, then the plan."""
    return "warning: a new version\n" + json.dumps({"steps": [
        {"op": "create", "newState": {"urn": f"urn:pulumi:dev::p::a$b::{name}", "type": kind, "inputs": inputs}}
        for kind, name, inputs in resources]})


def test_what_is_new_gone_or_different_is_found() -> None:
    """By type and name; of what differs the inputs are named, and what is alike is not."""
    before = read(preview(("c", "same", {"x": 1}), ("c", "gone", {}), ("c", "moved", {"x": 1, "y": 1})))
    after = read(preview(("c", "same", {"x": 1}), ("c", "new", {}), ("c", "moved", {"x": 1, "y": 2, "z": 3})))
    assert changes(before, after) == [Change("-", "c gone"), Change("~", "c moved", ("y", "z")), Change("+", "c new")]
    assert changes(before, before) == []


def test_the_comment_counts_and_is_never_too_long() -> None:
    """Counts by stack, a table, and what was cut off."""
    many = [Change("~", f"docker:index/container:Container {'long-name-' * 5}{index}", ("image", "envs", "labels"))
            for index in range(2 * MOST_ROWS)]
    text = comment("main", {"dev": [Change("+", "t x"), Change("~", "t y", ("a", "b"))], "prod": [], "third": many})
    assert "compared with `main`" in text
    assert "### dev: 1 new, 0 gone, 1 different" in text and "| ~ | `t y` | a, b |" in text
    assert "### prod: no resource changes" in text
    assert f"and {MOST_ROWS} more" in text
    assert len(comment("main", {"dev": many, "prod": many})) < 65_536


def test_a_failed_preview_says_why_in_words() -> None:
    """The diagnostics of the engine, not its JSON; what is no JSON as it is."""
    assert failure(json.dumps({"diagnostics": [{"message": "bad: it runs as root\n"}]}), "") == "bad: it runs as root\n"
    assert failure("", "no such stack") == "no such stack"


@pytest.mark.parametrize("stack", plans.STACKS)
def test_the_settings_of_a_plan_are_valid_and_hold_no_real_secret(stack: str) -> None:
    """Every layer is on, and the secrets are made from their names alone, so that two plans can be compared."""
    found = settings(TREE, stack)
    assert found == settings(TREE, stack)
    assert set(found["clinical:layers"].values()) == {"running"}
    assert set(found["clinical:secrets"]) == {name for kind in layer_kinds().values() for name in kind.secrets}
    Settings.parse("p", stack, {key: json.dumps(value) if isinstance(value, dict) else str(value).lower() if isinstance(value, bool)
                                else value for key, value in found.items()})


def test_a_commit_is_read_without_being_checked_out() -> None:
    """The files of a commit stand in a folder of their own; one that there is not is named."""
    with tree_of("HEAD") as folder:
        assert yaml.safe_load((folder / "Pulumi.yaml").read_text())["name"] == "clinical-mlops"
        assert folder != TREE
    assert not folder.exists()
    with pytest.raises(OperationError, match="there is no commit nowhere"), tree_of("nowhere"):
        pass


def test_a_scan_answers_what_it_found_or_nothing() -> None:
    """The tool's own words where it fails; a tool that fails in silence is no good news either."""
    assert scans.answer(["true"]) is None
    assert scans.answer(["sh", "-c", "echo found; exit 3"]) == "found"
    assert scans.answer(["false"]) == "failed without a word"


def test_what_could_not_be_looked_up_is_told_from_what_is_safe() -> None:
    """A vulnerability is named with its remedy; a package that nobody knows anything of counts as not looked at."""
    faults = [{"id": "CVE-1", "fix_versions": ["1.1"]}, {"id": "CVE-2", "fix_versions": []}]
    text = json.dumps({"dependencies": [
        {"name": "safe", "version": "1", "vulns": []}, {"name": "strange", "skip_reason": "not found"},
        {"name": "bad", "version": "1.0", "vulns": faults}]})
    assert scans.audited(text) == (
        ["bad 1.0 has CVE-1, mended in 1.1", "bad 1.0 has CVE-2, mended in no release yet"], ["strange"])


def nothing() -> str | None:
    """A scan that finds nothing."""
    return None


def blind() -> str | None:
    """A scan that cannot look."""
    raise scans.Unasked("nobody answers")


@pytest.mark.parametrize(("ci", "passes"), [("true", False), ("", True)])
def test_a_scan_that_could_not_look_is_no_success_in_ci(monkeypatch: pytest.MonkeyPatch, ci: str, passes: bool) -> None:
    """It is said in any case, and fails where only the exit status is looked at."""
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(pr, "SCANS", {"one": nothing, "other": blind})
    output = StringIO()
    with nullcontext() if passes else pytest.raises(OperationError, match="other: not looked for"):
        pr.scan(Console(file=output, width=200))
    assert "one: nothing found" in output.getvalue() and "other: NOT LOOKED FOR: nobody answers" in output.getvalue()
