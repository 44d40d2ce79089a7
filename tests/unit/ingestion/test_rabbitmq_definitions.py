"""What RabbitMQ is given: users, queues and their rights, and its configuration."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

import components.ingestion
from applications.ingestion.labs.verdicts import DEAD_LETTER_QUEUE, PRIORITY_QUEUE, RESULTS_QUEUE
from components.files import render
from components.ingestion.broker_definitions import definitions, password_hash

FOLDER = Path(components.ingestion.__file__).parent
PASSWORDS = {"gateway": "g-secret", "lab-processor": "l-secret", "monitor": "m-secret"}
MADE: dict[str, Any] = json.loads(definitions(PASSWORDS))
QUEUES = {queue["name"]: queue for queue in MADE["queues"]}
NAMES = ["", "x", "clinical", "clinicalx", "amq.direct", "clinical.lab-results", "clinical.priority", "clinical.dead-letter",
         "clinical.other", "clinical_priority", "xclinical.priority", "clinical.priorityx"]


def rights(user: str, kind: str) -> set[str]:
    """Which of the names a user may use, as RabbitMQ matches: anywhere in the name unless the pattern says otherwise."""
    [found] = [permission for permission in MADE["permissions"] if permission["user"] == user]
    return {name for name in NAMES if re.search(found[kind], name)} - {""}


def test_the_users_are_those_three_and_no_guest() -> None:
    """Only `monitor` sees the management page; nobody administrates."""
    assert {user["name"]: user["tags"] for user in MADE["users"]} == {
        "gateway": [], "lab-processor": [], "monitor": ["monitoring"]}


def test_a_user_may_do_its_work_and_nothing_else() -> None:
    """The gateway writes to one exchange, the processor reads its queues, and nobody declares or deletes."""
    assert (rights("gateway", "write"), rights("gateway", "read")) == ({"clinical"}, set())
    assert rights("lab-processor", "read") == {RESULTS_QUEUE, PRIORITY_QUEUE, DEAD_LETTER_QUEUE}
    assert rights("lab-processor", "write") == rights("monitor", "write") == rights("monitor", "read") == set()
    assert [rights(user, "configure") for user in PASSWORDS] == [set()] * 3


def test_queues_are_durable_quorum_queues_that_drop_nothing() -> None:
    """No expiry, no length limit; a message that fails too often is moved with confirmation, not dropped."""
    assert set(QUEUES) == {RESULTS_QUEUE, PRIORITY_QUEUE, DEAD_LETTER_QUEUE}
    for name, queue in QUEUES.items():
        arguments = queue["arguments"]
        assert queue["durable"] and not queue["auto_delete"] and arguments["x-queue-type"] == "quorum"
        assert not {"x-message-ttl", "x-expires", "x-max-length", "x-max-length-bytes"} & set(arguments)
        if name == DEAD_LETTER_QUEUE:
            assert "x-delivery-limit" not in arguments, "there is nothing behind it: the limit would drop the message"
        else:
            assert arguments["x-delivery-limit"] == 5 and arguments["x-dead-letter-exchange"] == "clinical.dead-letter"
            # At least once needs a source that refuses rather than drops.
            assert (arguments["x-dead-letter-strategy"], arguments["x-overflow"]) == ("at-least-once", "reject-publish")


def test_every_route_ends_in_a_queue() -> None:
    """Each queue of results has its own key; every dead letter, whatever its key, one queue."""
    kinds = {exchange["name"]: (exchange["type"], exchange["durable"]) for exchange in MADE["exchanges"]}
    assert kinds == {"clinical": ("direct", True), "clinical.dead-letter": ("fanout", True)}
    routes = {(b["source"], b["routing_key"], b["destination"]) for b in MADE["bindings"]}
    assert routes == {("clinical", RESULTS_QUEUE, RESULTS_QUEUE), ("clinical", PRIORITY_QUEUE, PRIORITY_QUEUE),
                      ("clinical.dead-letter", "", DEAD_LETTER_QUEUE)}


def test_a_password_stands_there_as_a_hash_that_rabbitmq_checks() -> None:
    """Four bytes of salt, then SHA-256 over salt and password."""
    assert not any(password in definitions(PASSWORDS) for password in PASSWORDS.values())
    for user in MADE["users"]:
        assert user["hashing_algorithm"] == "rabbit_password_hashing_sha256"
        decoded = base64.b64decode(user["password_hash"], validate=True)
        salt, digest = decoded[:4], decoded[4:]
        assert digest == hashlib.sha256(salt + PASSWORDS[user["name"]].encode()).digest()


def test_the_same_passwords_give_the_same_file() -> None:
    """Else every update would replace the container. Another user or password has another salt and hash."""
    assert definitions(PASSWORDS) == definitions(dict(reversed(PASSWORDS.items())))
    assert len({password_hash("a", "p"), password_hash("a", "q"), password_hash("b", "p")}) == 3
    assert len({base64.b64decode(password_hash(user, "p"))[:4] for user in PASSWORDS}) == 3


@pytest.mark.parametrize("memory_mb", [384, 512, 1024])
def test_the_configuration_fits_the_containers_memory(memory_mb: int) -> None:
    """Publishers are held back below the limit, and the log of the quorum queues is a small part of it."""
    lines = [line for line in render(FOLDER, "rabbitmq.conf", memory_mb=memory_mb).splitlines() if not line.startswith("#")]
    values = dict(line.split(" = ", 1) for line in lines)
    assert len(values) == len(lines)
    assert int(values["vm_memory_high_watermark.absolute"].removesuffix("MB")) <= 0.7 * memory_mb
    assert int(values["raft.wal_max_size_bytes"]) <= memory_mb * 1024 * 1024 / 8
    assert values["load_definitions"] == "/run/secrets/definitions.json"


def test_what_is_taken_fits_a_record_of_kafka_as_a_dead_letter() -> None:
    """In base64, with a hundred kilobytes for reasons, below the broker's 4 MiB and the processor's own limit."""
    from applications.ingestion.labs.__main__ import KAFKA
    [limit] = re.findall(r"^max_message_size = (\d+)$", render(FOLDER, "rabbitmq.conf", memory_mb=512), re.MULTILINE)
    assert int(limit) * 4 / 3 + 100_000 < KAFKA["message.max.bytes"] < 4 * 1024 * 1024


def test_management_and_metrics_are_on() -> None:
    """An Erlang list, with its full stop."""
    text = (FOLDER / "files" / "enabled_plugins").read_text().strip()
    assert text == "[rabbitmq_management,rabbitmq_prometheus]."
