"""Probes of the ingestion layer, and its own commands: the producer's rate, and the topics."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any

import requests
import typer
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, OffsetSpec, ResourceType  # type: ignore[attr-defined]
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from components.infrastructure.settings import InfrastructureSettings
from components.ingestion.layer import GATEWAY_PORT
from components.ingestion.settings import IngestionSettings
from components.settings import NAMESPACE, Settings
from operations import inside
from operations.faults import OperationError
from operations.lake.offsets import GROUP
from operations.options import DEFAULT_STACK, DryRun, Json, StackName
from operations.probes import Probe
from operations.running import settings_while_running
from operations.showing import say, show, show_facts
from operations.stack import apply, configure, open_stack, settings_with

SECONDS = 5
TOPIC_SECONDS = 15
PRODUCER, RATE = "kafka-producer", f"{NAMESPACE}:producerRate"
TOPIC_COLUMNS = {"topic": "topic", "partitions": "partitions", "copies": "copies", "in_step": "in step", "days": "days kept",
                 "records": "records", "lag": "not in bronze yet"}


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


def producer_state(settings: Settings) -> dict[str, Any]:
    """What kafka-producer says of itself: rates in messages a second, and messages since it started."""
    container = f"{settings.catalog.project}-{settings.of(IngestionSettings).stack}-{PRODUCER}"
    try:
        status, body = inside.get(container, "/metrics")
    except RuntimeError as error:
        raise OperationError(f"{PRODUCER}: {error}; `./pipeline ingestion start` brings it back, `./pipeline ingestion logs "
                             f"{PRODUCER}` says more") from None
    if status != requests.codes.ok:
        raise OperationError(f"{PRODUCER} answers {status}; look at `./pipeline ingestion logs {PRODUCER}`")
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(body):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0) + sample.value
    return {"wanted_rate": found.get("producer_target_rate", 0.0), "rate": round(found.get("producer_rate", 0.0), 1),
            "history_sent": found.get("producer_history_done") == 1, "sent": int(found.get("producer_sent_total", 0)),
            "confirmed": int(found.get("producer_confirmed_total", 0)), "unconfirmed": int(found.get("producer_unconfirmed", 0)),
            "failed_deliveries": int(found.get("producer_failed_total", 0))}


def set_rate(name: str, rate: float, dry_run: bool) -> None:
    """Writes the producer's rate into the configuration and brings the stack there. Raises SettingsError for a wrong one."""
    stack = open_stack(name)
    before = settings_with(stack, {}).of(IngestionSettings).producer_rate
    settings_with(stack, {RATE: f"{rate:g}"})
    if dry_run:
        say(f"would change {RATE} from {before:g} to {rate:g}, which gives {PRODUCER} a new container")
        return
    configure(stack, RATE, f"{rate:g}")
    apply(stack, Console(stderr=True, soft_wrap=True))


def topic_rows(client: AdminClient) -> list[dict[str, Any]]:
    """Each topic with its partitions, copies, retention, records and what kafka-consumer has not stored. Raises KafkaException."""
    topics = {name: topic for name, topic in client.list_topics(timeout=TOPIC_SECONDS).topics.items() if not name.startswith("__")}
    places = [TopicPartition(name, number) for name, topic in topics.items() for number in topic.partitions]
    first, last = (client.list_offsets({place: which for place in places}, request_timeout=TOPIC_SECONDS)
                   for which in (OffsetSpec.earliest(), OffsetSpec.latest()))  # type: ignore[no-untyped-call]
    ends = {(place.topic, place.partition): future.result().offset for place, future in last.items()}
    begins = {(place.topic, place.partition): future.result().offset for place, future in first.items()}
    stored = stored_offsets(client)
    kept = client.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in topics], request_timeout=TOPIC_SECONDS)
    days = {resource.name: days_kept(future.result()) for resource, future in kept.items()}
    rows = []
    for name, topic in sorted(topics.items()):
        own = [(name, number) for number in topic.partitions]
        behind = [ends[place] - max(stored.get(place, 0), begins[place]) for place in own]
        rows.append({"topic": name, "partitions": len(own), "copies": min(len(p.replicas) for p in topic.partitions.values()),
                     "in_step": all(len(p.isrs) == len(p.replicas) for p in topic.partitions.values()), "days": days[name],
                     "records": sum(ends[place] - begins[place] for place in own), "lag": sum(behind)})
    return rows


def stored_offsets(client: AdminClient) -> dict[tuple[str, int], int]:
    """Up to where kafka-consumer has stored each partition that it has begun."""
    answers = client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(GROUP)], request_timeout=TOPIC_SECONDS)
    try:
        found = answers[GROUP].result().topic_partitions
    except KafkaException as error:
        if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
            return {}
        raise
    return {(place.topic, place.partition): place.offset for place in found if place.offset >= 0}


def days_kept(config: dict[str, Any]) -> float | None:
    """A topic's retention in days; None for one that is compacted or keeps everything."""
    milliseconds = int(config["retention.ms"].value)
    return None if "delete" not in config["cleanup.policy"].value or milliseconds < 0 else milliseconds / 86_400_000


def add_commands(group: typer.Typer) -> None:
    """Adds producer and topics."""

    @group.command()
    def producer(stack: StackName = DEFAULT_STACK,
                 rate: Annotated[float | None, typer.Option(help="Messages a second from now on; written into the configuration.")]
                 = None, dry_run: DryRun = False, as_data: Json = False) -> None:
        """How fast the simulated patients' events come; with --rate, changes that."""
        settings = settings_while_running(IngestionSettings, stack)
        if rate is not None:
            set_rate(stack, rate, dry_run)
        else:
            show_facts(producer_state(settings), as_data=as_data)

    @group.command()
    def topics(stack: StackName = DEFAULT_STACK, as_data: Json = False) -> None:
        """The topics: partitions, copies, how long records are kept, how many there are, and what is not in bronze yet."""
        settings = settings_while_running(InfrastructureSettings, stack)
        address = f"{settings.platform.bind_address}:{settings.of(InfrastructureSettings).port('kafka')}"
        client = AdminClient({"bootstrap.servers": address, "socket.timeout.ms": TOPIC_SECONDS * 1000, "log_level": 0})
        try:
            show(topic_rows(client), TOPIC_COLUMNS, as_data=as_data, nothing="no topic is there; `./pipeline infrastructure init`")
        except KafkaException as error:
            raise OperationError(f"Kafka does not answer on {address} ({error.args[0].str()}); `./pipeline infrastructure health "
                                 f"--stack {stack}` says more") from None
