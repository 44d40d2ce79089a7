"""Each part proves that it works by running."""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import yaml
from rich.console import Console

from toolchain.environments import version_numbers
from toolchain.errors import ToolchainError
from toolchain.parts import CLI, LANGUAGE_HOST, MINIMUM_CLI, PARTS, Part
from toolchain.places import plugin_folder
from toolchain.run import answer
from toolchain.state import Found, environment, state

PROGRAM = 'import pulumi\npulumi.export("answer", pulumi.Output.from_input(6).apply(lambda six: six * 7))\n'


def variables() -> dict[str, str]:
    """The whole environment to run `pulumi` in, away from the user's stacks and their back end."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_CONFIG")}
    return {**inherited, **environment(), "PULUMI_CONFIG_PASSPHRASE": "check"}


def check(part: Part) -> None:
    """Runs one part. Raises ToolchainError when it does not answer as it must.

    A plugin is started by the engine itself, from where the engine finds it, and describes its types.
    """
    if part is CLI:
        check_cli()
    elif part is LANGUAGE_HOST:
        check_preview()
    else:
        check_plugin(part)


def check_cli() -> None:
    """The command runs and is new enough for the Python SDK."""
    command = shutil.which("pulumi", path=variables()["PATH"])
    found = answer(["pulumi", "version"], variables()).strip()
    if version_numbers(found) < MINIMUM_CLI:
        raise ToolchainError(
            f"`pulumi version` says {found!r}, where {CLI.version} is needed. "
            f"Remove {command} and run `python -m toolchain install`."
        )


def check_plugin(part: Part) -> None:
    """The engine finds the plugin, starts it, and is told its version and at least one type of resource."""
    text = answer(["pulumi", "package", "get-schema", f"{part.name}@{part.version}"], variables())
    schema = json.loads(text)
    if schema.get("version", "").lstrip("v") != part.version or not schema.get("resources"):
        raise ToolchainError(
            f"the {part.name} plugin calls itself {schema.get('version')!r} and has "
            f"{len(schema.get('resources', {}))} types, where {part.version} is needed. "
            f"Remove {plugin_folder(part)} and run `python -m toolchain install`."
        )


def check_preview() -> None:
    """A real preview of a tiny Python program, in a folder and a state of its own."""
    with tempfile.TemporaryDirectory() as folder:
        project = {
            "name": "toolchain-check",
            "runtime": {"name": "python", "options": {"virtualenv": sys.prefix}},
        }
        Path(folder, "Pulumi.yaml").write_text(yaml.safe_dump(project))
        Path(folder, "__main__.py").write_text(PROGRAM)
        env = {**variables(), "PULUMI_BACKEND_URL": f"file://{folder}"}
        place = ["--cwd", folder, "--non-interactive"]
        answer(["pulumi", "stack", "init", "check", "--no-select", *place], env)
        shown = answer(["pulumi", "preview", "--stack", "check", *place], env)
    if "answer: 42" not in " ".join(shown.split()):
        raise ToolchainError(f"a preview of a tiny program does not show its output:\n{shown}")


def verify(console: Console) -> None:
    """Checks every part, whatever its origin. Raises ToolchainError at the first that is missing or fails."""
    for part in PARTS:
        found = state(part)
        if found is Found.MISSING:
            raise ToolchainError(f"{part.title} is not installed: run `python -m toolchain install`.")
        check(part)
        console.print(f"engine: {part.title}: works ({found.value})")
