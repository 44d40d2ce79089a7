"""Rule: what is declared is what the servers hold, read back through their own interfaces; declaring it again is no change."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined]

from components.infrastructure.tables import BUCKETS, DAY_MS, TOPICS
from components.storage.layer import VERSIONED, Rule, rules
from components.storage.settings import StorageSettings
from tests.e2e.probes import s3_client
from tests.e2e.stack import Stack


@pytest.fixture(scope="module")
def root(platform: Stack) -> Any:
    """The object store, as its administrator."""
    return s3_client(
        f"http://127.0.0.1:{platform.port('minio')}", "lake-root", platform.secrets["minio-root"]
    )


def test_topics_are_as_the_table_says(platform: Stack) -> None:
    """Partitions, replication, clean-up, retention and write safety of every topic, and no topic besides."""
    admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{platform.port('kafka')}"})
    listed = {
        name: topic
        for name, topic in admin.list_topics(timeout=20).topics.items()
        if not name.startswith("__")
    }
    answers = admin.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in listed])
    found = {}
    for resource, answer in answers.items():
        settings = {name: entry.value for name, entry in answer.result(timeout=20).items()}
        partitions = listed[resource.name].partitions
        retention = settings["retention.ms"] if settings["cleanup.policy"] == "delete" else None
        found[resource.name] = (
            len(partitions),
            {len(p.replicas) for p in partitions.values()},
            settings["cleanup.policy"],
            retention,
            settings["min.insync.replicas"],
        )
    assert found == {
        spec.name: (
            spec.small,
            {1},
            "delete" if spec.days else "compact",
            str(spec.days * DAY_MS) if spec.days else None,
            "1",
        )
        for spec in TOPICS
    }


def test_buckets_are_private_and_no_more_than_declared(root: Any) -> None:
    """Exactly the lake's buckets, none with a policy that lets anybody in."""
    assert {bucket["Name"] for bucket in root.list_buckets()["Buckets"]} == set(BUCKETS)
    for bucket in BUCKETS:
        with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
            root.get_bucket_policy(Bucket=bucket)


def test_versioning_is_on_where_nothing_may_be_lost(root: Any) -> None:
    """Versions are kept in the declared buckets alone, and an overwritten object can be read back there."""
    assert [b for b in BUCKETS if root.get_bucket_versioning(Bucket=b).get("Status") == "Enabled"] == [
        b for b in BUCKETS if b in VERSIONED
    ]
    for bucket in VERSIONED:
        first = root.put_object(Bucket=bucket, Key="versioned", Body=b"first")["VersionId"]
        root.put_object(Bucket=bucket, Key="versioned", Body=b"second")
        assert root.get_object(Bucket=bucket, Key="versioned", VersionId=first)["Body"].read() == b"first"


def test_lifecycle_rules_are_the_declared_ones(root: Any) -> None:
    """Each rule stands in the store, on, for its whole bucket, with its days; and there is no other rule."""
    found = []
    for bucket in BUCKETS:
        try:
            answer = root.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
        except ClientError as error:
            assert error.response["Error"]["Code"] == "NoSuchLifecycleConfiguration"
            continue
        for rule in answer:
            assert rule["Status"] == "Enabled", rule
            assert rule.get("Filter", {}).get("Prefix", "") == "" and rule.get("Prefix", "") == "", rule
            found.append(
                Rule(
                    name=rule["ID"],
                    bucket=bucket,
                    expire_days=rule.get("Expiration", {}).get("Days"),
                    old_versions_days=rule.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays"),
                )
            )
    declared = list(rules(StorageSettings.model_validate({})))
    assert sorted(found, key=lambda r: r.bucket) == sorted(declared, key=lambda r: r.bucket)


def test_a_second_update_changes_nothing(platform: Stack) -> None:
    """The providers report no difference where there is none."""
    platform.up("--expect-no-changes")


def test_an_update_after_a_refresh_changes_nothing(platform: Stack) -> None:
    """What the servers report about themselves is no difference either."""
    platform.refresh()
    platform.up("--expect-no-changes")
