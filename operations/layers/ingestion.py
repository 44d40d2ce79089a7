"""Probes of the ingestion layer."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import requests

from components.ingestion.layer import GATEWAY_PORT
from components.ingestion.settings import IngestionSettings
from components.settings import Settings
from operations import inside
from operations.probes import Probe

SECONDS = 5


def probes(settings: Settings) -> Iterator[Probe]:
    """One probe a service: the queue through its management interface, our own services through what they say of themselves."""
    layer, address = settings.of(IngestionSettings), settings.platform.bind_address
    yield Probe("clinical-mq", partial(queues, f"http://{address}:{layer.port('clinical-mq')}",
                                       settings.platform.secrets["mq-monitor"]))
    for service in ("kafka-consumer", "lab-results-processor", "clinical-data-gateway", "kafka-producer",
                    "clinical-data-generator"):
        container = f"{settings.catalog.project}-{layer.stack}-{service}"
        port = GATEWAY_PORT if service == "clinical-data-gateway" else inside.MONITOR_PORT
        yield Probe(service, partial(inside.health, container, port))


def queues(url: str, password: str) -> str:
    """The queues with what waits in them. Raises RuntimeError for a queue that nobody consumes."""
    answer = requests.get(f"{url}/api/queues", auth=("monitor", password), timeout=SECONDS)
    answer.raise_for_status()
    found = {queue["name"]: queue for queue in answer.json()}
    if not found:
        raise RuntimeError("there are no queues; `./pipeline ingestion start-force` loads the definitions again")
    lonely = [name for name, queue in found.items() if not queue.get("consumers")]
    if lonely:
        raise RuntimeError(f"nobody consumes {', '.join(sorted(lonely))}; look at `./pipeline ingestion logs`")
    return ", ".join(f"{name} {queue.get('messages', 0)}" for name, queue in sorted(found.items()))
