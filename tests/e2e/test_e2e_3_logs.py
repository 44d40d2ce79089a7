"""Rule: every line of every service is in the log store once, and without secrets and patients, whatever is away meanwhile."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest
from docker.models.containers import Container
from docker.types import LogConfig

from applications.monitoring import logs
from components.service import LOG_OPTIONS
from tests.e2e.flow import healthy, wait_until
from tests.e2e.stack import IMAGE_LABEL, Stack
from tests.images.log_boxes import CANARIES, TELLING, TOLD, count, documents, url

AWAY_SECONDS = 60
LINES = 20_000
UNDER_LOAD = """for ((i = 0; i < 20000; i++)); do
  echo '{"event": "marker", "level": "info", "n": '$i'}'
  if ((i % 20 == 0)); then sleep 0.1; fi
done"""
"""Some 200 lines a second, for longer than the store is away."""

Printer = Callable[[str, str], Container]


@pytest.fixture
def printer(platform: Stack) -> Iterator[Printer]:
    """Runs a script in a container of the stack that is none of its services."""
    made: list[Container] = []

    def run(service: str, script: str) -> Container:
        image = platform.containers()["log-shipper"].image
        assert image is not None
        labels = {"clinical.stack": platform.name, "clinical.layer": "observability", "clinical.service": service}
        made.append(platform.client.containers.run(
            image.id, ["-c", script], entrypoint="bash", name=platform.named(service), labels={**labels, IMAGE_LABEL: "printer"},
            cap_drop=["ALL"], network_mode="none", detach=True, log_config=LogConfig(type="json-file", config=LOG_OPTIONS)))
        return made[-1]

    yield run
    for container in made:
        container.remove(force=True)


@pytest.fixture
def store(platform: Stack) -> Container:
    """The stack's OpenSearch."""
    return platform.containers()["opensearch"]


def test_every_service_that_prints_is_in_the_store(platform: Stack, store: Container) -> None:
    """With the layer and the service of its container."""
    layers = {service: container.labels["clinical.layer"] for service, container in platform.containers().items()
              if container.logs(tail=1)}
    wait_until("lines of every service", lambda: all(count(store, service, platform.name) for service in layers))
    for service, layer in layers.items():
        [line] = logs.search(url(store), platform.name, levels=(), service=service, size=1)
        assert (line.service, line.layer) == (service, layer)


def test_lines_of_our_services_keep_their_event(platform: Stack, store: Container) -> None:
    """What they print as JSON is found by its fields."""
    found = [line for service in ("kafka-consumer", "clinical-data-gateway", "log-shipper")
             for line in logs.search(url(store), platform.name, levels=(), service=service)]
    assert found and any(line.event for line in found)


def test_a_store_that_is_away_for_a_minute_loses_no_line(platform: Stack, store: Container, printer: Printer) -> None:
    """Nor does a line come twice."""
    source = printer("log-marker", UNDER_LOAD)
    wait_until("the first lines arrive", lambda: count(store, "log-marker", platform.name) > 0)
    store.kill()
    time.sleep(AWAY_SECONDS)
    source.reload()
    assert source.status == "running", "the load must outlast the outage"
    store.start()
    wait_until("all services are healthy", lambda: healthy(platform))
    wait_until("all lines arrive", lambda: count(store, "log-marker", platform.name) >= LINES)
    found = documents(store, "log-marker", platform.name)
    assert sorted(int(line["fields"]["n"]) for line in found) == list(range(LINES))


def test_no_secret_and_no_patient_gets_into_the_store(platform: Stack, store: Container, printer: Printer) -> None:
    """Of any form that a line may have them in; and none of the stack's own secrets is in any line."""
    printer("log-canary", TELLING)
    wait_until("the lines arrive", lambda: count(store, "log-canary", platform.name) == TOLD)
    assert [line for line in documents(store, "log-canary", platform.name)
            if any(canary in json.dumps(line) for canary in CANARIES)] == []
    for name, secret in platform.secrets.items():
        assert logs.search(url(store), platform.name, levels=(), text=secret) == [], f"the secret {name} is in the log store"
