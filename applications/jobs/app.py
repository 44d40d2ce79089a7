"""The endpoint's HTTP interface."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any

from fastapi import FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import CollectorRegistry
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from applications.jobs.kinds import Kinds
from applications.jobs.runner import Runner, tail
from applications.jobs.store import OVER, KeyReused, Status, Store
from applications.runtime.api_keys import ApiKeys, NoKey, WrongKey
from applications.runtime.monitor import report

OPEN = frozenset({"/health", "/metrics", "/docs", "/openapi.json"})
"""Paths that need no key: they tell nothing about jobs but their number."""


class Submission(BaseModel):
    """A request for a job."""

    model_config = ConfigDict(extra="forbid")

    kind: str
    parameters: dict[str, Any] = Field(default_factory=dict)


class Fault(Exception):
    """A request that cannot be answered as wished."""

    def __init__(self, status: int, error: str, reasons: Sequence[dict[str, str]] = ()) -> None:
        self.status, self.body = status, {"error": error, **({"reasons": list(reasons)} if reasons else {})}
        super().__init__(error)


def create_app(store: Store, runner: Runner, kinds: Kinds, api_key: str, title: str,
               documents: Mapping[str, Any] = MappingProxyType({})) -> FastAPI:
    """The application; the runner is started and stopped by whoever serves it. `documents` are answered as JSON, by path."""
    keys = ApiKeys(f"operator:{api_key}")
    app = FastAPI(title=title, version="1", redoc_url=None,
                  description="Runs jobs. " + " ".join(f"`{name}`: {kind.what}" for name, kind in kinds.items()))
    # The default registry has this process's metrics; what only the store knows is added as it is asked for.
    registry = CollectorRegistry()
    registry.register(_Queue(store))

    @app.middleware("http")
    async def guard(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        if request.url.path not in OPEN:
            try:
                keys.client(request.headers)
            except NoKey:
                return JSONResponse({"error": "an API key is needed: send it as X-API-Key"}, 401, {"WWW-Authenticate": "Bearer"})
            except WrongKey:
                return JSONResponse({"error": "this API key is not known here"}, 403)
        return await call(request)

    @app.exception_handler(Fault)
    async def fault(_: Request, error: Fault) -> Response:
        return JSONResponse(error.body, error.status)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        reasons = _reasons(error.errors(), skip=1)
        return JSONResponse({"error": "the request is not valid", "reasons": reasons}, 422)

    @app.post("/jobs", status_code=202)
    def submit(wanted: Submission, request: Request, response: Response,
               idempotency_key: Annotated[str | None, Header(max_length=200)] = None) -> dict[str, Any]:
        """Queues a job. With an Idempotency-Key that came before, answers with the job that it made then."""
        parameters = _checked(kinds, wanted)
        try:
            job, new = store.add(wanted.kind, parameters, idempotency_key)
        except KeyReused:
            raise Fault(409, "this Idempotency-Key came before with another request; use a new one") from None
        if new:
            runner.wake()
        response.headers["Location"] = f"/jobs/{job.id}"
        return job.as_dict()

    @app.get("/jobs")
    def jobs(kind: str | None = None, status: Status | None = None,
             limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> dict[str, Any]:
        """The latest jobs first."""
        return {"jobs": [job.as_dict() for job in store.latest(kind=kind, status=status, limit=limit)]}

    @app.get("/jobs/{identity}")
    def job(identity: str) -> dict[str, Any]:
        """One job: its status, times, parameters, and its result or error."""
        return _found(store, identity)

    @app.get("/jobs/{identity}/logs", response_class=PlainTextResponse)
    def logs(identity: str, lines: Annotated[int, Query(ge=1, le=100_000)] = 1000) -> str:
        """The last lines of a job's log; empty until it begins."""
        _found(store, identity)
        return "".join(f"{line}\n" for line in tail(runner.log_of(identity), lines))

    @app.delete("/jobs/{identity}", status_code=202)
    def cancel(identity: str) -> dict[str, Any]:
        """Cancels a job that waits or runs; a running one is `cancelled` once its process has ended."""
        before = _found(store, identity)
        if before["status"] in OVER or not runner.cancel(identity):
            raise Fault(409, f"the job is over ({_found(store, identity)['status']}) and cannot be cancelled")
        return _found(store, identity)

    @app.get("/health")
    def health() -> Response:
        """Whether jobs can be taken and run; 503 says what is wrong."""
        healthy, body = report({"queue": store.check, "runner": runner.check})
        return JSONResponse(body, 200 if healthy else 503)

    @app.get("/metrics")
    def metrics() -> Response:
        """Prometheus metrics."""
        return Response(generate_latest(REGISTRY) + generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    for path, document in documents.items():
        app.add_api_route(path, _answering(document), methods=["GET"], name=path.strip("/"))
    return app


def _answering(document: Any) -> Callable[[], Any]:
    def answer() -> Any:
        return document
    return answer


class _Queue:
    """The number of jobs that wait and run, as Prometheus reads it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One sample a state."""
        family = GaugeMetricFamily("jobs", "Jobs by their state", labels=["status"])
        for status, count in self._store.counts().items():
            family.add_metric([status], count)
        yield family


def _found(store: Store, identity: str) -> dict[str, Any]:
    try:
        return store.get(identity).as_dict()
    except KeyError:
        raise Fault(404, "there is no job of this id; GET /jobs lists them") from None


def _checked(kinds: Kinds, wanted: Submission) -> dict[str, Any]:
    kind = kinds.get(wanted.kind)
    if kind is None:
        message = f"there is no such job here; there are {', '.join(sorted(kinds))}"
        raise Fault(422, "the request is not valid", [{"field": "kind", "message": message}])
    try:
        return kind.parameters.model_validate(wanted.parameters).model_dump(mode="json", by_alias=True)
    except ValidationError as error:
        raise Fault(422, "the parameters are not valid", _reasons(error.errors(), prefix="parameters")) from None


def _reasons(errors: Sequence[Any], *, skip: int = 0, prefix: str = "") -> list[dict[str, str]]:
    found = []
    for fault in errors:
        field = ".".join(str(part) for part in ([prefix] if prefix else []) + list(fault["loc"][skip:]))
        found.append({"field": field, "message": str(fault["msg"]).removeprefix("Value error, ")})
    return found
