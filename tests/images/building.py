"""Builds images as an update does, by the engine: Docker's two builders share no cache, and an update comes next.

`python -m tests.images.building` builds all that are missing, so that tests which run side by side find them.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection

from pulumi import automation as auto
from rich.console import Console

import toolchain
from components.catalog import IMAGES, Catalog
from components.context import PROJECT_FOLDER
from operations.images import PROJECT, connect, exists, tag_of
from operations.setup.base_image import ensure_base

FOLDERS = sorted({image.folder for image in IMAGES.values() if image.folder})


def build_all(names: Collection[str] = FOLDERS) -> None:
    """Builds the images that are not there, side by side. Raises CommandError with the engine's output when one fails."""
    ensure_base(Console(stderr=True), None)
    client = connect()
    missing = [name for name in names if not exists(client, tag_of(name))]
    client.close()
    if not missing:
        return
    keys = {image.folder: key for key, image in IMAGES.items() if image.folder}

    def program() -> None:
        catalog = Catalog(PROJECT, "build")
        for name in missing:
            catalog.get(keys[name])

    variables = {**toolchain.environment(), "PULUMI_CONFIG_PASSPHRASE": "images"}
    os.environ["PATH"] = variables["PATH"]  # the Automation API asks the engine's version before it takes our variables
    with tempfile.TemporaryDirectory() as folder:
        # Builds are named from the project's folder on.
        settings = auto.ProjectSettings(name=PROJECT, runtime="python", main=str(PROJECT_FOLDER),
                                        backend=auto.ProjectBackend(f"file://{folder}"))
        variables["PULUMI_BACKEND_URL"] = f"file://{folder}"
        stack = auto.create_stack("images", project_name=PROJECT, program=program, opts=auto.LocalWorkspaceOptions(
            work_dir=folder, project_settings=settings, env_vars=variables))
        stack.up(color="never")


if __name__ == "__main__":
    build_all()
