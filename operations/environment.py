"""The environment in which Pulumi runs: the toolchain's, and where state and passphrase are."""

from __future__ import annotations

import os
from pathlib import Path

import toolchain


def environment(project_folder: Path) -> dict[str, str]:
    """This process's environment with the engine on the PATH; a backend or a passphrase of the user's own wins."""
    variables = {**os.environ, **toolchain.environment()}
    variables.setdefault("PULUMI_BACKEND_URL", f"file://{project_folder / '.state'}")
    if "PULUMI_CONFIG_PASSPHRASE" not in variables:
        variables.setdefault("PULUMI_CONFIG_PASSPHRASE_FILE", str(project_folder / ".state" / "passphrase"))
    return variables
