"""The Pulumi engine and its plugins: official where they can be downloaded, else from package registries."""

from toolchain.checks import verify
from toolchain.errors import ToolchainError
from toolchain.installer import install
from toolchain.state import environment

__all__ = ["ToolchainError", "environment", "install", "verify"]
