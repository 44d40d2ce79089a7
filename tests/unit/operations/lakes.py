"""What the tests of backups compare."""

from __future__ import annotations

from operations.lake.backing_up import BUCKETS as KEPT
from tests.unit.operations.s3_server import Server


def kept(server: Server) -> dict[str, dict[str, bytes]]:
    """What a backup keeps of a lake."""
    return {bucket: {key: content for key, content in server.contents(bucket).items() if not key.endswith("_last_checkpoint")}
            for bucket in KEPT}
