"""An HTTP server that answers as Airflow's interface does, for one small world of DAGs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

PASSWORD = "canaryairflowadmin0123456789"
TIME = "2026-11-25T10:00:00Z"


@dataclass
class World:
    """What the server knows, and every request that it got: method, path, query, body."""

    dags: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: list[dict[str, Any]] = field(default_factory=list)
    tasks: list[dict[str, Any]] = field(default_factory=list)
    lines: list[Any] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    health: dict[str, Any] = field(default_factory=dict)
    refusals: dict[str, tuple[int, Any]] = field(default_factory=dict)
    """Status and detail by the end of a path."""
    states: list[str] = field(default_factory=list)
    """What a run is at each look at it; the last stays."""
    valid: set[str] = field(default_factory=set)
    logins: int = 0
    seen: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)
    port: int = 0

    def dag(self, name: str, schedule: str | None = "0 * * * *") -> None:
        """One more DAG."""
        self.dags[name] = {"dag_id": name, "is_paused": False, "timetable_summary": schedule, "next_dagrun_run_after": TIME}

    def run_of(self, dag: str, name: str, state: str = "success", kind: str = "scheduled") -> dict[str, Any]:
        """One more run."""
        self.runs.append({"dag_id": dag, "dag_run_id": name, "state": state, "start_date": TIME, "end_date": None, "note": None,
                          "run_type": kind})
        return self.runs[-1]

    def task(self, name: str, state: str | None, begin: str | None = TIME, attempt: int = 1) -> None:
        """One more task, of any run."""
        self.tasks.append({"task_id": name, "map_index": -1, "state": state, "try_number": attempt, "start_date": begin,
                           "end_date": None})

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        """Status and content for one request that is let in."""
        for end, (status, detail) in self.refusals.items():
            if path.endswith(end):
                return status, {"detail": detail}
        match path.strip("/").split("/"):
            case ["dags"]:
                return page("dags", list(self.dags.values()), query)
            case ["importErrors"]:
                return page("import_errors", self.errors, query)
            case ["backfills"] if body["dag_id"] in self.dags:
                self.run_of(body["dag_id"], "backfill__1", "queued", "backfill")
                return 200, {"id": 1}
            case ["dags", dag, *rest] if dag in self.dags:
                return self.of_dag(method, dag, rest, query, body)
        return 404, {"detail": "not found"}

    def of_dag(self, method: str, dag: str, rest: list[str], query: dict[str, str], body: Any) -> tuple[int, Any]:
        """Status and content for what lies below a DAG."""
        match method, rest:
            case "PATCH", []:
                self.dags[dag] |= body
                return 200, self.dags[dag]
            case "POST", ["dagRuns"]:
                return 200, {**self.run_of(dag, "manual__1", "queued", "manual"), "note": body["note"]}
            case "GET", ["dagRuns"]:
                found = [run for run in self.runs if run["dag_id"] == dag and query.get("run_type") in (None, run["run_type"])]
                return page("dag_runs", found[::-1], query)
            case "GET", ["dagRuns", name]:
                run = next(run for run in self.runs if (run["dag_id"], run["dag_run_id"]) == (dag, name))
                if self.states:
                    run["state"] = self.states.pop(0) if len(self.states) > 1 else self.states[0]
                return 200, run
            case "GET", ["dagRuns", _, "taskInstances"]:
                return page("task_instances", self.tasks, query)
            case "GET", ["dagRuns", _, "taskInstances", _, "logs", _]:
                return 200, {"content": self.lines, "continuation_token": None}
        return 404, {"detail": "not found"}


def page(key: str, entries: list[Any], query: dict[str, str]) -> tuple[int, Any]:
    """One page of a list."""
    first = int(query.get("offset", 0))
    return 200, {key: entries[first:first + int(query["limit"])], "total_entries": len(entries)}


@contextmanager
def serving() -> Iterator[World]:
    """A running server and its world."""
    world = World()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            path, query = unquote(address.path), {key: values[0] for key, values in parse_qs(address.query).items()}
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            world.seen.append((self.command, path, query, body))
            if path == "/auth/token":
                world.logins += 1
                world.valid = {f"token-{world.logins}"}
                if body == {"username": "admin", "password": PASSWORD}:
                    self.reply(201, {"access_token": f"token-{world.logins}"})
                else:
                    self.reply(401, {"detail": "Invalid credentials"})
            elif path == "/api/v2/monitor/health":
                self.reply(200, world.health)
            elif self.headers.get("Authorization", "").removeprefix("Bearer ") not in world.valid:
                self.reply(401, {"detail": "Not authenticated"})
            else:
                self.reply(*world.answer(self.command, path.removeprefix("/api/v2"), query, body))

        do_POST = do_PATCH = do_GET

        def reply(self, status: int, content: Any) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    world.port = server.server_port
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield world
    finally:
        server.shutdown()
        server.server_close()
