"""A folder of containers' logs as Docker writes and rotates them, and an OpenSearch that only knows bulk requests and templates."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

STACK = "unit"
LABELS = {"clinical.stack": STACK, "clinical.layer": "ingestion", "clinical.service": "gateway"}


@dataclass
class DockerLog:
    """The log files of one container."""

    containers: Path
    name: str = "c" * 64
    labels: dict[str, str] = field(default_factory=lambda: dict(LABELS))
    count: int = 0

    @property
    def folder(self) -> Path:
        """Where Docker keeps what belongs to the container."""
        return self.containers / self.name

    @property
    def current(self) -> Path:
        """The file that Docker writes to."""
        return self.folder / f"{self.name}-json.log"

    def write(self, *texts: str, stream: str = "stdout") -> None:
        """What the container printed; a text without a newline is a piece of a line."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.current.open("a") as target:
            for text in texts:
                self.count += 1
                entry = {"log": text, "stream": stream, "attrs": self.labels, "time": f"2026-11-26T10:00:00.{self.count:09d}Z"}
                target.write(json.dumps(entry) + "\n")

    def rotate(self, keep: int = 3) -> None:
        """As Docker does with `max-file`."""
        for number in range(keep - 1, 0, -1):
            older = self.current.with_name(f"{self.current.name}.{number}")
            newer = self.current if number == 1 else self.current.with_name(f"{self.current.name}.{number - 1}")
            if newer.exists():
                newer.rename(older)
        self.current.touch()


@dataclass
class Store:
    """What the fake OpenSearch holds: documents by index and id. `status` is what it answers; `refused` what it says of a line
    whose message has this word."""

    url: str = ""
    documents: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    templates: list[tuple[str, Any]] = field(default_factory=list)
    status: int = 200
    refused: dict[str, int] = field(default_factory=dict)

    @property
    def messages(self) -> list[str]:
        """What it holds, in the order in which it came."""
        return [found["message"] for found in self.documents.values()]

    def bulk(self, body: bytes) -> dict[str, Any]:
        """Creates what is new, and answers as OpenSearch does."""
        lines = [json.loads(line) for line in body.splitlines()]
        items = []
        for action, found in zip(lines[::2], lines[1::2], strict=True):
            place = (action["create"]["_index"], action["create"]["_id"])
            status = next((code for word, code in self.refused.items() if word in found["message"]), 201)
            if status == 201 and place in self.documents:
                status = 409
            elif status == 201:
                self.documents[place] = found
            items.append({"create": {"status": status} | ({} if status == 201 else {"error": {"type": f"kind-{status}"}})})
        return {"errors": any(item["create"]["status"] != 201 for item in items), "items": items}


@contextmanager
def running(store: Store) -> Iterator[Store]:
    """The store behind a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = json.loads(self._body())
            store.templates.append((self.path, body))
            self._answer(store.status, {"acknowledged": True})

        def do_POST(self) -> None:
            body = self._body()
            self._answer(store.status, store.bulk(body) if store.status == 200 else {})

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers["Content-Length"]))

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    store.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()
