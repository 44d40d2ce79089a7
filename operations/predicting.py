"""A prediction, asked for as a client of the platform asks: `./pipeline ml predict`."""

from __future__ import annotations

from typing import Any

import orjson
import requests
from confluent_kafka import Consumer, KafkaException, TopicPartition

from components.infrastructure.settings import InfrastructureSettings
from components.ml.settings import MlSettings
from components.settings import Settings
from operations.faults import OperationError

CLIENT = "clinic"
TOPIC = "patient-vitals"
SECONDS, KAFKA_SECONDS = 10, 15
LATEST, MOST_PATIENTS = 500, 50
"""How many of the latest records of a partition are read for patients, and how many of these are asked about at the most."""


def predict(settings: Settings, stack: str, patient: str | None) -> dict[str, Any]:
    """The prediction for a patient, or for one of those measured last whose features are known. Raises OperationError with what
    serving says where there is none."""
    layer = settings.of(MlSettings)
    url = f"http://{settings.platform.bind_address}:{layer.port('model-serving')}/v1/predict"
    key = settings.platform.secrets[f"serving-key-{CLIENT}"]
    refusal = f"nobody was measured yet: `./pipeline ingestion producer --stack {stack}` says whether patients are sent"
    for one in [patient] if patient else measured_last(settings, stack):
        try:
            answer = requests.post(url, json={"patient_id": one}, headers={"X-API-Key": key}, timeout=SECONDS)
            found = dict(answer.json())
        except (requests.RequestException, ValueError) as error:
            raise OperationError(f"model-serving does not answer on {url} ({type(error).__name__}); "
                                 f"`./pipeline ml health --stack {stack}` says more") from None
        if answer.status_code == requests.codes.ok:
            return found
        refusal = f"{one}: {found.get('message') or found.get('error') or answer.status_code}"
        if answer.status_code not in (requests.codes.not_found, requests.codes.conflict):
            break  # what keeps serving from answering at all, it would say of each patient
    raise OperationError(f"no prediction: {refusal}")


def measured_last(settings: Settings, stack: str) -> list[str]:
    """Patients of the latest vital signs in Kafka. Raises OperationError where Kafka does not answer."""
    infrastructure = settings.of(InfrastructureSettings)
    address = f"{settings.platform.bind_address}:{infrastructure.port('kafka')}"
    consumer = Consumer({"bootstrap.servers": address, "group.id": "pipeline-predict", "enable.auto.commit": False, "log_level": 0})
    try:
        partitions = consumer.list_topics(TOPIC, timeout=KAFKA_SECONDS).topics[TOPIC].partitions
        ends = {number: consumer.get_watermark_offsets(TopicPartition(TOPIC, number), timeout=KAFKA_SECONDS)
                for number in partitions}
        consumer.assign([TopicPartition(TOPIC, number, max(first, end - LATEST)) for number, (first, end) in ends.items()])
        wanted = sum(min(end - first, LATEST) for first, end in ends.values())
        records = consumer.consume(wanted, timeout=KAFKA_SECONDS) if wanted else []
    except KafkaException as error:
        raise OperationError(f"Kafka does not answer on {address} ({error.args[0].str()}); "
                             f"`./pipeline infrastructure health --stack {stack}` says more") from None
    finally:
        consumer.close()
    newest = sorted((record for record in records if record.error() is None), key=lambda record: -record.timestamp()[1])
    return list(dict.fromkeys(filter(None, map(patient_of, (record.value() for record in newest)))))[:MOST_PATIENTS]


def patient_of(value: bytes | None) -> str | None:
    """Whom a record is about; None for one that cannot be read, which is the stream's business."""
    try:
        found = orjson.loads(value or b"")
    except ValueError:
        return None
    patient = found.get("patient_id") if isinstance(found, dict) else None
    return patient if isinstance(patient, str) else None
