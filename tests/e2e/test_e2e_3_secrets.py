"""Rule: a generated secret is where its service reads it, and nowhere that people look at or keep."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

from tests.e2e.stack import Stack


def leaks(stack: Stack, text: str) -> list[str]:
    """Names of the secrets that the text holds, plain or in base64."""
    return [
        name
        for name, value in stack.secrets.items()
        if value in text or b64encode(value.encode()).decode().rstrip("=")[:-1] in text
    ]


def files_below(folder: Path) -> str:
    """All files of a folder, one after the other."""
    return "\n".join(path.read_text(errors="replace") for path in sorted(folder.rglob("*")) if path.is_file())


def test_the_search_finds_a_secret_where_it_is(platform: Stack) -> None:
    """The secrets searched for are those in use: each service reads its own as a file."""
    assert leaks(platform, platform.execute("minio", "cat", "/run/secrets/root-password")) == ["minio-root"]
    assert "redis" in leaks(platform, platform.execute("redis", "cat", "/run/secrets/password"))
    assert leaks(platform, b64encode(platform.secrets["redis"].encode()).decode()) == ["redis"]


def test_previews_and_state_show_no_secret(platform: Stack) -> None:
    """Neither a preview of a change to every container, nor the exported state, nor the state's files."""
    replaced = [part for urn in platform.container_urns().values() for part in ("--replace", urn)]
    for shape in (["--diff"], ["--json"]):
        assert leaks(platform, platform.pulumi("preview", *shape, *replaced)) == []
    assert leaks(platform, json.dumps(platform.state())) == []
    assert leaks(platform, files_below(platform.folder)) == []


def test_docker_shows_no_secret(platform: Stack) -> None:
    """Neither environment, command and labels of a container, nor its log."""
    for service, container in {**platform.containers(), **platform.tasks()}.items():
        assert leaks(platform, json.dumps(container.attrs)) == [], service
        assert leaks(platform, container.logs().decode(errors="replace")) == [], service
