"""OpenSearch's image with the platform's own files: it keeps what it took, and a full disk stops it only while it is full."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
from docker.models.containers import Container

from applications.monitoring import logs
from operations.images import connect
from tests.images.boxes import Boxes, run, until
from tests.images.log_boxes import search_server, url, wait_healthy

DISK_MB = 160


@pytest.fixture(scope="module")
def boxes() -> Iterator[Boxes]:
    """Containers that the tests of this module share."""
    client = connect()
    found = Boxes(client, prefix=f"images-test-opensearch-{os.getpid()}")
    yield found
    found.clean()
    client.close()


@pytest.fixture(scope="module")
def server(boxes: Boxes, image: Callable[[str], str]) -> Container:
    """A server with the template and no line."""
    found = search_server(boxes, image("opensearch"), boxes.network())
    logs.ensure_template(url(found), "images")
    return found


def line(number: int, **more: Any) -> dict[str, Any]:
    """A document as the shipper makes them; the nanoseconds tell its place."""
    return {"@timestamp": f"2026-11-26T10:00:00.{number:09d}Z", "stack": "images", "layer": "ml", "service": "model-serving",
            "level": "info", "message": f"line {number}", **more}


def create(server: Container, *lines: dict[str, Any], index: str = "logs-images-2026.11.26") -> list[int]:
    """Sends lines as the shipper does; the status of each."""
    pieces = [piece for found in lines for piece in ({"create": {"_index": index, "_id": found["message"]}}, found)]
    body = "\n".join([*(json.dumps(piece) for piece in pieces), ""])
    kind = {"Content-Type": "application/x-ndjson"}
    answer = httpx.post(f"{url(server)}/_bulk?refresh=true", content=body, headers=kind, timeout=60)
    answer.raise_for_status()
    return [item["create"]["status"] for item in answer.json()["items"]]


def test_lines_are_found_by_all_that_they_say_in_their_order(server: Container) -> None:
    lines = [line(1), line(2, level="error", trace="4f1c", event="refused", fields={"reason": "unit", "count": "3"}), line(3)]
    assert create(server, *reversed(lines)) == [201, 201, 201]
    assert create(server, *lines) == [409, 409, 409], "a line that is sent again is no second line"
    found = logs.search(url(server), "images", levels=())
    assert [entry.message for entry in found] == ["line 3", "line 2", "line 1"]
    [error] = logs.search(url(server), "images", trace="4f1c", text="line", layer="ml", since=datetime(2026, 11, 26, tzinfo=UTC))
    assert (error.event, error.level, error.fields) == ("refused", "error", {"reason": "unit", "count": "3"})
    query = {"query": {"term": {"fields.reason": "unit"}}}
    assert httpx.post(f"{url(server)}/logs-images-*/_count", json=query).json()["count"] == 1
    assert logs.newest(url(server), "images") == found[0].time


def test_days_go_one_by_one_and_never_by_a_pattern(server: Container) -> None:
    create(server, line(4), index="logs-images-2026.11.01")
    assert logs.oldest_day(url(server), "images") == date(2026, 11, 1)
    assert logs.prune(url(server), "images", 7, date(2026, 11, 26)) == ["logs-images-2026.11.01"]
    assert logs.prune(url(server), "images", 7, date(2026, 11, 26)) == []
    assert httpx.delete(f"{url(server)}/logs-*").status_code == 400


def test_an_unexpected_field_does_not_become_one_of_the_index(server: Container) -> None:
    create(server, line(5, surprise={"deep": 1}), index="logs-images-2026.11.20")
    mapping = httpx.get(f"{url(server)}/logs-images-2026.11.20/_mapping").json()["logs-images-2026.11.20"]["mappings"]
    assert set(mapping["properties"]) == set(logs.MAPPINGS["properties"])


def test_what_was_taken_survives_a_kill_and_a_stop(server: Container) -> None:
    create(server, *(line(number) for number in range(100, 200)))
    before = len(logs.search(url(server), "images", levels=(), size=500))
    server.kill("SIGKILL")
    server.start()
    wait_healthy(server)
    assert len(logs.search(url(server), "images", levels=(), size=500)) == before
    server.stop(timeout=60)
    assert server.wait()["StatusCode"] == 143, "Java's status for a stop that was asked for"
    server.start()
    wait_healthy(server)
    assert len(logs.search(url(server), "images", levels=(), size=500)) == before


def test_a_full_disk_refuses_lines_and_takes_them_once_there_is_space(boxes: Boxes, image: Callable[[str], str]) -> None:
    disk = boxes.client.volumes.create(boxes.name(), driver="local", driver_opts={
        "type": "tmpfs", "device": "tmpfs", "o": f"size={DISK_MB}m,uid=1000,mode=0755"})
    boxes.made.append(disk)
    server = search_server(boxes, image("opensearch"), boxes.network(), data=str(disk.name),
                           watermarks={"low": "50mb", "high": "40mb", "flood_stage": "30mb"})
    settings = {"transient": {"cluster.info.update.interval": "10s"}}
    assert httpx.put(f"{url(server)}/_cluster/settings", json=settings).status_code == 200
    logs.ensure_template(url(server), "images")
    assert create(server, line(1)) == [201]
    filler = "/usr/share/opensearch/data/filler"
    assert run(server, "bash", "-c", f"head -c {(DISK_MB - 20) * 1024 * 1024} /dev/zero > {filler}")[0] == 0
    numbers = iter(range(2, 10_000))
    until(lambda: create(server, line(next(numbers))) == [429], "a full disk refuses lines", server)
    assert run(server, "rm", filler)[0] == 0
    until(lambda: create(server, line(next(numbers))) == [201], "lines are taken again", server)
