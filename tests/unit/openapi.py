"""Whether an OpenAPI description is true: generated requests, valid or not, and the checks that each answer must pass."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.core.result import Ok

TRUE = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
        "response_schema_conformance", "ignored_auth", "unsupported_method", "missing_required_header")


def operations_of(app: Any) -> dict[str, Any]:
    """The described operations of an application, by path."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    return {operation.path: operation for operation in found}


def statuses_of(operation: Any, mode: GenerationMode, key: str) -> set[int]:
    """Sends generated requests with a key and checks every answer against the description; the statuses that came."""
    statuses = set()

    @settings(max_examples=15, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode))
    def answers(case: Any) -> None:
        response = case.call_and_validate(headers={"X-API-Key": key}, checks=[CHECKS.get_one(name) for name in TRUE])
        statuses.add(response.status_code)

    answers()
    return statuses
