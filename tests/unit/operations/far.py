"""Another machine with a Docker, reached through a fake ssh."""

from __future__ import annotations

import json
import os
import socketserver
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

MEMORY = 64 << 30


class Answering(BaseHTTPRequestHandler):
    """The few questions that a client of Docker asks first."""

    def do_GET(self) -> None:
        """As Docker answers."""
        asked = self.path.rpartition("/")[2]
        text = {"_ping": "OK", "version": json.dumps({"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Version": "20.10"}),
                "info": json.dumps({"MemTotal": MEMORY})}.get(asked, "[]").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def address_string(self) -> str:
        """A Unix socket's client has no address."""
        return "local"

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


class Docker(socketserver.ThreadingUnixStreamServer):
    """A Docker on a socket."""

    daemon_threads = True


@contextmanager
def docker(path: Path) -> Iterator[None]:
    """A Docker that answers at a path."""
    with Docker(str(path), Answering) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield
        server.shutdown()


@dataclass
class Far:
    """The other machine. `ports` are where its ports lead; `folder` has its socket and what ssh was told."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    ports: dict[int, int] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """For DOCKER_HOST."""
        return f"ssh://me@far:2222{self.folder}/docker.sock"

    def becomes(self, says: str = "", ports: Mapping[int, int] | None = None) -> None:
        """How ssh behaves from now on."""
        told = {"says": says, "ports": ports or {}, "folder": str(self.folder)}
        self.monkeypatch.setenv("FAKE_SSH", json.dumps(told))

    def calls(self) -> list[list[str]]:
        """The arguments of each ssh that was started."""
        return [json.loads(file.read_text()) for file in sorted(self.folder.glob("*.json"))]

    def alive(self) -> int:
        """How many of them run."""
        return sum(Path(f"/proc/{file.stem}").exists() for file in self.folder.glob("*.json"))

    def wait_for(self, alive: int) -> None:
        """Waits until as many of them run."""
        end = time.monotonic() + 20
        while self.alive() != alive:
            assert time.monotonic() < end, f"{self.alive()} run"
            time.sleep(0.02)

    def kill(self) -> None:
        """The connection is lost."""
        for file in self.folder.glob("*.json"):
            if Path(f"/proc/{file.stem}").exists():
                os.kill(int(file.stem), 9)
