"""An HTTP server that answers as a job endpoint does, and one that answers as told; each remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "canarysparkjobskey0123456789"
Answer = tuple[int, Any]
Seen = tuple[str, str, dict[str, str], Any, str]
"""Method, path, query, body, and the key that was shown."""


class Endpoint:
    """What the server knows. A job goes through `states`, one at each look; the last stays."""

    def __init__(self, key: str = KEY) -> None:
        self.key = key
        self.jobs: dict[str, dict[str, Any]] = {}
        self.states: list[str] = []
        self.lines: list[str] = []
        self.refusal: Answer | None = None
        self.documents: dict[str, Any] = {}

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, key: str) -> Answer:
        """Status and content for one request."""
        if key != self.key:
            return 403, {"error": "this API key is not known here"}
        if path in self.documents:
            return 200, self.documents[path]
        match method, path.strip("/").split("/"):
            case "POST", ["jobs"]:
                if self.refusal:
                    return self.refusal
                return 202, self.add(body["kind"], **body["parameters"])
            case "GET", ["jobs"]:
                chosen = [job for job in self.jobs.values() if query.get("status") in (None, job["status"])]
                return 200, {"jobs": chosen[::-1][:int(query["limit"])]}
            case "GET", ["jobs", name] if name in self.jobs:
                if self.states:
                    self.jobs[name]["status"] = self.states.pop(0) if len(self.states) > 1 else self.states[0]
                return 200, self.jobs[name]
            case "GET", ["jobs", name, "logs"] if name in self.jobs:
                return 200, "".join(f"{line}\n" for line in self.lines[-int(query["lines"]):])
            case "DELETE", ["jobs", name] if name in self.jobs:
                self.jobs[name]["status"] = "cancelled"
                return 202, self.jobs[name]
        return 404, {"error": "there is no job of this id; GET /jobs lists them"}

    def add(self, kind: str, status: str = "queued", **parameters: Any) -> dict[str, Any]:
        """One more job."""
        name = f"job-{len(self.jobs) + 1}"
        self.jobs[name] = {"id": name, "kind": kind, "parameters": parameters, "status": status, "error": None,
                           "submitted": f"2026-11-25T10:00:0{len(self.jobs)}.000Z", "started": "2026-11-25T10:01:00.000Z",
                           "finished": "2026-11-25T10:01:30.000Z", "result": {"rows": 7}}
        return self.jobs[name]


@contextmanager
def serving(answer: Callable[[str, str, dict[str, str], Any, str], Answer]) -> Iterator[tuple[int, list[Seen]]]:
    """A running server: its port, and what it was asked."""
    seen: list[Seen] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(address.query).items()}
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            asked = (self.command, address.path, query, body, self.headers.get("X-API-Key", ""))
            seen.append(asked)
            status, content = answer(*asked)
            data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_DELETE = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server.server_port, seen
    finally:
        server.shutdown()
        server.server_close()
