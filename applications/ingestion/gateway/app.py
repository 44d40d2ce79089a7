"""The HTTP interface: paths, their description, and what watches over all of them."""

from __future__ import annotations

import time
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from applications.clinical.models import SCHEMA_VERSION
from applications.ingestion.gateway import answers, docs_page, metrics, openapi
from applications.ingestion.gateway.door import HL7_TYPE, JSON_TYPE, Door
from applications.ingestion.gateway.health import Health
from applications.ingestion.gateway.reading import Format

_EVENTS = {JSON_TYPE: Format.JSON, "application/x-ndjson": Format.NDJSON}
_FHIR = {"application/fhir+json": Format.FHIR}
_HL7 = {HL7_TYPE: Format.HL7}


def create_app(door: Door, health: Health) -> ASGIApp:
    """The application, watched: every request is counted, and a fault of ours is answered and logged without its words."""
    app = FastAPI(title=openapi.TITLE, version=SCHEMA_VERSION, description=openapi.DESCRIPTION, docs_url=None, redoc_url=None)

    @app.post("/events", tags=["data"], responses=openapi.responses(), openapi_extra=openapi.EVENTS, response_class=Response)
    async def events(request: Request) -> Response:
        """Native events: one as JSON, or a batch as NDJSON."""
        return await door.answer(request, _EVENTS)

    @app.post("/fhir", tags=["data"], responses=openapi.responses(), openapi_extra=openapi.FHIR, response_class=Response)
    async def fhir(request: Request) -> Response:
        """FHIR R4: a Bundle, or one Observation, MedicationAdministration, AdverseEvent or Patient."""
        return await door.answer(request, _FHIR)

    @app.post("/hl7", tags=["data"], responses=openapi.responses(acknowledged=True), openapi_extra=openapi.HL7,
              response_class=Response)
    async def hl7(request: Request) -> Response:
        """HL7 v2.5 ORU^R01, answered with ACK^R01; with the event ids in JSON where Accept asks for application/json."""
        return await door.answer(request, _HL7)

    @app.get("/health", tags=["operation"], responses=openapi.HEALTH, response_class=JSONResponse)
    async def ready() -> JSONResponse:
        """Whether every kind of event can be accepted: Kafka, RabbitMQ and the ledger, as they were seconds ago."""
        healthy, report = health.report()
        return JSONResponse(report, 200 if healthy else 503)

    @app.get("/live", tags=["operation"], response_class=PlainTextResponse)
    async def live() -> str:
        """That the process answers, whatever it can accept."""
        return "alive\n"

    @app.get("/metrics", tags=["operation"], response_class=PlainTextResponse)
    async def prometheus() -> Response:
        """Metrics for Prometheus."""
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(docs_page.render(app.openapi()))

    def description() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            app.openapi_schema = openapi.complete(document)
        return app.openapi_schema

    app.openapi = description  # type: ignore[method-assign]
    app.add_exception_handler(HTTPException, _refuse)
    app.add_exception_handler(Exception, _fail)
    return Watched(app, frozenset(route.path for route in app.routes if hasattr(route, "path")))


async def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    word = error.detail.lower().replace(" ", "-")
    return JSONResponse({"error": word, "message": f"{error.detail}: see /docs for the paths and their methods"},
                        error.status_code, error.headers)


async def _fail(_: Request, __: Exception) -> Response:
    return JSONResponse({"error": "fault", "message": "a fault of the gateway, which its log names"}, 500)


class Watched:
    """Counts requests, and keeps the words of unexpected errors, which could quote a patient's data, out of the log."""

    def __init__(self, app: ASGIApp, paths: frozenset[str]) -> None:
        self._app, self._paths = app, paths

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

        with metrics.IN_FLIGHT.track_inprogress():
            try:
                await self._app(scope, receive, noting)
            except Exception as error:  # the answer was given by _fail
                answers.fault("answering-failed", error)
        metrics.LATENCY.labels(path).observe(time.perf_counter() - began)
        metrics.REQUESTS.labels(path, status).inc()
