"""What of the engine is there already, and whose it is."""

import functools
import os
import shutil
from enum import Enum
from pathlib import Path

from toolchain.environments import version_numbers
from toolchain.errors import ToolchainError
from toolchain.parts import CLI, LANGUAGE_HOST, MINIMUM_CLI, PLUGINS, Part
from toolchain.places import (
    COMMANDS,
    MARK,
    SIGNATURE,
    command_file,
    digest,
    made_from,
    plugin_folder,
    read_json,
    same_file,
)
from toolchain.run import answer


class Found(Enum):
    """The state of a part before anything is done."""

    OFFICIAL = "official"
    OURS = "built here"
    OUTDATED = "built here from other sources"
    MISSING = "missing"


def of_marked(found: object, wanted: str) -> Found:
    """The state of a part of ours from the digest it was made of."""
    return Found.OURS if found == wanted else Found.OUTDATED


def plugin_state(part: Part) -> Found:
    """The state of a plugin. One that is half installed counts as missing, as it does for the engine."""
    folder = plugin_folder(part)
    half = folder.with_name(f"{folder.name}.partial").exists()
    if half or not folder.is_dir() or not any(folder.iterdir()):
        return Found.MISSING
    if not (folder / MARK).exists():
        return Found.OFFICIAL
    return of_marked(read_json(folder / MARK).get("digest"), digest(part))


def official_cli() -> Path | None:
    """The `pulumi` that was installed by other means and is new enough; PATH goes before Pulumi's own folder.

    Raises ToolchainError when one that is not good enough is where ours would have to go.
    """
    own = command_file(CLI)
    on_path = [Path(folder) / "pulumi" for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    for candidate in dict.fromkeys([*on_path, own]):
        if not candidate.is_file() or not os.access(candidate, os.X_OK):
            continue
        ours = same_file(candidate, own) and (made_from(CLI) or is_our_launcher(command_file(LANGUAGE_HOST)))
        if ours:
            continue
        if cli_version(candidate) >= MINIMUM_CLI and has_language_host(candidate):
            return candidate
        if same_file(candidate, own):
            needed = ".".join(map(str, MINIMUM_CLI))
            raise ToolchainError(
                f"{own} is older than {needed} or has no pulumi-language-python beside it, and this project "
                "did not put it there: upgrade it in the way you installed it, or remove it."
            )
    return None


def has_language_host(command: Path) -> bool:
    """Whether the engine finds a language host for Python other than ours: beside the command or on PATH."""
    name = COMMANDS[LANGUAGE_HOST]
    beside, on_path = command.resolve().parent / name, shutil.which(name)
    return any(file.is_file() and not is_our_launcher(file) for file in (beside, Path(on_path or beside)))


def is_our_launcher(file: Path) -> bool:
    """Whether a language host is the one that the toolchain writes."""
    if not file.is_file():
        return False
    with file.open("rb") as content:
        return SIGNATURE.encode() in content.read(300)


@functools.cache
def cli_version(command: Path) -> tuple[int, ...]:
    """The version of a `pulumi`; () when it does not run."""
    try:
        env = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
        return version_numbers(answer([str(command), "version"], env))
    except ToolchainError:
        return ()


def cli_state() -> Found:
    """The state of the `pulumi` command."""
    if official_cli():
        return Found.OFFICIAL
    found = made_from(CLI)
    return of_marked(found, digest(CLI)) if found else Found.MISSING


def language_host_state() -> Found:
    """The state of the language host. An official command brings its own, which then is the one to use."""
    if official_cli():
        return Found.OFFICIAL
    found = made_from(LANGUAGE_HOST)
    return of_marked(found, digest(LANGUAGE_HOST)) if found else Found.MISSING


def state(part: Part) -> Found:
    """The state of any part."""
    if part is CLI:
        return cli_state()
    return language_host_state() if part is LANGUAGE_HOST else plugin_state(part)


def environment() -> dict[str, str]:
    """The variables to run `pulumi` with, on top of the caller's own.

    PATH reaches the command; the check for a newer release is off; automatic downloads of plugins are off
    where one of ours stands in for an official part, because that could not be downloaded.
    """
    variables = {"PATH": os.environ.get("PATH", ""), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    official = official_cli()
    first = (official or command_file(CLI)).parent
    if shutil.which("pulumi") != str(first / "pulumi"):
        variables["PATH"] = os.pathsep.join(filter(None, [str(first), variables["PATH"]]))
    if official is None or any((plugin_folder(part) / MARK).exists() for part in PLUGINS):
        variables["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
    return variables
