"""Questions to the log store: exactly this stack's indices, exactly the days that are too old, and words instead of traces."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from applications.monitoring import logs

URL = "http://opensearch:9200"
Answers = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[httpx.Request]:
    """Requests that were made. The store has indices of two stacks, and one line."""
    found: list[httpx.Request] = []
    names = ["logs-dev-2026.11.17", "logs-dev-2026.11.18", "logs-dev-2026.11.19", "logs-dev-2-2026.01.01", "logs-dev-other"]
    line = {"@timestamp": "2026-11-26T10:00:00.123456789Z", "stack": "dev", "layer": "ml", "service": "model-serving",
            "level": "error", "message": "no-champion tries=3", "event": "no-champion", "fields": {"tries": "3"}}

    def answer(request: httpx.Request) -> httpx.Response:
        found.append(request)
        if request.url.path.startswith("/_cat"):
            return httpx.Response(200, json=[{"index": name} for name in names])
        return httpx.Response(200, json={"hits": {"hits": [{"_source": line}]}})

    serve(monkeypatch, answer)
    return found


def serve(monkeypatch: pytest.MonkeyPatch, answer: Answers) -> None:
    """Lets `answer` be OpenSearch."""

    def request(method: str, url: str, **more: Any) -> httpx.Response:
        with httpx.Client(transport=httpx.MockTransport(answer)) as client:
            return client.request(method, url, **more)

    monkeypatch.setattr(httpx, "request", request)


def test_days_beyond_the_limit_go_and_no_other_stack_loses_any(asked: list[httpx.Request]) -> None:
    assert logs.prune(URL, "dev", 7, date(2026, 11, 26)) == ["logs-dev-2026.11.17", "logs-dev-2026.11.18"]
    assert [str(request.url) for request in asked if request.method == "DELETE"] == [
        f"{URL}/logs-dev-2026.11.17", f"{URL}/logs-dev-2026.11.18"]


def test_the_oldest_day_and_the_newest_line_are_found(asked: list[httpx.Request]) -> None:
    assert logs.oldest_day(URL, "dev") == date(2026, 11, 17)
    assert logs.newest(URL, "dev") == datetime(2026, 11, 26, 10, 0, 0, 123456, UTC)


def test_a_search_asks_for_all_that_is_given(asked: list[httpx.Request]) -> None:
    since = datetime(2026, 11, 26, 9, tzinfo=UTC)
    [line] = logs.search(URL, "dev", service="model-serving", text="no champion", trace="4f", since=since, size=5)
    assert (line.event, line.level, line.fields, line.trace) == ("no-champion", "error", {"tries": "3"}, None)
    body = json.loads(asked[0].content)
    assert asked[0].url.path == "/logs-dev-*/_search" and body["size"] == 5
    assert body["query"]["bool"]["filter"] == [
        {"term": {"service": "model-serving"}}, {"term": {"trace": "4f"}}, {"terms": {"level": ["error", "critical"]}},
        {"range": {"@timestamp": {"gte": "2026-11-26T09:00:00+00:00"}}},
        {"match": {"message": {"query": "no champion", "operator": "and"}}}]


def test_an_index_that_went_meanwhile_is_none_to_remove(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, lambda request: httpx.Response(404 if request.method == "DELETE" else 200,
                                                      json=[{"index": "logs-dev-2026.01.01"}]))
    assert logs.prune(URL, "dev", 7, date(2026, 11, 26)) == ["logs-dev-2026.01.01"]


@pytest.mark.parametrize("status", [400, 404, 429, 503])
def test_a_refusal_is_told_without_what_it_quotes(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    serve(monkeypatch, lambda request: httpx.Response(status, json={"error": "canary"}))
    with pytest.raises(logs.LogStoreError, match=str(status)) as error:
        logs.search(URL, "dev")
    assert "canary" not in str(error.value)


def test_a_store_that_is_away_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    serve(monkeypatch, away)
    with pytest.raises(logs.LogStoreError, match="does not answer"):
        logs.ensure_template(URL, "dev")
