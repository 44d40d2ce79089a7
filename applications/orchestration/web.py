"""The page of reports, and the metrics of what DAGs found: /monitoring of Airflow's web server (plugins/monitoring.py).

Reads the lake's small JSON objects and pages, and nothing else.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models import DagRun
from airflow.utils.session import create_session
from fastapi import FastAPI, HTTPException, Path, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from sqlalchemy import func, select, tuple_

from applications.monitoring import exposition, reports
from applications.monitoring.exposition import Metric
from applications.monitoring.findings import Status
from applications.monitoring.lake import LakeAccess, LakeError
from applications.monitoring.reports import Link, Page, Section, Table
from applications.orchestration import connections
from applications.orchestration.connections import ConnectionFault

PREFIX = "/monitoring"
KEPT_SECONDS = 10
"""Metrics are collected at most so often, whoever asks."""
STATES = ("success", "failed", "running", "queued")
Kind = Annotated[str, Path(pattern="^[a-z0-9][a-z0-9-]{0,63}$")]
_log = logging.getLogger(__name__)

app = FastAPI(title="Monitoring", openapi_url=None, docs_url=None, redoc_url=None)


@app.exception_handler(HTTPException)
def refuse(request: Request, fault: HTTPException) -> Response:
    """Sends a browser without a session to the page where one logs in; else says what is wrong."""
    if fault.status_code == 401 and "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(f"/auth/login?next={request.url.path}", 303)
    return PlainTextResponse(f"{fault.detail}\n", fault.status_code, fault.headers)


@app.get("/")
def overview(user: GetUserDep) -> HTMLResponse:
    """The newest report of each kind."""
    lake, rows = _lake(), []
    with _reading():
        for kind in reports.kinds(lake):
            found = reports.latest(lake, kind)
            if found is not None:
                rows.append((Status(found["status"]), Link(kind, f"{PREFIX}/reports/{kind}"), datetime.fromisoformat(found["time"]),
                             found.get("lead", "")))
    lead = "The newest report of each kind." if rows else "No report yet: they come with the first runs of the DAGs."
    worst = max((row[0] for row in rows), key=list(Status).index, default=Status.SKIPPED)
    page = Page("Monitoring", lead, worst, datetime.now(UTC), {}, [Section("Reports", "", [
        Table(("Status", "Report", "Time", "In short"), rows)])] if rows else [])
    return HTMLResponse(reports.render(page))


@app.get("/reports/{kind}")
def newest(kind: Kind, user: GetUserDep) -> Response:
    """The newest page of a kind."""
    lake = _lake()
    with _reading():
        found = reports.latest(lake, kind)
        page = None if found is None else lake.get(reports.BUCKET, found["page"])
    if page is None:
        raise HTTPException(404, f"there is no report of the kind {kind}: {PREFIX}/ lists those that there are")
    return Response(page, media_type="text/html; charset=utf-8")


@app.get("/metrics")
def metrics() -> PlainTextResponse:
    """Metrics in Prometheus's text format; open, as those of every service are on the platform's network."""
    return PlainTextResponse(_cached.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


class _Cached:
    def __init__(self) -> None:
        self._lock, self._until, self._text = threading.Lock(), 0.0, ""

    def text(self) -> str:
        with self._lock:
            if time.monotonic() >= self._until:
                self._text, self._until = exposition.text(_collected()), time.monotonic() + KEPT_SECONDS
            return self._text


_cached = _Cached()


def _collected() -> list[Metric]:
    found: list[Metric] = list(_runs())
    try:
        found.extend(exposition.collect(connections.lake(), datetime.now(UTC)))
    except (LakeError, ConnectionFault) as error:
        _log.warning("metrics without those of reports and alerts: %s", error)
        return [*found, reports.metric("monitoring_lake_up", 0)]
    return [*found, reports.metric("monitoring_lake_up", 1)]


def _runs() -> Iterator[Metric]:
    """Of each DAG the state of its newest run, and when it was over."""
    latest = select(DagRun.dag_id, func.max(DagRun.run_after)).group_by(DagRun.dag_id)
    with create_session() as session:
        rows = session.execute(select(DagRun.dag_id, DagRun.state, DagRun.end_date).where(
            tuple_(DagRun.dag_id, DagRun.run_after).in_(latest))).all()
    for dag, state, ended in rows:
        for name in STATES:
            yield reports.metric("dag_last_run", int(str(state) == name), dag=dag, state=name)
        if ended is not None:
            yield reports.metric("dag_last_run_end_timestamp_seconds", ended.timestamp(), dag=dag)


def _lake() -> LakeAccess:
    try:
        return connections.lake()
    except ConnectionFault as error:
        raise HTTPException(503, str(error)) from None


@contextmanager
def _reading() -> Iterator[None]:
    """Turns an error of the lake into an answer."""
    try:
        yield
    except LakeError as error:
        raise HTTPException(503, str(error)) from None
