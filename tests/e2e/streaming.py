"""How far spark-streaming has come, by its own checkpoints."""

from __future__ import annotations

import json
from collections.abc import Iterable

from tests.e2e.lake import objects
from tests.e2e.stack import Stack


def stored(stack: Stack, topics: Iterable[str]) -> dict[tuple[str, int], int]:
    """The position after the newest record of each partition that is stored: the ends of the last batch that was committed."""
    found: dict[tuple[str, int], int] = {}
    for topic in topics:
        files = objects(stack, "checkpoints", f"streaming/{topic}/")
        committed = [int(key.rpartition("/")[2]) for key in files if "/commits/" in key and key.rpartition("/")[2].isdigit()]
        if committed:
            ends = json.loads(files[f"streaming/{topic}/offsets/{max(committed)}"].decode().splitlines()[-1])
            found |= {(topic, int(partition)): end for partition, end in ends[topic].items()}
    return found
