"""The OpenAPI description is true: no generated request, valid or not, is answered with anything that it does not say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from schemathesis import GenerationMode

from tests.unit.ml.serving_fakes import KEY, Serving, run, serving
from tests.unit.openapi import operations_of, statuses_of

POSITIVE, NEGATIVE = GenerationMode.POSITIVE, GenerationMode.NEGATIVE


@pytest.fixture(scope="module")
def operations() -> Iterator[dict[str, Any]]:
    """The described operations, by path, of a serving that is ready and takes any share of unknown features."""
    one = Serving(max_missing_share=1)
    yield operations_of(one.app)
    one.predictions.close()


@pytest.mark.parametrize(("path", "mode"), [
    *((path, mode) for path in ("/v1/predict", "/v1/predict/batch") for mode in (POSITIVE, NEGATIVE)),
    *((path, POSITIVE) for path in ("/v1/model", "/health", "/ready", "/metrics"))])
def test_answers_are_as_described(operations: dict[str, Any], path: str, mode: GenerationMode) -> None:
    statuses = statuses_of(operations[path], mode, KEY)
    assert statuses
    if mode is POSITIVE:
        assert statuses <= {200, 404}, "what is valid by the description is taken"
    else:
        # Not all: a wrong instance of a batch is an error inside of 200, and a stray header is passed over.
        assert statuses & {400, 422}


def test_every_status_of_the_contract_is_described() -> None:
    async def scenario() -> None:
        async with serving() as one:
            paths = (await one.client.get("/openapi.json")).json()["paths"]
            single = paths["/v1/predict"]["post"]["responses"]
            batch = paths["/v1/predict/batch"]["post"]["responses"]
            assert {"200", "400", "401", "403", "404", "408", "409", "413", "415", "422", "500", "503"} == single.keys()
            assert single.keys() - batch.keys() == {"404", "409"}
            assert "Retry-After" in single["503"]["headers"] and "Retry-After" in batch["503"]["headers"]

    run(scenario())


def test_the_page_works_without_the_internet() -> None:
    async def scenario() -> None:
        async with serving() as one:
            page = await one.client.get("/docs")
            assert page.status_code == 200 and page.headers["Content-Type"].startswith("text/html")
            for path in ("/v1/predict", "/v1/predict/batch", "/v1/model", "/ready"):
                assert path in page.text
            assert "<script" not in page.text and "http://" not in page.text and "https://" not in page.text
            assert "not for clinical use" in page.text

    run(scenario())
