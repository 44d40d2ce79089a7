"""The OpenAPI description is true: no generated request, valid or not, is answered with anything that it does not say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from schemathesis import GenerationMode

from applications.ingestion.gateway.app import create_app
from applications.ingestion.gateway.door import Door
from applications.ingestion.gateway.health import Health
from applications.ingestion.gateway.intake import Intake
from applications.ingestion.gateway.ledger import Ledger
from applications.ingestion.gateway.limits import Held, Rate
from applications.runtime.api_keys import ApiKeys
from tests.unit.ingestion.gateway_fakes import KEY, FakeWay, gateway, run
from tests.unit.openapi import operations_of, statuses_of

# None of the checks says that every event valid by its schema is taken. Rules over several fields (a unit that goes with its
# code, say) are not in a schema.


@schemathesis.serializer("application/hl7-v2", "application/x-ndjson")
def as_it_is(_: schemathesis.SerializationContext, value: Any) -> bytes:
    """The bytes of a body that is no JSON document."""
    raw = getattr(value, "data", value)
    return raw if isinstance(raw, bytes) else str(raw).encode(errors="surrogatepass")


@pytest.fixture(scope="module")
def operations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The described operations, by path, of a gateway whose brokers confirm all."""
    ledger = Ledger(tmp_path_factory.mktemp("openapi") / "ledger.sqlite")
    kafka, queue = FakeWay(), FakeWay()
    door = Door(Intake(kafka, queue, ledger, 5), ApiKeys(f"ward:{KEY}"), Rate(1e6, 1_000_000), Held(10_000_000), 100_000, 5)
    yield operations_of(create_app(door, Health({"kafka": kafka})))


@pytest.mark.parametrize(("path", "mode"), [
    *((path, mode) for path in ("/events", "/fhir", "/hl7") for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)),
    *((path, GenerationMode.POSITIVE) for path in ("/health", "/live", "/metrics"))])
def test_answers_are_as_described(operations: dict[str, Any], path: str, mode: GenerationMode) -> None:
    statuses = statuses_of(operations[path], mode, KEY)
    assert statuses


def test_every_status_of_the_contract_is_described(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            paths = (await door.client.get("/openapi.json")).json()["paths"]
            for path in ("/events", "/fhir", "/hl7"):
                answers = paths[path]["post"]["responses"]
                assert {"200", "202", "400", "401", "403", "413", "415", "422", "429", "503"} <= answers.keys()
                for status in ("429", "503"):
                    assert "Retry-After" in answers[status]["headers"]

    run(scenario())


def test_the_page_works_without_the_internet(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            page = await door.client.get("/docs")
            assert page.status_code == 200 and page.headers["Content-Type"].startswith("text/html")
            for path in ("/events", "/fhir", "/hl7", "/health"):
                assert path in page.text
            assert "<script" not in page.text and "http://" not in page.text and "https://" not in page.text

    run(scenario())
