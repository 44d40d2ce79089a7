"""What RabbitMQ holds from its first start on: users with narrow rights, the exchange, and the queues."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

VHOST = "/"
EXCHANGE, DEAD_LETTER_EXCHANGE = "clinical", "clinical.dead-letter"
QUEUES = ("clinical.lab-results", "clinical.priority")
DEAD_LETTER_QUEUE = "clinical.dead-letter"
DELIVERY_LIMIT = 5
PERMISSIONS: Mapping[str, tuple[str, str]] = {
    # what a user may write to, and read from
    "gateway": (r"^clinical$", r"^$"),
    "lab-processor": (r"^$", r"^clinical\.(lab-results|priority|dead-letter)$"),
    "monitor": (r"^$", r"^$")}


def definitions(passwords: Mapping[str, str]) -> str:
    """The definitions file for users with these passwords, as JSON."""
    queue = {"vhost": VHOST, "durable": True, "auto_delete": False}
    limits = {"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT, "x-dead-letter-exchange": DEAD_LETTER_EXCHANGE,
              "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}
    exchange = {"vhost": VHOST, "durable": True, "auto_delete": False, "internal": False, "arguments": {}}
    binding = {"vhost": VHOST, "destination_type": "queue", "arguments": {}}
    made: dict[str, Any] = {
        "users": [{"name": user, "password_hash": password_hash(user, passwords[user]),
                   "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": ["monitoring"] if user == "monitor" else []}
                  for user in PERMISSIONS],
        "vhosts": [{"name": VHOST}],
        "permissions": [{"user": user, "vhost": VHOST, "configure": "^$", "write": write, "read": read}
                        for user, (write, read) in PERMISSIONS.items()],
        "exchanges": [{**exchange, "name": EXCHANGE, "type": "direct"},
                      {**exchange, "name": DEAD_LETTER_EXCHANGE, "type": "fanout"}],
        "queues": [*({**queue, "name": name, "arguments": limits} for name in QUEUES),
                   {**queue, "name": DEAD_LETTER_QUEUE, "arguments": {"x-queue-type": "quorum"}}],
        "bindings": [*({**binding, "source": EXCHANGE, "destination": name, "routing_key": name} for name in QUEUES),
                     {**binding, "source": DEAD_LETTER_EXCHANGE, "destination": DEAD_LETTER_QUEUE, "routing_key": ""}]}
    return json.dumps(made, indent=1)


def password_hash(user: str, password: str) -> str:
    """RabbitMQ's hash of a password: salt and SHA-256 of salt and password, in base64.

    The salt follows from both, so that the file, and with it the container, changes only when a password does.
    """
    salt = hashlib.sha256(f"{user}\0{password}".encode()).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
