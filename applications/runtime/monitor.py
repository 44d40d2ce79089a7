"""Health and metrics of a service that has no HTTP server of its own."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

Check = Callable[[], str | None]


def report(checks: Mapping[str, Check]) -> tuple[bool, dict[str, object]]:
    """Runs each check: None is well, anything else says what is wrong. A check that raises is not well either."""
    found: dict[str, str] = {}
    for name, check in checks.items():
        try:
            found[name] = check() or "ok"
        except Exception as error:  # health must answer whatever a check runs into
            found[name] = f"{type(error).__name__}: {error}"
    healthy = all(words == "ok" for words in found.values())
    return healthy, {"status": "healthy" if healthy else "unhealthy", "checks": found}


class Monitor:
    """Serves GET /health (200, or 503 with the check that failed) and GET /metrics, in threads of its own."""

    def __init__(self, port: int, checks: Mapping[str, Check]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/health":
                    healthy, body = report(checks)
                    self._answer(200 if healthy else 503, "application/json", json.dumps(body).encode())
                elif self.path == "/metrics":
                    self._answer(200, CONTENT_TYPE_LATEST, generate_latest())
                else:
                    self._answer(404, "text/plain", b"GET /health or /metrics\n")

            def _answer(self, status: int, kind: str, body: bytes) -> None:
                # A health check reads the first line and is gone.
                with contextlib.suppress(ConnectionError):
                    self.send_response(status)
                    self.send_header("Content-Type", kind)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing: a line a health check would bury the rest."""

        self._server = ThreadingHTTPServer(("", port), Handler)
        self.port = self._server.server_address[1]

    def start(self) -> None:
        """Begins to answer."""
        threading.Thread(target=self._server.serve_forever, name="monitor", daemon=True).start()

    def stop(self) -> None:
        """Stops answering."""
        self._server.shutdown()
        self._server.server_close()
