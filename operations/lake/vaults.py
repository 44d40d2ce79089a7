"""Where backups lie: a directory, or the lake's own bucket for them. Each backup is a folder; names have slashes."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from minio import Minio
from minio.error import S3Error

from operations.faults import OperationError
from operations.lake.store import GONE, Digest, Vanished, digest_of, download, listed, remove, upload

NAME = "%Y-%m-%dT%H-%M-%SZ"
"""How a backup is called: when it was begun. Folders with other names are somebody else's."""
BUCKET = "backups"
SCRATCH = ".partial"


class Vault(Protocol):
    """A place for backups."""

    def folders(self) -> list[str]:
        """The names of the backups, whole or not, the oldest first."""

    def names(self, prefix: str) -> Iterator[str]:
        """What is stored below a folder."""

    def size(self, name: str) -> int | None:
        """The size of what is stored under a name; None if there is nothing."""

    def digest(self, name: str) -> Digest | None:
        """The digest of what is stored under a name, by reading it; None if there is nothing."""

    def put(self, name: str, path: Path) -> None:
        """Stores a file, which is moved or copied; all of it or nothing."""

    def fetch(self, name: str, scratch: Path) -> Path:
        """A file with what is stored: in place, or a copy in `scratch`. Raises Vanished."""

    def remove(self, name: str) -> None:
        """Removes what is stored under a name."""

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A directory for files that will be put. Raises OperationError while another backup is written here."""
        yield Path()


def is_ours(folder: str) -> bool:
    """Whether a folder is a backup."""
    try:
        return datetime.strptime(folder, NAME).strftime(NAME) == folder
    except ValueError:
        return False


@dataclass(frozen=True)
class Directory:
    """Backups in a directory of this machine. Readable by its owner alone: they hold patients' data."""

    path: Path

    def folders(self) -> list[str]:
        """The folders with a backup's name."""
        return sorted(p.name for p in self.path.iterdir() if p.is_dir() and is_ours(p.name)) if self.path.is_dir() else []

    def names(self, prefix: str) -> Iterator[str]:
        """The files below a folder."""
        for folder, _, files in os.walk(self.path / prefix):
            for name in files:
                yield Path(folder, name).relative_to(self.path).as_posix()

    def size(self, name: str) -> int | None:
        """The file's size."""
        path = self.path / name
        return path.stat().st_size if path.is_file() else None

    def digest(self, name: str) -> Digest | None:
        """The file's digest."""
        path = self.path / name
        return digest_of(path) if path.is_file() else None

    def put(self, name: str, path: Path) -> None:
        """Moves the file to its place, once it is on the disk."""
        target = self.path / name
        for folder in reversed(target.relative_to(self.path).parents):
            (self.path / folder).mkdir(mode=0o700, exist_ok=True)
        with path.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(path, target)

    def fetch(self, name: str, scratch: Path) -> Path:
        """The file itself."""
        if not (self.path / name).is_file():
            raise Vanished(name)
        return self.path / name

    def remove(self, name: str) -> None:
        """Removes the file."""
        (self.path / name).unlink(missing_ok=True)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Beside the backups, so that a file can be moved to its place in one step."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder, handle = self.path / SCRATCH, os.open(self.path, os.O_RDONLY)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OperationError(f"another backup is being written to {self.path}; wait for it, or name another "
                                     "directory") from None
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
            yield folder
            shutil.rmtree(folder)
        finally:
            os.close(handle)


@dataclass(frozen=True)
class BackupsBucket:
    """Backups in a bucket of the lake: against mistakes, not against the loss of the lake itself."""

    client: Minio
    bucket: str = BUCKET

    def folders(self) -> list[str]:
        """The first parts of the keys."""
        found = ((entry.object_name or "").rstrip("/") for entry in self.client.list_objects(self.bucket) if entry.is_dir)
        return sorted(folder for folder in found if is_ours(folder))

    def names(self, prefix: str) -> Iterator[str]:
        """The keys below a folder."""
        return (str(entry.object_name) for entry in listed(self.client, self.bucket, f"{prefix}/"))

    def size(self, name: str) -> int | None:
        """The object's size."""
        try:
            return self.client.stat_object(self.bucket, name).size
        except S3Error as error:
            if error.code in GONE:
                return None
            raise

    def digest(self, name: str) -> Digest | None:
        """The object's digest."""
        with TemporaryDirectory() as folder:
            try:
                return download(self.client, self.bucket, name, Path(folder, "object")).digest
            except Vanished:
                return None

    def put(self, name: str, path: Path) -> None:
        """Uploads the file."""
        upload(self.client, self.bucket, name, path, "application/octet-stream", {})
        path.unlink()

    def fetch(self, name: str, scratch: Path) -> Path:
        """A copy of the object."""
        path = scratch / name.replace("/", "_")
        download(self.client, self.bucket, name, path)
        return path

    def remove(self, name: str) -> None:
        """Removes the object."""
        remove(self.client, self.bucket, [name])

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """In the system's place for temporary files."""
        with TemporaryDirectory(prefix="lake-") as folder:
            yield Path(folder)
