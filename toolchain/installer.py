"""Installs each part: what is there is kept, else downloaded, else built from package registries."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from toolchain import build
from toolchain.checks import check, check_preview
from toolchain.downloads import Downloads
from toolchain.environments import python_environment
from toolchain.errors import ToolchainError
from toolchain.parts import CLI, LANGUAGE_HOST, PARTS, Build, Part
from toolchain.places import (
    COMMANDS,
    bin_folder,
    command_file,
    log_file,
    made_folder,
    own_folder,
    plugin_folder,
)
from toolchain.run import logged
from toolchain.state import Found, environment, state

PLUGIN_INSTALL = ["pulumi", "plugin", "install", "resource"]
DOWNLOAD_SECONDS = 300


def install(console: Console, downloads: Downloads | None = None) -> None:
    """Makes the engine complete: the command, the language host and the plugins; does nothing when it is.

    Progress goes to `console`, one line when a part begins and one when it ends. Raises ToolchainError.
    """
    downloads = downloads or Downloads()
    own_folder().mkdir(parents=True, exist_ok=True)
    with alone(console):
        installed = [part for part in PARTS if bring(part, downloads, console)]
    if present := [part.title for part in PARTS if part not in installed]:
        console.print(f"engine: {', '.join(present)} already installed")
    if installed:
        check_preview()


def bring(part: Part, downloads: Downloads, console: Console) -> bool:
    """Installs and checks one part unless it is there; whether there was anything to do."""
    found = state(part)
    if found in (Found.OFFICIAL, Found.OURS):
        return False
    log = log_file(part)
    log.write_text("")
    began = time.monotonic()
    console.print(f"engine: {part.title}: {found.value}, installing (log: {log}) …")
    with (
        console.status(f"{part.title} …"),
        tempfile.TemporaryDirectory(dir=own_folder(), prefix="making-") as folder,
    ):
        how = get(part, found, downloads, Path(folder), log)
        try:
            check(part)
        except ToolchainError:
            discard(part)  # or the next run would take it for installed
            raise
    console.print(f"engine: {part.title}: {how} and checked in {time.monotonic() - began:.0f} s")
    return True


def get(part: Part, found: Found, downloads: Downloads, aside: Path, log: Path) -> str:
    """Downloads the official part, or makes it; how it was got. `aside` is an empty folder to work in."""
    folder = aside / "made"
    folder.mkdir()
    if part is LANGUAGE_HOST:  # an official one comes with the official command only
        build.install_language_host(part, python_environment(log), folder)
        return part.build.value
    if downloads.reachable(CLI):
        if part is CLI and downloads.fetch_cli(part, bin_folder(), aside):
            return "downloaded"
        if part is not CLI and download_plugin(part, found, downloads, log):
            return "downloaded"
    if part is CLI:
        build.install_cli(part, folder, log)
        return part.build.value
    archive = (
        build.pack_go_plugin(part, folder, log)
        if part.build is Build.GO
        else build.pack_python_plugin(part, python_environment(log), folder)
    )
    command = [*PLUGIN_INSTALL, part.name, part.version, "--file", str(archive), "--reinstall"]
    logged(f"installing {part.title}", command, log, env={**os.environ, **environment()})
    return part.build.value


def download_plugin(part: Part, found: Found, downloads: Downloads, log: Path) -> bool:
    """Lets the engine download the official plugin; False, and no further try in this run, when it cannot."""
    again = ["--reinstall"] if found is Found.OUTDATED else []
    try:
        logged(
            f"downloading {part.title}",
            [*PLUGIN_INSTALL, part.name, part.version, *again],
            log,
            env={**os.environ, **environment()},
            timeout=DOWNLOAD_SECONDS,
        )
    except ToolchainError:
        downloads.give_up()
        return False
    return True


def discard(part: Part) -> None:
    """Removes what was just installed and does not work."""
    if part in COMMANDS:
        command_file(part).unlink(missing_ok=True)
        shutil.rmtree(made_folder(part), ignore_errors=True)
    else:
        shutil.rmtree(plugin_folder(part), ignore_errors=True)


@contextmanager
def alone(console: Console) -> Iterator[None]:
    """Holds the lock of the toolchain, so that two runs do not install into one folder."""
    with (own_folder() / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.print("engine: waiting for another installation to end …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
