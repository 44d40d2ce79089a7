"""The HTTP interface: paths, their description, and what watches over all of them."""

from __future__ import annotations

from fastapi import Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp

from applications.clinical.models import SCHEMA_VERSION
from applications.ingestion.gateway import metrics, openapi
from applications.ingestion.gateway.door import HL7_TYPE, JSON_TYPE, Door
from applications.ingestion.gateway.health import Health
from applications.ingestion.gateway.reading import Format
from applications.runtime.web import application, finished

_EVENTS = {JSON_TYPE: Format.JSON, "application/x-ndjson": Format.NDJSON}
_FHIR = {"application/fhir+json": Format.FHIR}
_HL7 = {HL7_TYPE: Format.HL7}


def create_app(door: Door, health: Health) -> ASGIApp:
    """The application, watched: every request is counted, and a fault of ours is answered and logged without its words."""
    app = application(openapi.TITLE, SCHEMA_VERSION, openapi.DESCRIPTION, openapi.complete,
                      "a fault of the gateway, which its log names")

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

    return finished(app, metrics.IN_FLIGHT, _answered)


def _answered(path: str, status: int, seconds: float) -> None:
    metrics.LATENCY.labels(path).observe(seconds)
    metrics.REQUESTS.labels(path, status).inc()
