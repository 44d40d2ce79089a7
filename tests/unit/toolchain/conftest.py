"""Fixtures of the toolchain's tests: a PULUMI_HOME of its own, and programs for the installed engine."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.toolchain.tiny_program import Program
from toolchain import state


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty PULUMI_HOME, with no `pulumi` on PATH and no log folder of the project in use."""
    folder = tmp_path / "pulumi-home"
    (folder / "clinical-toolchain").mkdir(parents=True)
    monkeypatch.setenv("PULUMI_HOME", str(folder))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr("toolchain.places.LOGS", tmp_path / "logs")
    state.cli_version.cache_clear()
    yield folder
    state.cli_version.cache_clear()


@pytest.fixture
def executable() -> Callable[[Path, str], Path]:
    """Writes a shell script: `executable(path, text)`."""

    def write(path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    return write


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """A program for the installed engine."""
    return Program(tmp_path)
