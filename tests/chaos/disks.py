"""Volumes that can be full: each a small file system of its own, which the service's volume is a folder of."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import docker

from tests.e2e.stack import Stack

ROOT = Path(tempfile.gettempdir()) / "clinical-chaos"
SIZES_MB: Mapping[str, int] = {"kafka": 1024, "zookeeper": 256, "minio": 2048, "clinical-mq": 2048, "clinical-data-gateway": 256}
"""The services whose volume can be filled, and what it holds. The files are sparse: they take what is written."""
TOP_UP_SECONDS = 0.5


class Disks:
    """The small volumes of one stack. Make them before its first update: it takes volumes that are there as they are."""

    def __init__(self, client: docker.DockerClient, stack: Stack) -> None:
        for service, megabytes in SIZES_MB.items():
            folder, image = ROOT / service, ROOT / f"{service}.img"
            folder.mkdir(parents=True)
            with image.open("wb") as file:
                file.truncate(megabytes << 20)
            # No block is kept back for root, or "full" would not be full for a service that runs as root.
            subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
            subprocess.run(["mount", "-o", "loop", image, folder], check=True)
            data = folder / "data"
            data.mkdir()
            client.volumes.create(stack.named(f"{service}-data"), driver="local",
                                  driver_opts={"type": "none", "o": "bind", "device": str(data)},
                                  labels={"clinical.stack": stack.name, "clinical.service": service})

    def full(self, service: str, seconds: float) -> None:
        """Leaves not a byte on the service's volume for so long, also where the service itself gives some back."""
        filler, deadline = ROOT / service / "filler", time.monotonic() + seconds
        try:
            with filler.open("wb") as file:
                while time.monotonic() < deadline:
                    _fill(file.fileno())
                    time.sleep(TOP_UP_SECONDS)
        finally:
            filler.unlink()


def _fill(file: int) -> None:
    stat = os.fstatvfs(file)
    free = stat.f_bavail * stat.f_frsize
    while free >= stat.f_frsize:
        try:
            os.posix_fallocate(file, os.fstat(file).st_size, free)
            return
        except OSError as error:  # the service took some of it meanwhile
            if error.errno != errno.ENOSPC:
                raise
            free //= 2


def remove_disks() -> None:
    """Takes away the file systems of this run, or of one that was killed; their volumes must be gone."""
    for folder in (path for path in ROOT.glob("*") if path.is_mount()):
        subprocess.run(["umount", folder], check=True)
    shutil.rmtree(ROOT, ignore_errors=True)
