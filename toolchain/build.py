"""Making the parts from package registries: each is made aside, and put in its place when it is complete."""

import json
import os
import shutil
import tarfile
from pathlib import Path

import yaml

from toolchain.environments import go
from toolchain.errors import ToolchainError
from toolchain.parts import Part
from toolchain.places import (
    COMMANDS,
    IGNORED,
    MARK,
    SIGNATURE,
    SOURCES,
    bin_folder,
    command_file,
    digest,
    made_folder,
    own_folder,
)
from toolchain.run import logged

LAUNCHER = """\
#!/bin/sh
# {signature}: Pulumi's language host for Python, on an environment of its own.
exec '{python}' -I '{host}' "$@"
"""
HOST_MAIN = """\
from language_host.server import main

main({version!r})
"""


def compile_go(part: Part, output: Path, log: Path) -> None:
    """Compiles the part's Go module into the file `output`."""
    env = {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOWORK": "off"}
    command = [
        go(part, log),
        "build",
        "-trimpath",
        "-buildvcs=false",
        "-mod=readonly",
        "-tags",
        part.tags,
        "-ldflags",
        f"-s -w {part.linker}",
        "-o",
        str(output),
        part.package,
    ]
    logged(f"building {part.title}", command, log, env=env, folder=SOURCES / part.sources[0])


def install_cli(part: Part, aside: Path, log: Path) -> None:
    """Compiles the command and puts it among the commands."""
    if not made_folder(part).exists():
        compile_go(part, aside / COMMANDS[part], log)
    put_command(part, aside)


def install_language_host(part: Part, environment: Path, aside: Path) -> None:
    """Copies the language host into the toolchain's folder, and puts a launcher for it among the commands."""
    copy_sources(part.sources[0], aside / "language_host")
    (aside / "__main__.py").write_text(HOST_MAIN.format(version=part.version))
    launcher = aside / COMMANDS[part]
    python = environment / "bin/python"
    launcher.write_text(LAUNCHER.format(signature=SIGNATURE, python=python, host=made_folder(part)))
    launcher.chmod(0o755)
    put_command(part, aside)


def put_command(part: Part, made: Path) -> None:
    """Moves a finished folder to its place and links the command in it among the commands, each in one step.

    Builds from other sources are removed: nothing refers to them any more.
    """
    kept = made_folder(part)
    if not kept.exists():
        made.rename(kept)
    bin_folder().mkdir(parents=True, exist_ok=True)
    linked = kept / "linked"
    linked.unlink(missing_ok=True)
    linked.hardlink_to(kept / COMMANDS[part])
    linked.replace(command_file(part))
    for other in own_folder().glob(f"{kept.name.rsplit('-', 1)[0]}-*"):
        if other != kept:
            shutil.rmtree(other)


def pack_go_plugin(part: Part, aside: Path, log: Path) -> Path:
    """Compiles a plugin; the archive that `pulumi plugin install` takes."""
    compile_go(part, aside / f"pulumi-resource-{part.name}", log)
    return pack(part, aside)


def pack_python_plugin(part: Part, environment: Path, aside: Path) -> Path:
    """Packs a plugin that is a folder of Python; the archive that `pulumi plugin install` takes.

    The installed plugin names the toolchain's environment itself, so that it runs under the official language
    host as well as under ours.
    """
    copy_sources(part.sources[0], aside)
    copy_sources(part.sources[1], aside / "lib")
    runtime = {"name": "python", "options": {"virtualenv": str(environment)}}
    (aside / "PulumiPlugin.yaml").write_text(yaml.safe_dump({"runtime": runtime}))
    return pack(part, aside)


def copy_sources(source: str, target: Path) -> None:
    """Copies a folder below toolchain/, without caches."""
    if not (SOURCES / source).is_dir():
        raise ToolchainError(f"toolchain/{source} is missing: this checkout is incomplete; get it again.")
    shutil.copytree(SOURCES / source, target, ignore=shutil.ignore_patterns(*IGNORED), dirs_exist_ok=True)


def pack(part: Part, folder: Path) -> Path:
    """An archive of a plugin's folder, with our mark, beside the folder."""
    (folder / MARK).write_text(json.dumps({"digest": digest(part)}))
    archive = folder.with_name(f"{folder.name}.tar.gz")
    with tarfile.open(archive, "w:gz", compresslevel=1) as content:
        content.add(folder, arcname=".")
    return archive
