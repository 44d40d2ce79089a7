"""The host's Debian mirror, read from its apt sources, as the sources of the base image."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

RELEASE = "bookworm"
"""The Debian release of the base image, whatever the host's own release is."""


@dataclass(frozen=True)
class Source:
    """One mirror and one suite of it, from either notation."""

    uri: str
    suite: str
    components: tuple[str, ...]


@dataclass(frozen=True)
class Mirrors:
    """Where Debian's packages come from, and its security updates where the host has a source for them."""

    main: str
    security: str | None

    def sources(self) -> str:
        """The base image's sources.list: the release, its updates, and security."""
        lines = [f"deb {self.main} {RELEASE} main", f"deb {self.main} {RELEASE}-updates main"]
        if self.security:
            lines.append(f"deb {self.security} {RELEASE}-security main")
        return "\n".join(lines) + "\n"


def host_mirrors(root: Path = Path("/")) -> Mirrors | None:
    """The mirrors of this host; None where it is no Debian or names no mirror of Debian."""
    release = dict(
        re.findall(r'^(ID|VERSION_CODENAME)="?([\w.-]+)"?$', text_of(root / "etc/os-release"), re.MULTILINE)
    )
    if release.get("ID") != "debian" or "VERSION_CODENAME" not in release:
        return None
    return choose(host_sources(root), release["VERSION_CODENAME"])


def host_sources(root: Path) -> list[Source]:
    """Every enabled binary source of the host, in apt's order of files."""
    folder = root / "etc/apt/sources.list.d"
    found = parse_lines(text_of(root / "etc/apt/sources.list"))
    for file in sorted(folder.glob("*")) if folder.is_dir() else []:
        if file.suffix == ".list":
            found += parse_lines(text_of(file))
        elif file.suffix == ".sources":
            found += parse_deb822(text_of(file))
    return [
        Source(uri, source.suite, source.components)
        for source in found
        if (uri := reachable(source.uri, root))
    ]


def parse_lines(text: str) -> list[Source]:
    """Sources of the one-line notation: deb [options] URI SUITE COMPONENT…"""
    found = []
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s*([^#]*)", line)
        if match:
            found.append(Source(match[1], match[2], tuple(match[3].split())))
    return found


def parse_deb822(text: str) -> list[Source]:
    """Sources of the stanza notation (Types:, URIs:, Suites:, Components:), with continuation lines."""
    found = []
    for stanza in re.split(r"\n[ \t]*\n", text):
        fields: dict[str, list[str]] = {}
        name = ""
        for line in stanza.splitlines():
            if line.startswith("#"):
                continue
            if line[:1] in (" ", "\t"):
                fields.setdefault(name, []).extend(line.split())
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.split()
        enabled = " ".join(fields.get("enabled", ["yes"])).lower() not in (
            "no",
            "false",
            "without",
            "off",
            "disable",
        )
        if enabled and "deb" in fields.get("types", []):
            found += [
                Source(uri, suite, tuple(fields.get("components", [])))
                for uri in fields.get("uris", [])
                for suite in fields.get("suites", [])
            ]
    return found


def reachable(uri: str, root: Path) -> str | None:
    """The address that a container can use: itself, or the first of a mirror list; None for media."""
    if uri.startswith("mirror+file:"):
        listed = text_of(root / uri.removeprefix("mirror+file:").lstrip("/"))
        addresses = (
            line.split()[0] for line in listed.splitlines() if line.strip() and not line.startswith("#")
        )
        return next(addresses, None)
    return uri if uri.startswith(("http://", "https://")) else None


def choose(sources: Sequence[Source], codename: str) -> Mirrors | None:
    """Debian's mirror among the host's sources.

    Other vendors use the release's name as their suite too, so the source that also has its updates wins.
    """

    def having(*suites: str) -> list[str]:
        return list(unique(s.uri for s in sources if s.suite in suites and "main" in s.components))

    releases = having(codename)
    main = next((uri for uri in releases if uri in having(f"{codename}-updates")), next(iter(releases), None))
    if main is None:
        return None
    return Mirrors(main, next(iter(having(f"{codename}-security", f"{codename}/updates")), None))


def unique(items: Iterable[str]) -> Iterable[str]:
    """The items in their order, each once."""
    return dict.fromkeys(items)


def text_of(file: Path) -> str:
    """A file's text, empty where it is missing or must not be read."""
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""
