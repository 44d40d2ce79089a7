"""The log-shipper with real containers and a real OpenSearch: nothing lost, nothing twice, nothing of others, no secret."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from docker.models.containers import Container

from components.application import MONITOR_PORT
from components.service import Health
from operations.images import connect
from tests.images.boxes import Boxes, until
from tests.images.log_boxes import CANARIES, TELLING, TOLD, count, documents, healthy, printer, search_server, shipper, wait_healthy
from tests.images.test_hardened import address, http

LINES = 60_000
"""More than two of Docker's log files hold, so that they are rotated, and less than the three that are kept."""
FLOOD = """for ((i = 0; i < 60000; i++)); do
  echo '{"event": "flood", "n": '$i', "filler": "some words of a line of a usual length, and some more of them, and more"}'
  if ((i % 600 == 0)); then sleep 0.3; fi
done; sleep infinity"""
LEAVING = "trap 'echo last words; exit 0' TERM; echo begun; while :; do sleep 0.1; done"
HEALTH = Health.http(MONITOR_PORT, "/health")


@dataclass
class Place:
    """A stack of logs: its store, its network, and the shipper's image and state."""

    boxes: Boxes
    server: Container
    network: str
    tag: str
    state: str

    def shipper(self) -> Container:
        """A shipper on the state."""
        found = shipper(self.boxes, self.tag, self.network, self.state)
        until(lambda: healthy(found, HEALTH), "the shipper is healthy", found)
        return found


@pytest.fixture(scope="module")
def place(image: Callable[[str], str]) -> Iterator[Place]:
    """An empty store."""
    client = connect()
    boxes = Boxes(client, prefix=f"images-test-shipper-{os.getpid()}")
    try:
        network = boxes.network()
        yield Place(boxes, search_server(boxes, image("opensearch"), network), network, image("log-shipper"), boxes.volume())
    finally:
        boxes.clean()
        client.close()


def numbers(server: Container, service: str) -> list[int]:
    """The numbers of the flood's lines in the store."""
    return [int(found["fields"]["n"]) for found in documents(server, service)]


def test_a_flood_arrives_once_though_the_store_and_the_shipper_are_killed(place: Place) -> None:
    found = place.shipper()
    source = printer(place.boxes, place.tag, FLOOD, "flood")
    until(lambda: count(place.server, "flood") > LINES // 10, "the flood arrives", found)
    place.server.kill("SIGKILL")
    found.kill("SIGKILL")
    found.start()
    until(lambda: source.logs(tail=1).decode().find(f'"n": {LINES - 1},') > 0, "the flood is over", source)
    assert healthy(found, HEALTH), "an OpenSearch that is away makes no shipper ill"
    waiting = dict(line.split(" ") for line in http(f"http://{address(found)}:{MONITOR_PORT}/metrics")[1].splitlines()
                   if line.startswith("log_shipper_queue_bytes"))
    assert float(waiting["log_shipper_queue_bytes"]) > 0
    place.server.start()
    wait_healthy(place.server)
    until(lambda: count(place.server, "flood") >= LINES, "every line arrived", found)
    found.stop(timeout=20)
    assert found.wait()["StatusCode"] == 0
    found.start()
    until(lambda: healthy(found, HEALTH), "the shipper is healthy again", found)
    assert sorted(numbers(place.server, "flood")) == list(range(LINES))


def test_no_secret_and_no_patient_arrives(place: Place) -> None:
    place.shipper()
    printer(place.boxes, place.tag, TELLING, "telling")
    until(lambda: count(place.server, "telling") == TOLD, "all lines arrived")
    found = documents(place.server, "telling")
    assert [line for line in found if any(canary in json.dumps(line) for canary in CANARIES)] == []
    assert (found[0]["event"], found[0]["trace"], found[0]["layer"]) == ("logged-in", "4f1c", "ingestion")
    assert (found[-1]["level"], found[-1]["message"]) == ("warning", "WARN the last line")


def test_the_last_words_of_a_removed_container_arrive_and_nothing_of_another_stack(place: Place) -> None:
    place.shipper()
    printer(place.boxes, place.tag, "echo of another stack; sleep infinity", "foreign", stack="other")
    leaving = printer(place.boxes, place.tag, LEAVING, "leaving")
    until(lambda: count(place.server, "leaving") == 1, "its first line arrived")
    leaving.stop(timeout=10)
    leaving.remove()
    until(lambda: count(place.server, "leaving") == 2, "its last line arrived")
    assert documents(place.server, "leaving")[-1]["message"] == "last words"
    assert count(place.server, "foreign") == 0
