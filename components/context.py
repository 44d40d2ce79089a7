"""What an image is built from, as one hash: the same on every machine, whoever owns the files."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import escape

PROJECT_FOLDER = Path(__file__).parent.parent
IMAGES_FOLDER = PROJECT_FOLDER / "images"
BASE_IMAGE = "clinical-mlops/base:bookworm"
HASH_LENGTH = 12
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
REGISTRIES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "GOPROXY", "GONOSUMDB", "GOSUMDB",
              "GOPRIVATE", "NPM_CONFIG_REGISTRY")


def code_of(folder: Path) -> list[Path]:
    """What of applications/ an image holds, as its Dockerfile copies them; none for other people's software."""
    recipe = folder / "Dockerfile"
    copied = re.findall(r"^COPY (?:--\S+ )*(applications/[\w.]+)", recipe.read_text(), re.MULTILINE) if recipe.exists() else []
    return [PROJECT_FOLDER / path for path in copied]


def build_context(folder: Path) -> Path:
    """What Docker is sent for a build: the image's folder, or the project (less .dockerignore) if it holds our code."""
    return PROJECT_FOLDER if code_of(folder) else folder


def context_hash(folder: Path, arguments: Mapping[str, str]) -> str:
    """Twelve hexadecimal digits over what an image is built from (names, contents, executable bits) and its arguments."""
    digest = hashlib.sha256()
    for name, value in sorted(arguments.items()):
        digest.update(f"{name}={value}\0".encode())
    for top in (folder, *code_of(folder)):
        found = [top] if top.is_file() else top.rglob("*")
        for path in sorted(p for p in found if p.is_file() and "__pycache__" not in p.parts):
            content = path.read_bytes()
            executable = bool(path.stat().st_mode & 0o100)
            name = path.relative_to(top if top == folder else PROJECT_FOLDER).as_posix()
            digest.update(f"{name}\0{executable}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()[:HASH_LENGTH]


def build_arguments() -> dict[str, str]:
    """Build arguments of every image. The base's recipe is one: a changed base rebuilds what stands on it."""
    return {"BASE": BASE_IMAGE, "BASE_RECIPE": context_hash(IMAGES_FOLDER / "base", {})}


def host_arguments(environment: Mapping[str, str] | None = None, home: Path | None = None) -> dict[str, str]:
    """Build arguments for how this host reaches package registries: proxies, indexes, Maven's settings.

    No part of an image's hash: what is installed is pinned, wherever it comes from. They may hold
    credentials; the recipes declare them in the build stage alone, which no image keeps.
    """
    environment, home = os.environ if environment is None else environment, home or Path.home()
    found: dict[str, str] = {}
    for name in PROXIES:
        value = environment.get(name) or environment.get(name.lower())
        if value:
            found |= {name: value, name.lower(): value}  # apt reads the small letters, others the capitals
    for name in REGISTRIES:
        value = environment.get(name) or environment.get(name.lower())
        if value:
            found[name] = value
    settings = home / ".m2" / "settings.xml"
    maven = settings.read_text() if settings.is_file() else maven_settings(found)
    return {**found, "MAVEN_SETTINGS": maven} if maven else found


def maven_settings(proxies: Mapping[str, str]) -> str:
    """Maven's settings for these proxies, which it does not read from the environment; empty without any."""
    entries = []
    for protocol in ("http", "https"):
        address = urlsplit(proxies.get(f"{protocol.upper()}_PROXY", ""))
        if address.hostname:
            login = "".join(f"<{tag}>{escape(unquote(value))}</{tag}>" for tag, value in
                            (("username", address.username), ("password", address.password)) if value)
            outside = "|".join(re.sub(r"^\.", "*.", host.strip())
                               for host in proxies.get("NO_PROXY", "").split(",") if host.strip())
            entries.append(f"<proxy><id>{protocol}</id><active>true</active><protocol>{protocol}</protocol>"
                           f"<host>{escape(address.hostname)}</host><port>{address.port or 80}</port>{login}"
                           f"<nonProxyHosts>{escape(outside)}</nonProxyHosts></proxy>")
    return f"<settings><proxies>{''.join(entries)}</proxies></settings>" if entries else ""
