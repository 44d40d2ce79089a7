"""A service that speaks JSON, for tests of whoever asks it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


@dataclass
class JsonServer:
    """Answers of a server by `METHOD path` (status and body, or a list of them that are used up one by one), and what was asked."""

    answers: dict[str, tuple[int, Any] | list[tuple[int, Any]]]
    url: str = ""
    asked: list[Asked] = field(default_factory=list)

    def answer(self, asked: Asked) -> tuple[int, Any]:
        """The answer to a request."""
        self.asked.append(asked)
        found = self.answers.get(f"{asked.method} {asked.path}", (404, {"detail": "not found"}))
        return found if isinstance(found, tuple) else found.pop(0) if len(found) > 1 else found[0]

    def of(self, path: str) -> list[Asked]:
        """The requests for a path."""
        return [asked for asked in self.asked if asked.path == path]


@contextmanager
def serving(answers: Mapping[str, tuple[int, Any] | list[tuple[int, Any]]]) -> Iterator[JsonServer]:
    """Runs one on a free port."""
    server = JsonServer(dict(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply()

        def do_POST(self) -> None:
            self._reply()

        def do_PUT(self) -> None:
            self._reply()

        def do_DELETE(self) -> None:
            self._reply()

        def _reply(self) -> None:
            place = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            query = {name: values[0] for name, values in parse_qs(place.query).items()}
            status, content = server.answer(Asked(self.command, place.path, query, dict(self.headers), body))
            text = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server.url = f"http://127.0.0.1:{http.server_address[1]}"
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield server
        http.shutdown()
