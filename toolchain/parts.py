"""What is installed, and in which version: the one place to change for an upgrade."""

from dataclasses import dataclass
from enum import Enum

GO_VERSION = "1.26.6"
"""Taken from the Python package index where no Go of a good version is on PATH."""
MINIMUM_CLI = (3, 272, 0)
"""The oldest `pulumi` that fits the Python SDK of the program."""


class Build(Enum):
    """How a part is made where the official one cannot be downloaded."""

    GO = "compiled from Go modules"
    PYTHON = "packed from Python sources"


@dataclass(frozen=True, kw_only=True)
class Part:
    """One thing that the engine consists of. `sources` are folders and files below toolchain/; a change in
    one of them installs the part anew."""

    name: str
    version: str
    build: Build
    sources: tuple[str, ...]
    package: str = "."
    linker: str = ""
    tags: str = ""

    @property
    def title(self) -> str:
        """How the part is called in messages."""
        return f"{self.name} {self.version}"


CLI = Part(
    name="pulumi",
    version="3.274.1",
    build=Build.GO,
    sources=("cli",),
    package="github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    linker="-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v3.274.1",
)
LANGUAGE_HOST = Part(
    name="language host",
    version=CLI.version,
    build=Build.PYTHON,
    sources=("language_host", "requirements.txt"),
)
PLUGINS = (
    Part(
        name="docker",
        version="5.2.0",
        build=Build.GO,
        sources=("docker", "bridge"),
        linker="-X main.version=5.2.0",
        tags="no_compose",
    ),
    Part(
        name="kafka",
        version="3.13.3",
        build=Build.GO,
        sources=("kafka", "bridge"),
        linker="-X main.version=3.13.3",
    ),
    Part(
        name="postgresql",
        version="3.18.2",
        build=Build.PYTHON,
        sources=("providers/postgresql", "providers/lib", "requirements.txt"),
    ),
    Part(
        name="minio",
        version="0.17.1",
        build=Build.PYTHON,
        sources=("providers/minio", "providers/lib", "requirements.txt"),
    ),
)
PARTS = (CLI, LANGUAGE_HOST, *PLUGINS)
