"""What every HTTP service of ours does around its paths: a server that we end, its description, requests that are watched, and
faults that are logged without words, which could quote a patient's data.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import traceback
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from applications.runtime import docs_page
from applications.runtime.logs import log

KEEP_ALIVE_SECONDS = 60

Document = dict[str, Any]


class Server(uvicorn.Server):
    """Uvicorn, whose end is asked for by us: it would raise the signal again and end the process before what it works with is
    done."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals alone."""
        yield


def server(app: ASGIApp, port: int, stop_seconds: float) -> Server:
    """A server on all addresses, which gives requests in flight so long once it is asked to end (by `should_exit`)."""
    return Server(uvicorn.Config(
        app, host="0.0.0.0", port=port, log_config=None, access_log=False, lifespan="off", ws="none", proxy_headers=False,
        server_header=False, timeout_keep_alive=KEEP_ALIVE_SECONDS, timeout_graceful_shutdown=int(stop_seconds)))


def application(title: str, version: str, description: str, complete: Callable[[Document], Document], broken: str) -> FastAPI:
    """An application that answers unknown paths and faults in the shape of all refusals; `finished` once it has its paths.

    `complete` adds to the generated OpenAPI document what FastAPI does not see; `broken` is the sentence of a fault.
    """
    app = FastAPI(title=title, version=version, description=description, docs_url=None, redoc_url=None)

    def document() -> Document:
        if app.openapi_schema is None:
            app.openapi_schema = complete(get_openapi(title=app.title, version=app.version, description=app.description,
                                                      routes=app.routes))
        return app.openapi_schema

    async def fail(_: Request, __: Exception) -> Response:
        return JSONResponse({"error": "fault", "message": broken}, 500)

    app.openapi = document  # type: ignore[method-assign]
    app.add_exception_handler(HTTPException, _refuse)
    app.add_exception_handler(Exception, fail)
    return app


async def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    word = error.detail.lower().replace(" ", "-")
    return JSONResponse({"error": word, "message": f"{error.detail}: see /docs for the paths and their methods"},
                        error.status_code, error.headers)


def finished(app: FastAPI, in_flight: Gauge, answered: Callable[[str, int, float], None]) -> Watched:
    """The application with /metrics and /docs, watched: `answered` is told of each request's path, status and seconds."""
    @app.get("/metrics", tags=["operation"], response_class=PlainTextResponse)
    async def prometheus() -> Response:
        """Metrics for Prometheus."""
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(docs_page.render(app.openapi()))

    return Watched(app, in_flight, answered)


class Watched:
    """Counts requests in flight, and tells `answered` each one's path, status and seconds. Unknown paths count as `other`."""

    def __init__(self, app: FastAPI, in_flight: Gauge, answered: Callable[[str, int, float], None]) -> None:
        self._app, self._in_flight, self._answered = app, in_flight, answered
        self._paths = frozenset(route.path for route in app.routes if hasattr(route, "path"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            return
        path = scope["path"] if scope["path"] in self._paths else "other"
        status = 500
        began = time.perf_counter()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self._in_flight.track_inprogress():
            try:
                await self._app(scope, receive, noting)
            except Exception as error:  # the answer was given by the application's own handler
                fault("answering-failed", error)
        self._answered(path, status, time.perf_counter() - began)


def fault(event: str, error: BaseException) -> None:
    """Logs an unexpected error by its type and place."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    log.error(event, error=type(error).__name__, place=f"{frame.filename}:{frame.lineno}")


def keep(work: Coroutine[Any, Any, None], stop: Callable[[], None]) -> asyncio.Task[None]:
    """Runs a loop of ours beside the server; one that fails stops the process, which is then started again."""

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background-failed", error=type(error).__name__)
            stop()

    task = asyncio.create_task(work)
    task.add_done_callback(ended)
    return task


def unexpected(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The event loop's handler of errors that nobody waits for."""
    log.error("unexpected", message=context.get("message"), error=type(context.get("exception")).__name__)
