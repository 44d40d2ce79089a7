"""Runs the queued jobs, each as a process of its own, so many at a time."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from applications.jobs.job import FAILED, LONGEST_ERROR, RESULT
from applications.jobs.kinds import Kinds
from applications.jobs.store import INTERRUPTED, Job, Status, Store
from applications.runtime.logs import log

FINISHED = Counter("jobs_finished", "Jobs by how they ended", ["kind", "status"])
SECONDS = Histogram("jobs_seconds", "How long jobs ran", ["kind"], buckets=(5, 15, 30, 60, 120, 300, 600, 1800, 3600))
LAST_SUCCESS = Gauge("jobs_last_success_time", "When a job of the kind last succeeded (seconds since 1970)", ["kind"])
LOOK_SECONDS = 0.5
TAIL_LINES = 200


class Runner:
    """The threads that take jobs from the store. `folder` holds the log of each job."""

    def __init__(self, store: Store, kinds: Kinds, folder: Path, *, concurrency: int, stop_seconds: float, keep_jobs: int) -> None:
        self.store, self.kinds, self.folder = store, kinds, folder
        self._stop_seconds, self._keep_jobs = stop_seconds, keep_jobs
        self._stopping, self._wake = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._cancelled: set[str] = set()
        self._threads = [threading.Thread(target=self._work, name=f"runner-{i}", daemon=True) for i in range(concurrency)]

    def start(self) -> None:
        """Marks what a restart interrupted, and begins to take queued jobs."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for identity in self.store.recover():
            log.warning("job-interrupted", job=identity)
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Says that a job was queued."""
        self._wake.set()

    def log_of(self, identity: str) -> Path:
        """Where a job's log is; it is there once the job began."""
        return self.folder / f"{identity}.log"

    def cancel(self, identity: str) -> bool:
        """Cancels a job, queued or running; whether it was one of these. A running one ends within the stop's seconds."""
        if self.store.cancel_queued(identity):
            return True
        with self._lock:
            process = self._running.get(identity)
            if process is None:
                return False
            self._cancelled.add(identity)
        threading.Thread(target=self._end, args=(process,), daemon=True).start()
        return True

    def stop(self) -> None:
        """Takes no more jobs, and ends the running ones, which count as interrupted."""
        self._stopping.set()
        self._wake.set()
        with self._lock:
            processes = list(self._running.values())
        for process in processes:
            self._end(process)
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=self._stop_seconds)

    def check(self) -> str | None:
        """None while every thread lives, else what is wrong."""
        dead = sum(not thread.is_alive() for thread in self._threads)
        return f"{dead} of {len(self._threads)} runners ended; restart this service" if dead else None

    def _work(self) -> None:
        while not self._stopping.is_set():
            job = self._take()
            if job is None:
                self._wake.wait(LOOK_SECONDS)
                self._wake.clear()
                continue
            try:
                self._run(job)
            except OSError as error:  # no space for its log, say: this job fails, the next may not
                self._finish(job, 0.0, Status.FAILED, error=f"it could not be run: {error}")

    def _take(self) -> Job | None:
        try:
            return self.store.take()
        except Exception as error:  # the volume is full or away: /health says so, and it may come back
            log.error("queue-unreadable", error=str(error))
            self._stopping.wait(5)
            return None

    def _run(self, job: Job) -> None:
        begin, path = time.monotonic(), self.log_of(job.id)
        log.info("job-started", job=job.id, kind=job.kind)
        with path.open("wb") as output, self._lock:
            # A session of its own, so that a cancellation reaches whatever the job started.
            process = subprocess.Popen([sys.executable, "-m", self.kinds[job.kind].module, json.dumps(job.parameters)],
                                       stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
                                       env={**os.environ, "JOB_ID": job.id})
            self._running[job.id] = process
        if self._stopping.is_set():
            self._end(process)
        status = process.wait()
        with self._lock:
            del self._running[job.id]
            cancelled = job.id in self._cancelled
            self._cancelled.discard(job.id)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what it left behind
        result, error = outcome(path)
        seconds = time.monotonic() - begin
        if status == 0:
            self._finish(job, seconds, Status.SUCCEEDED, result=result)
        elif cancelled:
            self._finish(job, seconds, Status.CANCELLED, error="cancelled while it ran")
        elif self._stopping.is_set():
            self._finish(job, seconds, Status.FAILED, error=INTERRUPTED)
        else:
            ended = f"its process was killed by signal {-status}" if status < 0 else f"its process ended with status {status}"
            self._finish(job, seconds, Status.FAILED, error=error if error and status > 0 else ended)

    def _finish(self, job: Job, seconds: float, status: Status, *, result: Any = None, error: str | None = None) -> None:
        self.store.finish(job.id, status, result=result, error=error)
        FINISHED.labels(job.kind, status).inc()
        SECONDS.labels(job.kind).observe(seconds)
        if status is Status.SUCCEEDED:
            LAST_SUCCESS.labels(job.kind).set(time.time())
        for identity in self.store.purge(self._keep_jobs):
            self.log_of(identity).unlink(missing_ok=True)
        log.info("job-finished", job=job.id, kind=job.kind, status=status, seconds=round(seconds, 1), error=error)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(self._stop_seconds)
                return


def tail(path: Path, lines: int) -> list[str]:
    """The last lines of a job's log; none when it has not begun."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", errors="replace") as text:
        return [line.rstrip("\n") for line in deque(text, lines)]


def outcome(path: Path) -> tuple[Any, str | None]:
    """The result that a job printed last, and its last word of an error: its `job-failed`, else the last line that is no
    entry of its log, which an interpreter or a virtual machine left."""
    result, error, stray = None, None, None
    for line in tail(path, TAIL_LINES):
        try:
            entry = json.loads(line)
        except ValueError:
            stray = line.strip() or stray
            continue
        if isinstance(entry, dict) and entry.get("event") == RESULT:
            result = entry.get("result")
        elif isinstance(entry, dict) and entry.get("event") == FAILED:
            error = str(entry.get("error"))
    return result, (error or stray or "")[:LONGEST_ERROR] or None
