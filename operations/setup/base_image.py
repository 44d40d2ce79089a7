"""The one base of every built image: pulled where a registry answers, else made from Debian packages."""

from __future__ import annotations

import hashlib
import io
import os
import platform
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import docker
import docker.errors
import requests
from rich.console import Console

from components.context import BASE_IMAGE, IMAGES_FOLDER, context_hash, host_arguments
from operations.images import PROJECT, ImageError, build, connect, failed, log_file
from operations.setup.apt_sources import RELEASE, Mirrors, host_mirrors
from operations.setup.certificates import extra_certificates

RECIPE = IMAGES_FOLDER / "base"
LABEL = "clinical.base"
PULLED = f"debian:{RELEASE}-slim"
BOOTSTRAPPED = f"{PROJECT}/debian:{RELEASE}"
PULL_SECONDS = 10
"""How long a registry may stay silent before it counts as out of reach."""
NEEDS_ROOT = (
    f"{PULLED} cannot be pulled, and making the base image from Debian packages needs root on Debian{{why}}. "
    f"Either run `sudo make up` once, or let a registry be reached, or bring the image from another machine: "
    f"`docker save {BASE_IMAGE} | gzip > base.tar.gz` there, `docker load -i base.tar.gz` here."
)


class CannotMake(ImageError):
    """This host has no means to make a base image."""


def ensure_base(console: Console, ca_bundle: Path | None) -> None:
    """Makes clinical-mlops/base:bookworm, unless it is there with the same recipe, mirrors and authorities.

    `ca_bundle` is a PEM file with authorities to trust besides the host's own. Takes a minute, once. A base
    that was brought from another machine is kept where none can be made. Raises ImageError.
    """
    mirrors = host_mirrors()
    extras = {f"certificates/{name}": content for name, content in extra_certificates(ca_bundle).items()}
    extras["sources.list"] = mirrors.sources().encode() if mirrors else b""
    wanted = identity(extras)
    client = connect()
    if label_of(client, BASE_IMAGE) == wanted:
        return
    log = log_file("base-image")
    try:
        debian = debian_image(client, console, log, mirrors)
    except CannotMake:
        if label_of(client, BASE_IMAGE) is None:
            raise
        console.print(
            f"keeping {BASE_IMAGE} as it is: it fits other mirrors or authorities than this host's, but "
            "no other can be made here"
        )
        return
    build(
        client,
        f"making {BASE_IMAGE}",
        log,
        console,
        fileobj=io.BytesIO(context(extras)),
        custom_context=True,
        tag=BASE_IMAGE,
        buildargs={"DEBIAN": debian, **proxies()},
        labels={LABEL: wanted},
    )


def identity(extras: Mapping[str, bytes]) -> str:
    """What the base image is made of, as one hash."""
    return context_hash(
        RECIPE, {name: hashlib.sha256(content).hexdigest() for name, content in extras.items()}
    )


def label_of(client: docker.DockerClient, tag: str, label: str = LABEL) -> str | None:
    """An image's label; None where the image or the label is missing."""
    try:
        value = client.images.get(tag).labels.get(label)
    except docker.errors.ImageNotFound:
        return None
    return str(value) if value else None


def context(extras: Mapping[str, bytes]) -> bytes:
    """The recipe's folder and the host's files as a build context, the same for every owner and umask."""
    files = {path.name: path.read_bytes() for path in sorted(RECIPE.iterdir()) if path.is_file()} | dict(
        extras
    )
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        folder = tarfile.TarInfo("certificates")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(folder)
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def proxies() -> dict[str, str]:
    """The host's HTTP proxies, for apt."""
    return {key: value for key, value in host_arguments().items() if key.lower().endswith("_proxy")}


def debian_image(client: docker.DockerClient, console: Console, log: Path, mirrors: Mirrors | None) -> str:
    """A plain Debian: pulled, asked once and shortly; else made earlier from the same mirror; else new."""
    if pull(console):
        return PULLED
    if mirrors is None:
        raise CannotMake(
            NEEDS_ROOT.format(why=" (this host is no Debian, or its apt sources name no mirror)")
        )
    if label_of(client, BOOTSTRAPPED) != mirrors.main:
        if os.geteuid() != 0:
            raise CannotMake(NEEDS_ROOT.format(why=""))
        there = client.info()["Architecture"]
        if there != platform.machine():  # on another machine
            raise CannotMake(NEEDS_ROOT.format(why=f" (Docker's machine is {there}, this one {platform.machine()})"))
        bootstrap(client, console, log, mirrors.main)
    return BOOTSTRAPPED


def pull(console: Console) -> bool:
    """Whether the official image could be pulled."""
    with console.status(f"looking for {PULLED} in the registry"):
        client = docker.from_env(timeout=PULL_SECONDS)
        try:
            for event in client.api.pull(PULLED, stream=True, decode=True):
                if "error" in event:
                    return False
        except (docker.errors.DockerException, requests.RequestException):
            return False
        finally:
            client.close()
    return True


def bootstrap(client: docker.DockerClient, console: Console, log: Path, mirror: str) -> None:
    """Makes a minimal Debian with debootstrap, from the host's mirror, and imports it. Needs root."""
    what = f"making {BOOTSTRAPPED} with debootstrap"
    console.print(f"{what}, since {PULLED} cannot be pulled (log: {log})", highlight=False)
    # Not /tmp: it may be mounted nodev or noexec, which debootstrap refuses.
    with (
        console.status(what),
        log.open("ab") as output,
        tempfile.TemporaryDirectory(dir="/var/tmp") as folder,
    ):
        root = Path(folder) / "root"
        install_debootstrap(output, log)
        # In a mount namespace of its own, so that an interrupted run leaves nothing mounted below `root`.
        run(
            [
                "unshare",
                "--mount",
                "debootstrap",
                "--variant=minbase",
                "--include=ca-certificates",
                RELEASE,
                str(root),
                mirror,
            ],
            what,
            output,
            log,
        )
        slim(root)
        archive = subprocess.Popen(
            ["tar", "-C", str(root), "--numeric-owner", "-c", "."], stdout=subprocess.PIPE, stderr=output
        )
        assert archive.stdout is not None
        answer = client.api.import_image_from_stream(
            chunks(archive.stdout),
            repository=BOOTSTRAPPED.split(":")[0],
            tag=RELEASE,
            changes=[f"LABEL {LABEL}={mirror}", 'CMD ["bash"]'],
        )
        if archive.wait() or "error" in answer:
            raise failed(what, "importing it into Docker", log)


def install_debootstrap(output: IO[bytes], log: Path) -> None:
    """Installs debootstrap where it is missing."""
    if shutil.which("debootstrap"):
        return
    run(["apt-get", "update"], "reading the package lists", output, log)
    run(
        ["apt-get", "install", "-y", "--no-install-recommends", "debootstrap"],
        "installing debootstrap",
        output,
        log,
    )


def run(command: list[str], what: str, output: IO[bytes], log: Path) -> None:
    """Runs one command with what it prints in the log. Raises ImageError when it fails."""
    output.write(f"$ {' '.join(command)}\n".encode())
    output.flush()
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", **proxies()}
    status = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=environment,
        check=False,
    ).returncode
    if status:
        raise failed(what, f"{command[0]} ended with exit status {status}", log)


def slim(root: Path) -> None:
    """Removes what no container reads: downloaded packages, manuals, translations. Licences stay."""
    for folder in (
        "var/cache/apt",
        "var/lib/apt/lists",
        "usr/share/man",
        "usr/share/info",
        "usr/share/locale",
        "usr/share/doc",
    ):
        for file in [path for path in (root / folder).rglob("*") if path.is_file() or path.is_symlink()]:
            if file.name != "copyright":
                file.unlink()


def chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """A stream in pieces of a megabyte."""
    while piece := stream.read(1 << 20):
        yield piece
