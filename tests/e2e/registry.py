"""A container registry on this machine that holds our own images under the upstream names."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker

from components.catalog import IMAGES, Catalog
from tests.e2e.ports import free_port
from tests.e2e.stack import FOLDER_PREFIX, IMAGE_LABEL, LOGS, remove_images

PROGRAM = "docker-registry"
WANTED = ("minio", "kafka", "postgres", "redis", "rabbitmq")


def require_program() -> None:
    """Installs Debian's registry where it is missing. Raises RuntimeError where that cannot be done."""
    if shutil.which(PROGRAM):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise RuntimeError(f"the test of pull mode needs the program {PROGRAM}: apt-get install {PROGRAM}")
    # Debian starts the service on its usual port; the policy of this one variable keeps it from doing so.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (
        ["apt-get", "update"],
        ["apt-get", "install", "--yes", "--no-install-recommends", PROGRAM],
    ):
        done = subprocess.run(command, env=environment, text=True, capture_output=True)
        if done.returncode:
            raise RuntimeError(
                f"{' '.join(command)} failed, {PROGRAM} is needed for pull mode:\n{done.stderr[-2000:]}"
            )


@contextmanager
def registry(client: docker.DockerClient, project: str) -> Iterator[str]:
    """Runs a registry with the images of `WANTED` in it, and yields its address. Removes all of it afterwards."""
    require_program()
    folder, port = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX)), free_port()
    mirror = f"127.0.0.1:{port}"
    configuration = folder / "config.json"  # JSON is YAML, which the registry reads
    configuration.write_text(
        json.dumps(
            {
                "version": "0.1",
                "http": {"addr": mirror},
                "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
            }
        )
    )
    LOGS.mkdir(parents=True, exist_ok=True)
    with (
        (LOGS / "registry.log").open("wb") as log,
        subprocess.Popen(
            [PROGRAM, "serve", str(configuration)], stdout=log, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            wait_for(f"http://{mirror}/v2/", process)
            for name in WANTED:
                reference = Catalog(project, "pull", mirror).reference(name).partition("@")[0]
                publish(client, name, Catalog(project, "build").reference(name), reference)
            yield mirror
        finally:
            process.terminate()
            process.wait()
            remove_images(client)
            shutil.rmtree(folder)


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Returns when the address answers. Raises RuntimeError when the process ends first."""
    while process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"{PROGRAM} ended with status {process.returncode}; see {LOGS / 'registry.log'}")


def publish(client: docker.DockerClient, name: str, built: str, reference: str) -> None:
    """Pushes our image as the upstream one, with the upstream's owner of its data folders and its declared volumes.

    The local copy goes, so that a stack really pulls.
    """
    image = IMAGES[name]
    folders = " ".join(image.anonymous)
    recipe = (
        f"FROM {built}\nUSER 0\n"
        f"RUN mkdir -p {folders} && chown {image.pulled_user} {folders} && chmod 0755 {folders}\n"
        f"VOLUME {json.dumps(image.anonymous)}\nLABEL {IMAGE_LABEL}=1\n"
    )
    client.images.build(fileobj=io.BytesIO(recipe.encode()), tag=reference, rm=True)
    for event in client.images.push(reference, stream=True, decode=True):
        if "error" in event:
            raise RuntimeError(f"{reference} could not be pushed: {event['error']}")
    client.images.remove(reference)
