"""The HTTP interface: paths, their description, and what watches over all of them."""

from __future__ import annotations

import orjson
from fastapi import Request, Response
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp

from applications.clinical.models import SCHEMA_VERSION
from applications.ml.serving import answers, metrics, openapi
from applications.ml.serving.door import Door
from applications.ml.serving.health import Health
from applications.ml.serving.models import Models
from applications.runtime.web import application, finished


def create_app(door: Door, models: Models, health: Health) -> ASGIApp:
    """The application, watched: every request is counted, and a fault of ours is answered and logged without its words."""
    app = application(openapi.TITLE, SCHEMA_VERSION, openapi.DESCRIPTION, openapi.complete, answers.FAULT)

    @app.post("/v1/predict", tags=["predictions"], responses=openapi.responses("Prediction"), openapi_extra=openapi.PREDICT,
              response_class=Response)
    async def predict(request: Request) -> Response:
        """The probability of an adverse event of grade 2 or above in the next 24 hours, of a patient or of given features."""
        return await door.single(request)

    @app.post("/v1/predict/batch", tags=["predictions"], responses=openapi.responses("Results"), openapi_extra=openapi.BATCH,
              response_class=Response)
    async def predict_batch(request: Request) -> Response:
        """Up to 500 predictions; each instance has its own prediction or error, in their order."""
        return await door.batch(request)

    @app.get("/v1/model", tags=["predictions"], responses=openapi.MODEL, openapi_extra={"security": openapi.SECURITY},
             response_class=Response)
    async def model(request: Request) -> Response:
        """The version that serves."""
        return await door.admitted(request, lambda: _model(models))

    @app.get("/health", tags=["operation"], responses=openapi.HEALTH, response_class=JSONResponse)
    async def alive() -> JSONResponse:
        """That the process works, with what is not ready."""
        return JSONResponse(health.report()[1])

    @app.get("/ready", tags=["operation"], responses=openapi.READY, response_class=JSONResponse)
    async def ready() -> JSONResponse:
        """Whether predictions can be made: a champion, the online store and Kafka, as they were seconds ago."""
        fit, report = health.report()
        return JSONResponse(report, 200 if fit else 503)

    return finished(app, metrics.IN_FLIGHT, lambda path, status, seconds: metrics.LATENCY.labels(path, status).observe(seconds))


def _model(models: Models) -> Response:
    champion = models.champion
    if champion is None:
        raise answers.unavailable("no-champion", models.fault or "the champion is being changed")
    return Response(orjson.dumps({
        "name": champion.name, "version": champion.version, "alias": answers.ALIAS, "serving_since": champion.since,
        "features_version": champion.model.features_version, "threshold": champion.model.threshold}),
        media_type="application/json")
