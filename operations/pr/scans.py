"""Scans: the workflows themselves, secrets in the history, and known vulnerabilities of what is pinned.

Each answers what it found as text, or None. The tools are pinned here; Go ones are built from the module proxy.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from toolchain.environments import go
from toolchain.parts import CLI
from toolchain.places import log_file

TREE = Path(__file__).parents[2]
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
GITLEAKS = "github.com/zricethezav/gitleaks/v8@v8.30.1"
KNOWN_FAKES = ".github/gitleaks.toml"
REQUIREMENTS = ("requirements.txt", "requirements-dev.txt", "toolchain/requirements.txt", "images/*/requirements.txt")


class Unasked(Exception):
    """A scan could not look, which is not the same as finding nothing; the message says why."""


def workflows() -> str | None:
    """Faults of the workflow files."""
    files = sorted(str(path.relative_to(TREE)) for path in (TREE / ".github/workflows").glob("*.yml"))
    return answer([*tool(ACTIONLINT), "-color=false", *files])


def leaks() -> str | None:
    """Secrets in any commit, redacted; fakes of the tests are listed in .github/gitleaks.toml."""
    return answer([*tool(GITLEAKS), "git", "--no-banner", "--no-color", "--redact", "--verbose", "--config", KNOWN_FAKES, "."])


def vulnerabilities() -> str | None:
    """Packages with a known vulnerability, by the file that pins them. Raises Unasked where nobody could be asked about some."""
    found, unknown = [], []
    for file in sorted(path for pattern in REQUIREMENTS for path in TREE.glob(pattern)):
        name = str(file.relative_to(TREE))
        command = [sys.executable, "-m", "pip_audit", "--requirement", name, "--no-deps", "--disable-pip", "--format", "json",
                   "--progress-spinner", "off"]
        done = subprocess.run(command, cwd=TREE, capture_output=True, text=True, check=False)
        if not done.stdout:
            raise Unasked(done.stderr.strip())
        bad, skipped = audited(done.stdout)
        found += [f"{name}: {line}" for line in bad]
        unknown += skipped
    if found:
        return "\n".join(found)
    if unknown:
        some = sorted(set(unknown))
        raise Unasked(f"the index cannot say anything of {len(some)} packages ({', '.join(some[:3])} …); PyPI itself can")
    return None


def audited(text: str) -> tuple[list[str], list[str]]:
    """What pip-audit found, a line a vulnerability, and the packages that it could not look up."""
    found, unknown = [], []
    for package in json.loads(text)["dependencies"]:
        if "skip_reason" in package:
            unknown.append(str(package["name"]))
        for fault in package.get("vulns", []):
            fixed = ", ".join(fault["fix_versions"]) or "no release yet"
            found.append(f"{package['name']} {package['version']} has {fault['id']}, mended in {fixed}")
    return found, unknown


def tool(module: str) -> list[str]:
    """The command that runs a Go tool of exactly this version."""
    return [go(CLI, log_file(CLI)), "run", module]


def answer(command: list[str]) -> str | None:
    """What a command that failed printed; None when it found nothing."""
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
    done = subprocess.run(command, cwd=TREE, env=environment, capture_output=True, text=True, check=False)
    return f"{done.stdout}{done.stderr}".strip() or "failed without a word" if done.returncode else None


SCANS: Mapping[str, Callable[[], str | None]] = {
    "workflows": workflows, "secrets in the history": leaks, "known vulnerabilities": vulnerabilities}
