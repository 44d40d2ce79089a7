"""The ingestion layer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pulumi

from components.application import Application, ApplicationArgs
from components.contracts import Broker, HttpService, Lake, Network
from components.ingestion.clinical_mq import ClinicalMq, ClinicalMqArgs
from components.ingestion.settings import IngestionSettings
from components.layer import Layer, child_of
from components.service import Limits, Port

GATEWAY_PORT, MLLP_PORT = 8000, 2575
BUFFERS_MB = 128
MEGABYTE = 1024 * 1024
Make = Callable[..., ApplicationArgs]


class Ingestion(Layer):
    """Gateway, queue and laboratory processor; the consumer that fills the bronze zone; and the simulated patients.

    Outputs: `gateway` (HttpService).
    """

    gateway: HttpService

    def __init__(self, name: str, settings: IngestionSettings, *, network: Network, broker: Broker, lake: Lake,
                 opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Ingestion", name, settings, opts)
        here, address = child_of(self), self.scope.platform.bind_address
        mq = ClinicalMq("clinical-mq", ClinicalMqArgs(
            scope=self.scope, network=network, port=settings.port("clinical-mq"),
            passwords={user: settings.secret(f"mq-{user}") for user in ("gateway", "lab-processor", "monitor")}), here)

        make: Make = partial(ApplicationArgs, scope=self.scope, network=network, image="ingestion")
        Application("KafkaConsumer", "kafka-consumer", consumer(make, settings, broker, lake), here)
        Application("LabResultsProcessor", "lab-results-processor", lab_processor(make, settings, broker, mq), here)
        gateway = Application("ClinicalDataGateway", "clinical-data-gateway", data_gateway(make, settings, broker, mq), here)
        Application("KafkaProducer", "kafka-producer", producer(make, settings, broker), here)
        Application("ClinicalDataGenerator", "clinical-data-generator", generator(make, settings, gateway), here)

        self.gateway = HttpService(
            name="clinical-data-gateway", host=gateway.service.host, port=GATEWAY_PORT, page=True, health_path="/health",
            url=f"http://{address}:{settings.port('clinical-data-gateway')}/docs", ready=gateway.service.ready)
        self.finish({"gateway": self.gateway.url}, pages=(self.gateway, mq.page))


def consumer(make: Make, settings: IngestionSettings, broker: Broker, lake: Lake) -> ApplicationArgs:
    """Every topic to the bronze zone."""
    user = lake.users["kafka-consumer"]
    return make(
        module="applications.ingestion.consumer",
        environment={"kafka_bootstrap": broker.bootstrap, "s3_endpoint": lake.store.endpoint, "s3_region": lake.store.region,
                     "lake_user": user.access_key, "bucket": lake.buckets["bronze"].name,
                     "flush_seconds": str(settings.bronze_flush_seconds), "max_memory_bytes": str(BUFFERS_MB * MEGABYTE)},
        secrets={"lake_secret_key": user.secret_key},
        limits=Limits(memory_mb=BUFFERS_MB * 3 + 256), stop_grace_seconds=60, after=[*broker.ready, *user.ready])


def lab_processor(make: Make, settings: IngestionSettings, broker: Broker, mq: ClinicalMq) -> ApplicationArgs:
    """Laboratory results from the queue to Kafka: canonical, flagged, critical ones as alerts."""
    return make(
        module="applications.ingestion.labs",
        environment={"kafka_bootstrap": broker.bootstrap, "amqp_host": mq.host, "amqp_user": "lab-processor"},
        secrets={"amqp_password": settings.secret("mq-lab-processor")},
        limits=Limits(memory_mb=256), after=[*broker.ready, *mq.ready])


def data_gateway(make: Make, settings: IngestionSettings, broker: Broker, mq: ClinicalMq) -> ApplicationArgs:
    """The door: FHIR, HL7 and native events from outside."""
    keys = {client: settings.secret(f"gateway-key-{client}") for client in ("generator", "site")}
    return make(
        module="applications.ingestion.gateway",
        environment={"kafka_bootstrap": broker.bootstrap, "amqp_host": mq.host, "amqp_user": "gateway",
                     "http_port": str(GATEWAY_PORT), "mllp_port": str(MLLP_PORT), "rate_per_second": str(settings.gateway_rate),
                     "max_body_bytes": str(settings.gateway_max_body_kb * 1024)},
        secrets={"amqp_password": settings.secret("mq-gateway"),
                 "api_keys": pulumi.Output.all(**keys).apply(lambda found: "".join(f"{k}:{v}\n" for k, v in found.items()))},
        volumes={"data": "/data"},
        ports=[Port(inside=GATEWAY_PORT, outside=settings.port("clinical-data-gateway")),
               Port(inside=MLLP_PORT, outside=settings.port("gateway-mllp"))],
        health_port=GATEWAY_PORT, limits=Limits(memory_mb=512, cpus=1.5), after=[*broker.ready, *mq.ready])


def producer(make: Make, settings: IngestionSettings, broker: Broker) -> ApplicationArgs:
    """Simulated patients whose events go straight to Kafka."""
    return make(
        module="applications.ingestion.producer",
        environment={"kafka_bootstrap": broker.bootstrap, "rate": str(settings.producer_rate),
                     "history_days": str(settings.simulated_history_days),
                     "vitals_minutes": str(settings.simulated_history_vitals_minutes), **simulation(settings)},
        volumes={"data": "/data"}, limits=Limits(memory_mb=512), after=broker.ready)


def generator(make: Make, settings: IngestionSettings, gateway: Application) -> ApplicationArgs:
    """Simulated sites that send FHIR, HL7 and native events through the gateway."""
    host = gateway.service.host
    return make(
        module="applications.ingestion.generator",
        environment={"gateway_url": f"http://{host}:{GATEWAY_PORT}", "mllp_host": host, "mllp_port": str(MLLP_PORT),
                     "rate": str(settings.generator_rate), **simulation(settings)},
        secrets={"api_key": settings.secret("gateway-key-generator")},
        volumes={"data": "/data"}, limits=Limits(memory_mb=384), after=gateway.service.ready)


def simulation(settings: IngestionSettings) -> dict[str, str]:
    """The settings of the simulated patients that both senders share."""
    return {"seed": str(settings.simulation_seed), "patients": str(settings.simulated_patients),
            "shift": str(settings.simulated_shift),
            **{name: str(share) for name, share in settings.shares().items()}}
