"""The HTTP interface: the control room and its data, Alertmanager's webhook, the runbook, health and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.types import ASGIApp

from applications.monitoring.service import metrics, runbook
from applications.monitoring.service.alerts import Alerts, Webhook
from applications.monitoring.service.state import State
from applications.runtime.api_keys import ApiKeys
from applications.runtime.door import Refusal, admitted, body_of, media_type
from applications.runtime.monitor import Check, report
from applications.runtime.web import Document, application, finished

PAGE = Path(__file__).parents[1] / "control_room"
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
MOST_BYTES, READ_SECONDS = 4 * 1024 * 1024, 10.0
HEADERS = {
    # Nothing comes from elsewhere and nothing goes there; no other page may hold this one in a frame.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
                               "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
ASKED_AGAIN = {"Cache-Control": "no-cache"}


def create_app(state: State, alerts: Alerts, webhook_key: str, checks: Mapping[str, Check], runbook_text: str) -> ASGIApp:
    """The application, watched: every request is counted, and a fault of ours is answered and logged without its words."""
    app = application("monitoring-service", "1", "Measures the platform and shows it.", _complete,
                      "monitoring-service has a fault; its log says where")
    keys = ApiKeys(f"alertmanager:{webhook_key}")

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)
        return error.response()

    app.add_exception_handler(Refusal, refused)

    @app.get("/api/state", response_class=Response)
    def current() -> Response:
        """All that the control room shows: health, flow, lag, freshness, quarantine, model, workflows, alerts and errors."""
        return Response(state.json(), media_type="application/json", headers={**HEADERS, "Cache-Control": "no-store"})

    @app.post("/alerts", response_class=JSONResponse)
    async def take(request: Request) -> JSONResponse:
        """Alertmanager's webhook (version 4), with its bearer."""
        admitted(keys, request.headers)
        media_type(request.headers, ("application/json",))
        body = await body_of(request, MOST_BYTES, READ_SECONDS, "alerts")
        try:
            posted = Webhook.model_validate_json(body)
        except ValidationError as error:
            places = sorted({".".join(map(str, fault["loc"])) for fault in error.errors()})[:5]
            raise Refusal(422, "invalid", "this is not a message of Alertmanager's webhook, version 4: "
                          f"{', '.join(places)}") from None
        alerts.take(posted)
        return JSONResponse({"taken": len(posted.alerts)})

    @app.get("/health", response_class=JSONResponse)
    def alive() -> JSONResponse:
        """Whether every measurement goes on; what is away elsewhere makes none ill."""
        healthy, body = report(checks)
        return JSONResponse(body, 200 if healthy else 503)

    for path, content in pages(runbook_text).items():
        app.add_api_route(path, partial(_page, content, KINDS[Path(path).suffix or ".html"]), methods=["GET"],
                          include_in_schema=False, response_class=Response)
    return finished(app, metrics.IN_FLIGHT, lambda path, status, seconds: metrics.LATENCY.labels(path, status).observe(seconds))


def pages(runbook_text: str) -> dict[str, bytes]:
    """The control room's files and the runbook, by path."""
    files = {f"/{file.name}": file.read_bytes() for file in sorted(PAGE.iterdir()) if file.suffix in KINDS}
    return {**files, "/": files["/index.html"], "/runbook": runbook.page(runbook_text).encode()}


async def _page(content: bytes, kind: str, request: Request) -> Response:
    tag = f'"{sha256(content).hexdigest()[:20]}"'
    headers = {**HEADERS, **ASKED_AGAIN, "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=f"{kind}; charset=utf-8")


def _complete(document: Document) -> Document:
    return document
