"""OpenSearch, the log-shipper and a container that prints, as the platform runs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx
from docker.models.containers import Container
from docker.types import LogConfig

from components.observability import log_shipper, opensearch
from components.service import CONTAINER_LOGS, LOG_OPTIONS, Health
from tests.images.boxes import Boxes, run, until
from tests.images.test_hardened import address

HEAP_MB = 384
USER = "1000:1000"
STACK = "images"
PAGE = 10_000
CANARIES = ("s3cr3t-canary", "Jane", "Roe", "PT0A1B2C3D", "1950-01-02", "19500102", "jane.roe@example.org")
TELLING = """cat << 'END'
{"event": "logged-in", "password": "s3cr3t-canary", "patient": "Jane Roe", "note": "to jane.roe@example.org", "request_id": "4f1c"}
connecting to postgresql://app:s3cr3t-canary@postgres:5432/app
PID|1||PT0A1B2C3D||ROE^Jane||19500102|F
{"resourceType": "Patient", "name": [{"family": "Roe", "given": ["Jane"]}], "birthDate": "1950-01-02"}
WARN the last line
END
sleep infinity"""
TOLD = len(TELLING.splitlines()) - 3
"""Lines that the script prints."""


def search_server(boxes: Boxes, tag: str, network: str, watermarks: Mapping[str, str] | None = None,
                  data: str | None = None) -> Container:
    """An OpenSearch with the platform's files, healthy."""
    found = boxes.start(
        tag, opensearch.COMMAND, user=USER, memory=f"{HEAP_MB * 3 // 2 + 384}m", network=network, alias="opensearch",
        environment={"OPENSEARCH_JAVA_OPTS": opensearch.java_options(HEAP_MB)},
        # The image's own folder of configuration, writable as it is in the platform.
        volumes={data or boxes.volume(): "/usr/share/opensearch/data", boxes.volume(): "/usr/share/opensearch/config",
                 boxes.volume(): "/run/config"},
        files=opensearch.files("images", watermarks or opensearch.WATERMARKS))
    wait_healthy(found)
    return found


def healthy(container: Container, health: Health) -> bool:
    """Whether the platform's own check says so."""
    return run(container, *health.command)[0] == 0


def wait_healthy(server: Container) -> None:
    """Waits until OpenSearch is."""
    until(lambda: healthy(server, Health.http(opensearch.INSIDE, opensearch.HEALTHY)), "OpenSearch is healthy", server)


def url(server: Container) -> str:
    """Where the tests reach it."""
    return f"http://{address(server)}:{opensearch.INSIDE}"


def shipper(boxes: Boxes, tag: str, network: str, state: str) -> Container:
    """A log-shipper: root without a capability, with a read-only root, who sees Docker's folder of containers."""
    folder = f"{boxes.client.info()['DockerRootDir']}/containers"
    return started(
        boxes, tag, log_shipper.COMMAND, network=network, user="0:0", read_only=True, mem_limit="256m", memswap_limit="256m",
        environment={"SERVICE": "log-shipper", "LAYER": "observability", "STACK": STACK, "OPENSEARCH_URL": "http://opensearch:9200"},
        volumes={folder: {"bind": CONTAINER_LOGS, "mode": "ro"}, state: {"bind": "/state"}})


def printer(boxes: Boxes, tag: str, script: str, service: str = "printer", stack: str = STACK) -> Container:
    """A container that runs a script of Bash, with the labels and the log's options of a service."""
    labels = {"clinical.stack": stack, "clinical.layer": "ingestion", "clinical.service": service}
    return started(boxes, tag, ["bash", "-c", script], user=USER, labels=labels)


def started(boxes: Boxes, tag: str, command: Sequence[str], network: str | None = None, **more: Any) -> Container:
    """A container that `boxes` removes."""
    found = boxes.client.containers.create(
        tag, list(command[1:]), entrypoint=[command[0]], name=boxes.name(), cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"], tmpfs={"/tmp": "mode=1777"}, network=network,
        log_config=LogConfig(type="json-file", config=LOG_OPTIONS), **more)
    boxes.made.append(found)
    found.start()
    return found


def documents(server: Container, service: str, stack: str = STACK) -> list[dict[str, Any]]:
    """Every line of a service in the store, the oldest first; none while the store does not answer."""
    found: list[dict[str, Any]] = []
    after: list[Any] = []
    while True:
        body = {"size": PAGE, "query": {"term": {"service": service}}, "sort": [{"@timestamp": "asc"}],
                **({"search_after": after} if after else {})}
        answer = httpx.post(f"{url(server)}/logs-{stack}-*/_search", json=body, timeout=60)
        if answer.status_code != httpx.codes.OK or not (hits := answer.json()["hits"]["hits"]):
            return found
        found += [hit["_source"] for hit in hits]
        after = hits[-1]["sort"]


def count(server: Container, service: str, stack: str = STACK) -> int:
    """How many lines of a service the store has; 0 while it does not answer."""
    try:
        answer = httpx.post(f"{url(server)}/logs-{stack}-*/_count", json={"query": {"term": {"service": service}}}, timeout=20)
    except (httpx.HTTPError, StopIteration):
        return 0
    return int(answer.json()["count"]) if answer.status_code == httpx.codes.OK else 0
