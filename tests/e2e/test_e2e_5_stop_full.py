"""Rule: `stop-full` of a lower layer removes what is its own, and whatever stood in other layers is still there."""

from __future__ import annotations

import pytest
from minio import Minio

from components.storage.layer import VERSIONED
from tests.e2e.command import Command
from tests.e2e.effects import of_layer, seen, volumes_of
from tests.e2e.markers import Markers
from tests.e2e.stack import Stack


@pytest.fixture(scope="module")
def lake(platform: Stack) -> Minio:
    """The object store, as its administrator."""
    return Minio(f"127.0.0.1:{platform.port('minio')}", "lake-root", platform.secrets["minio-root"], secure=False)


def test_ingestion_goes_with_its_volumes(platform: Stack, markers: Markers, lake: Minio, command: Command) -> None:
    """The queue's and the senders'; bronze, which ingestion has written, is the lake's and stays."""
    before, services = seen(platform), of_layer(platform, "ingestion")
    gone = volumes_of(platform, "ingestion")
    bronze = {entry.object_name for entry in lake.list_objects("bronze", recursive=True)}
    assert services and gone and bronze
    command("ingestion", "stop-full", "--yes")
    after = seen(platform)
    assert before.volumes() - after.volumes() == gone
    assert after.containers == {name: state for name, state in before.containers.items() if name not in services}
    assert bronze <= {entry.object_name for entry in lake.list_objects("bronze", recursive=True)}
    assert markers.missing() == []
    assert command("ingestion", "status", "--json").data()["ingestion"]["is"] == "absent"


def test_storage_goes_with_its_rules(platform: Stack, markers: Markers, lake: Minio, command: Command) -> None:
    """Versioning and lifecycle; no bucket, no object and no container."""
    before = seen(platform)
    assert lake.get_bucket_lifecycle("quarantine") is not None
    command("storage", "stop-full", "--yes")
    assert lake.get_bucket_lifecycle("quarantine") is None
    assert {lake.get_bucket_versioning(bucket).status for bucket in VERSIONED} == {"Suspended"}
    after = seen(platform)
    assert (after.containers, after.things) == (before.containers, before.things)
    assert markers.missing() == []
