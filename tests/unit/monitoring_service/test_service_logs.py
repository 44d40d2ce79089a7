"""The log store as the page and the metrics see it, and its retention."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from applications.monitoring.logs import index_of
from applications.monitoring.service.clients import Away
from applications.monitoring.service.log_store import LONGEST_MESSAGE, LogStore
from tests.unit.monitoring_service.json_server import serving
from tests.unit.monitoring_service.service_world import values

INDICES = "GET /_cat/indices/logs-test-*"
SEARCH = "POST /logs-test-*/_search"


def hits(*messages: str) -> dict[str, object]:
    """An answer of OpenSearch with these lines."""
    lines = [{"@timestamp": "1970-01-01T00:01:40+00:00", "layer": "ml", "service": "model-serving", "level": "error",
              "event": "fault", "message": message} for message in messages]
    return {"hits": {"hits": [{"_source": line} for line in lines]}}


def test_the_newest_errors_and_the_age_of_the_store() -> None:
    """A line that is too long for the page is cut."""
    answers = {INDICES: (200, [{"index": index_of("test", date(1970, 1, 2))}, {"index": index_of("test", date(1970, 1, 3))}]),
               SEARCH: [(200, hits("newest")), (200, hits("x" * 1000))]}
    with serving(answers) as server:
        found = LogStore(f"{server.url}/", "test", 7).measure()
    assert values(found) == {("logs_newest_timestamp_seconds",): 100, ("logs_oldest_timestamp_seconds",): 86400}
    (error,) = found.facts["errors"]
    assert (error["time"], error["service"], error["event"]) == (100, "model-serving", "fault")
    assert len(error["message"]) == LONGEST_MESSAGE


def test_an_empty_store_has_no_age() -> None:
    """As on a new platform."""
    with serving({INDICES: (200, []), SEARCH: (200, hits())}) as server:
        found = LogStore(server.url, "test", 7).measure()
    assert found.samples == [] and found.facts == {"errors": []}


def test_old_days_are_removed_and_the_template_is_seen_to_once() -> None:
    """What is within the days that logs are kept stays."""
    today = datetime.now(UTC).date()
    old, kept = index_of("test", today - timedelta(days=9)), index_of("test", today - timedelta(days=5))
    template = "PUT /_index_template/logs-test"
    with serving({INDICES: (200, [{"index": old}, {"index": kept}]), f"DELETE /{old}": (200, {}), template: (200, {})}) as server:
        store = LogStore(server.url, "test", 7)
        assert store.tidy().facts == store.tidy().facts == {"removed": [old]}
        assert len(server.of("/_index_template/logs-test")) == 1
        assert {asked.path for asked in server.asked if asked.method == "DELETE"} == {f"/{old}"}


def test_an_opensearch_that_is_away_is_told_in_words() -> None:
    """And asked again at the next time, the template first."""
    with serving({}) as server:
        store = LogStore(server.url, "test", 7)
        for ask in (store.measure, store.tidy, store.tidy):
            with pytest.raises(Away, match="OpenSearch"):
                ask()
        assert len(server.of("/_index_template/logs-test")) == 2
