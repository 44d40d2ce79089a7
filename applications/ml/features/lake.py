"""The lake as features need it: Delta tables by their place, on an object store or in a folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError
from pyarrow import fs
from pydantic import SecretStr

from applications.jobs.job import JobError

FEATURES_TABLE = "gold/features/patient"
LABELS_TABLE = "gold/labels/adverse-event-24h"
SECONDS = 30
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_DURATIONS = re.compile(r"\s*\b(?:in|after) [0-9.]+\s?(?:ns|µs|ms|s)\b")


class LakeError(JobError):
    """The lake cannot be read or written, in words for whoever runs the platform."""


class LakeAccess(Protocol):
    """Where the lake is and who asks: settings of a service have these fields."""

    @property
    def lake_endpoint(self) -> str: ...
    @property
    def lake_region(self) -> str: ...
    @property
    def lake_user(self) -> str: ...
    @property
    def lake_secret_key(self) -> SecretStr: ...


@dataclass(frozen=True)
class Lake:
    """The tables below a root. `options` are those of the Delta library, and hold a secret."""

    root: str
    filesystem: fs.FileSystem
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def on_store(cls, access: LakeAccess) -> Lake:
        """The lake of the platform, on an object store with the paths of S3 and conditional writes."""
        secret, endpoint = access.lake_secret_key.get_secret_value(), urlsplit(access.lake_endpoint)
        options = {
            "aws_endpoint": access.lake_endpoint, "aws_region": access.lake_region, "aws_access_key_id": access.lake_user,
            "aws_secret_access_key": secret, "aws_virtual_hosted_style_request": "false", "aws_conditional_put": "etag",
            "allow_http": "true", "timeout": f"{SECONDS}s", "connect_timeout": "5s"}
        filesystem = fs.S3FileSystem(
            access_key=access.lake_user, secret_key=secret, region=access.lake_region, scheme=endpoint.scheme,
            endpoint_override=endpoint.netloc, connect_timeout=5, request_timeout=SECONDS)
        return cls("s3://", filesystem, options)

    @classmethod
    def in_folder(cls, folder: Path) -> Lake:
        """A lake in a folder."""
        return cls(f"{folder}/", fs.SubTreeFileSystem(str(folder), fs.LocalFileSystem()))

    def uri(self, table: str) -> str:
        """The address of a table."""
        return f"{self.root}{table}"

    def table(self, table: str, version: int | None = None) -> DeltaTable | None:
        """A table as it is now, or was at a version; None while there is none. Raises LakeError when the lake does not answer."""
        try:
            return DeltaTable(self.uri(table), version=version, storage_options=dict(self.options))
        except TableNotFoundError:
            return None
        except OSError as error:
            raise LakeError(f"the table {table} cannot be read: {brief(error)}. Is the object store up, may this user read the "
                            "bucket, and is the user's secret the right one?") from error


def brief(error: Exception) -> str:
    """One line of an error of the object store, which tells its causes below each other. How long each try took is left out:
    the same fault is the same text."""
    return " ".join(_DURATIONS.sub("", _COLOURS.sub("", str(error))).split())[:300]
