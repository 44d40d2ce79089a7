"""Serving a job endpoint until it is asked to stop."""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import Mapping
from typing import Any

from applications.jobs.app import create_app
from applications.jobs.kinds import Kinds
from applications.jobs.runner import Runner
from applications.jobs.schedule import Schedule, Scheduler
from applications.jobs.settings import JobsSettings
from applications.jobs.store import Store
from applications.runtime import logs
from applications.runtime.logs import log
from applications.runtime.settings import WRONG_SETTINGS
from applications.runtime.stopping import Stop
from applications.runtime.web import server

LOOK_SECONDS = 1.0
ANSWER_SECONDS = 5


def serve(config: JobsSettings, kinds: Kinds, schedule: Schedule | None = None,
          documents: Mapping[str, Any] | None = None) -> int:
    """Answers and runs jobs until SIGTERM or SIGINT; returns the exit status. A job that runs then is ended, and counts as
    interrupted; queued ones wait for the next start. What `schedule` says is submitted besides;
    `documents` are answered as JSON, by path.
    """
    logs.configure(config)
    stop = Stop()
    try:
        config.data.mkdir(parents=True, exist_ok=True)
        store = Store(config.data / "jobs.sqlite")
    except (sqlite3.Error, OSError) as error:
        print(f"{config.service}: the queue {config.data / 'jobs.sqlite'} cannot be opened: {error}. Its folder must be a volume "
              "that this user may write; a damaged file can be moved away, its jobs are then forgotten", file=sys.stderr)
        return WRONG_SETTINGS
    runner = Runner(store, kinds, config.data / "logs", concurrency=config.concurrency, stop_seconds=config.stop_seconds,
                    keep_jobs=config.keep_jobs)
    app = create_app(store, runner, kinds, config.api_key.get_secret_value(), config.service, documents or {})
    http = server(app, config.monitor_port, ANSWER_SECONDS)
    runner.start()
    scheduler = Scheduler(schedule, store, runner, kinds) if schedule else None
    if scheduler:
        scheduler.start()
    serving = threading.Thread(target=http.run, name="http", daemon=True)
    serving.start()
    log.info("started", port=config.monitor_port, kinds=sorted(kinds))
    while serving.is_alive() and not stop.wait(LOOK_SECONDS):
        pass
    failed = not stop.requested  # a port that is taken ends the server by itself
    log.info("stopping")
    if scheduler:
        scheduler.stop()
    runner.stop()
    http.should_exit = True
    serving.join(timeout=10)
    store.close()
    log.info("stopped")
    return int(failed)
