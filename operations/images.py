"""Building the platform's images ahead of an update: one folder of images/ each, tagged by its content."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import docker
import docker.errors
import requests
from rich.console import Console

from components.context import IMAGES_FOLDER, build_arguments, build_context, context_hash, host_arguments

PROJECT = "clinical-mlops"
LOGS = IMAGES_FOLDER.parent / ".logs"
LAST_LINES = 15
BUILD_SECONDS = 900
"""How long one step of a build may stay silent; the Go compiler is, for minutes."""

HINTS = (
    (
        r"No space left on device",
        "free disk space; `docker system df` shows what Docker holds, `docker image prune` frees it",
    ),
    (
        r"signal: killed|\bKilled\b|returned a non-zero code: 137",
        "the build ran out of memory: give Docker 3 GB or more",
    ),
    (
        r"x509:|CERTIFICATE_VERIFY_FAILED|SSLError|SELF_SIGNED_CERT|UNABLE_TO_(GET|VERIFY)|PKIX path"
        r"|certificate verif",
        "the network's TLS certificate is not trusted: set clinical:caBundle to its CA bundle, or "
        "put it into /usr/local/share/ca-certificates, then run `make up` (the base image is made anew)",
    ),
    (
        r"Unable to locate package|Failed to fetch|Could not resolve|Temporary failure",
        "Debian's mirror could not be reached or lacks a package: see the host's apt sources, HTTP_PROXY",
    ),
    (
        r"No matching distribution|Could not find a version",
        "the Python package index could not be reached or lacks a package: set PIP_INDEX_URL",
    ),
    (
        r"go: .*(dial tcp|no such host|i/o timeout|refused|Forbidden|Not Found|GOPROXY)",
        "the Go module proxy could not be reached or refused a module: set GOPROXY",
    ),
    (
        r"npm (ERR!|error)",
        "the npm registry could not be reached or lacks a package: set NPM_CONFIG_REGISTRY",
    ),
    (
        r"Could not (transfer|resolve|find) artifact|Could not resolve dependencies",
        "the Maven repository could not be reached or lacks an artifact: name yours in ~/.m2/settings.xml",
    ),
    (r"pull access denied|manifest unknown", "the base image is missing: run `make up`, which makes it"),
)


class ImageError(Exception):
    """An image cannot be made; the message says what failed, where to read more and what to do."""


def build_args() -> dict[str, str]:
    """Every argument of a build: the base image, its recipe, and the host's proxies and registries."""
    return {**host_arguments(), **build_arguments()}


def tag_of(name: str) -> str:
    """The name and tag under which the content of images/`name` is built."""
    return f"{PROJECT}/{name}:{context_hash(folder_of(name), build_arguments())}"


def folder_of(name: str) -> Path:
    """The folder of an image. Raises ImageError when there is none of that name."""
    folder = IMAGES_FOLDER / name
    if not (folder / "Dockerfile").is_file():
        known = ", ".join(sorted(path.parent.name for path in IMAGES_FOLDER.glob("*/Dockerfile")))
        raise ImageError(f"there is no image {name!r} to build. Images: {known}.")
    return folder


def ensure_built(name: str, console: Console | None = None, *, rebuild: bool = False) -> str:
    """Builds images/`name` unless its tag exists, and returns the tag; `rebuild` builds without the cache.

    Raises ImageError when Docker does not answer or the build fails.
    """
    folder, tag = folder_of(name), tag_of(name)
    client = connect()
    if not rebuild and exists(client, tag):
        return tag
    log = log_file(f"image-{name}")
    declared = set(re.findall(r"^ARG (\w+)", (folder / "Dockerfile").read_text(), re.MULTILINE))
    arguments = {
        key: value for key, value in build_args().items() if key in declared or key.lower().endswith("_proxy")
    }
    build(
        client,
        f"building {tag}",
        log,
        console,
        path=str(build_context(folder)),
        dockerfile=str(folder / "Dockerfile"),
        tag=tag,
        buildargs=arguments,
        nocache=rebuild,
    )
    return tag


def connect() -> docker.DockerClient:
    """The Docker daemon. Raises ImageError when it does not answer."""
    try:
        client = docker.from_env(timeout=BUILD_SECONDS)
        client.ping()
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise ImageError(
            f"Docker does not answer: {error}. Start it (`make up` does where it may), or set DOCKER_HOST; "
            "your user must be allowed to use it (group docker)."
        ) from None
    return client


def exists(client: docker.DockerClient, tag: str) -> bool:
    """Whether the daemon has the image."""
    try:
        client.images.get(tag)
    except docker.errors.ImageNotFound:
        return False
    return True


def log_file(name: str) -> Path:
    """A log in the project's folder of logs, emptied."""
    LOGS.mkdir(exist_ok=True)
    log = LOGS / f"{name}.log"
    log.write_text("")
    return log


def build(client: docker.DockerClient, what: str, log: Path, console: Console | None, **options: Any) -> None:
    """Runs one build with the classic builder, its output added to `log` and its step shown on `console`.

    `options` are those of Docker's build call. Raises ImageError with the end of the log.
    """
    console = console or Console(stderr=True)
    console.print(f"{what} (log: {log})", highlight=False)
    with log.open("a") as output, console.status(what) as status:
        try:
            for step in read(client.api.build(decode=True, rm=True, forcerm=True, **options), output):
                status.update(f"{what}: {step}")
        except (docker.errors.DockerException, requests.RequestException, BuildFailed) as error:
            output.flush()
            raise failed(what, str(error), log) from None


class BuildFailed(Exception):
    """Docker's own words for a step that failed."""


def read(events: Iterator[dict[str, Any]], output: IO[str]) -> Iterator[str]:
    """Writes a build's output down and yields each step's headline. Raises BuildFailed at an error."""
    for event in events:
        if "error" in event:
            output.write(f"{event['error']}\n")
            raise BuildFailed(event["error"])
        text = event.get("stream", "")
        output.write(text)
        output.flush()
        if text.startswith("Step "):
            yield text.strip()[:100]


def failed(what: str, why: str, log: Path) -> ImageError:
    """The error for a step that failed: what and why, the end of its log, and what to do."""
    text = log.read_text(errors="replace")
    tail = "\n".join(
        f"  {line}" for line in deque((line for line in text.splitlines() if line.strip()), LAST_LINES)
    )
    advice = next(
        (hint for pattern, hint in HINTS if re.search(pattern, text)),
        "read the log, then run the command again: finished steps are not done twice",
    )
    return ImageError(
        f"{what} failed: {why.strip().splitlines()[0] if why.strip() else 'no reason given'}.\n"
        f"The end of {log}:\n{tail}\nWhat to do: {advice}."
    )
