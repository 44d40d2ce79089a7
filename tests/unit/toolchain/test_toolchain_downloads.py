"""The official command is asked for once, with a short time-out, and never half installed."""

import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from toolchain.downloads import Downloads
from toolchain.parts import CLI


def archive() -> bytes:
    """An archive laid out like Pulumi's."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w:gz") as content:
        for name in ("pulumi", "pulumi-language-python"):
            member = tarfile.TarInfo(f"pulumi/{name}")
            member.size, member.mode = len(name), 0o755
            content.addfile(member, io.BytesIO(name.encode()))
    return output.getvalue()


class Releases(ThreadingHTTPServer):
    """A server of one archive; `content` None answers 404."""

    content: bytes | None = None

    def __init__(self) -> None:
        self.requests: list[str] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Answers HEAD and GET."""

    server: Releases

    def do_HEAD(self) -> None:
        """The head alone."""
        self.server.requests.append(f"{self.command} {self.path}")
        self.send_response(404 if self.server.content is None else 200)
        self.end_headers()

    def do_GET(self) -> None:
        """The archive."""
        self.do_HEAD()
        self.wfile.write(self.server.content or b"")

    def log_message(self, format: str, *args: object) -> None:
        """Keeps the test's output quiet."""


@pytest.fixture
def releases(monkeypatch: pytest.MonkeyPatch) -> Iterator[Releases]:
    """A server on a port of its own."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Releases() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_the_command_and_its_language_hosts_are_installed(releases: Releases, tmp_path: Path) -> None:
    """From the archive of this version, executable."""
    releases.content = archive()
    downloads = Downloads(releases.address)
    assert downloads.reachable(CLI)
    assert downloads.fetch_cli(CLI, tmp_path / "bin", tmp_path / "aside")
    assert sorted(path.name for path in (tmp_path / "bin").iterdir()) == ["pulumi", "pulumi-language-python"]
    assert (tmp_path / "bin/pulumi").stat().st_mode & 0o111
    assert all(f"pulumi-v{CLI.version}-" in request for request in releases.requests)


def test_it_is_asked_once(releases: Releases) -> None:
    """A network without that server costs one time-out in a run."""
    downloads = Downloads(releases.address)
    assert [downloads.reachable(CLI) for _ in range(3)] == [False] * 3
    assert len(releases.requests) == 1


def test_a_closed_port_counts_as_out_of_reach(releases: Releases) -> None:
    """As do a missing name and a refused connection."""
    address = releases.address
    releases.shutdown()
    releases.server_close()
    assert not Downloads(address).reachable(CLI)


@pytest.mark.parametrize("content", [archive()[:60], b"<html>log in first</html>"], ids=["cut off", "other"])
def test_a_bad_archive_installs_nothing(releases: Releases, tmp_path: Path, content: bytes) -> None:
    """A cut-off download or the page of a captive portal; afterwards the downloads count as out of reach."""
    releases.content = content
    downloads = Downloads(releases.address)
    assert downloads.reachable(CLI)
    assert not downloads.fetch_cli(CLI, tmp_path / "bin", tmp_path / "aside")
    assert not (tmp_path / "bin").exists()
    assert not downloads.reachable(CLI)
