"""What Kafka remembers of how far bronze was written."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from operations.faults import OperationError

GROUP = "bronze"
SECONDS = 15


def forget_offsets(bootstrap: str, group: str = GROUP) -> None:
    """Deletes the consumer group, so that kafka-consumer begins behind what bronze holds. Raises OperationError while it runs.

    For a restore into a platform whose topics live on: its offsets would lie behind records that bronze no longer has.
    """
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
    try:
        client.delete_consumer_groups([group], request_timeout=SECONDS)[group].result()
    except KafkaException as error:
        code = error.args[0].code()
        if code == KafkaError.NON_EMPTY_GROUP:
            raise OperationError("kafka-consumer still writes to bronze; `./pipeline ingestion stop` ends it, then run this "
                                 "again") from None
        if code != KafkaError.GROUP_ID_NOT_FOUND:
            raise OperationError(f"Kafka could not forget how far bronze was written: {error.args[0].str()}; "
                                 "`./pipeline infrastructure health` shows what is wrong") from None
