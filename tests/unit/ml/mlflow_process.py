"""A real MLflow server as a process of its own, with SQLite and artifacts that go through the server; and a way to lose it."""

from __future__ import annotations

import contextlib
import os
import socket
import socketserver
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

PATIENCE = 120
"""Seconds until a server that does not answer counts as a failure."""


class MlflowProcess:
    """One server on a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.uri = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def artifacts(self) -> Path:
        """The folder that holds what the server stores; clients do not know it."""
        return self.folder / "artifacts"

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{self.folder / 'mlflow.db'}",
                   "--serve-artifacts", "--artifacts-destination", str(self.artifacts), "--host", "127.0.0.1",
                   "--port", str(self.port), "--workers", "1"]
        environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        deadline = time.monotonic() + PATIENCE
        while not self._healthy():
            said = (self.folder / "server.log").read_text()[-2000:]
            assert self._process.poll() is None and time.monotonic() < deadline, f"MLflow does not answer: {said}"
            time.sleep(0.1)

    def stop(self) -> None:
        """Ends the server."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=PATIENCE)
            self._process = None

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


class Way:
    """A port that leads to a server, so that it can be lost and come back without a restart, which takes seconds."""

    def __init__(self, port: int) -> None:
        self._to, self.port = port, 0
        self._open: list[socket.socket] = []
        self._door: socketserver.ThreadingTCPServer | None = None
        self.open()
        self.uri = f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        """Leads to the server, on the same port as before."""
        to, inside = self._to, self._open

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.create_connection(("127.0.0.1", to)) as onward:
                    inside.extend((onward, self.request))
                    back = threading.Thread(target=_copy, args=(onward, self.request), daemon=True)
                    back.start()
                    _copy(self.request, onward)
                    back.join()
        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self._door = socketserver.ThreadingTCPServer(("127.0.0.1", self.port), Handler)
        self._door.daemon_threads, self._door.block_on_close = True, False
        self.port = int(self._door.server_address[1])
        threading.Thread(target=self._door.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Refuses connections, and cuts those that there are."""
        if self._door is not None:
            self._door.shutdown()
            self._door.server_close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._open.clear()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    try:
        while received := source.recv(65536):
            sink.sendall(received)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return
