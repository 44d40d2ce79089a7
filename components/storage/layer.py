"""The storage layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pulumi
import pulumi_minio as minio

from components.contracts import Lake
from components.layer import Layer, child_of
from components.storage.settings import StorageSettings

VERSIONED = ("bronze", "mlflow-artifacts")
"""Buckets whose objects nobody may lose by overwriting: the source of everything, and the models."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One lifecycle rule of a bucket: when objects go, and when their old versions go, in days."""

    name: str
    bucket: str
    expire_days: int | None = None
    old_versions_days: int | None = None


def rules(settings: StorageSettings) -> Iterator[Rule]:
    """Every rule of the lake. A rule is for a whole bucket: MinIO ignores rules with an odd prefix (minio/minio#17715)."""
    for bucket in VERSIONED:
        yield Rule(name="old-versions", bucket=bucket, old_versions_days=settings.old_versions_days)
    yield Rule(name="expire", bucket="quarantine", expire_days=settings.quarantine_days)
    yield Rule(name="rotate", bucket="backups", expire_days=settings.backups_days)
    yield Rule(name="rotate", bucket="airflow-logs", expire_days=settings.airflow_logs_days)


class Storage(Layer):
    """Versioning and lifecycle of the lake's buckets; the layer has no container of its own.

    Unfinished uploads of many parts are not a rule: the provider has none for them, and MinIO removes them by itself
    after a day (its `stale_uploads_expiry`).
    """

    def __init__(self, name: str, settings: StorageSettings, *, lake: Lake,
                 opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Storage", name, settings, opts)
        every = list(rules(settings))
        if self.scope.keeps_data:
            versioned = {bucket: minio.S3BucketVersioning(
                f"{bucket}-versioning", bucket=lake.buckets[bucket].name,
                versioning_configuration=minio.S3BucketVersioningVersioningConfigurationArgs(status="Enabled"),
                opts=self._options(lake, bucket)) for bucket in VERSIONED}
            for bucket in dict.fromkeys(rule.bucket for rule in every):
                minio.IlmPolicy(f"{bucket}-lifecycle", bucket=lake.buckets[bucket].name,
                                rules=[lifecycle(rule) for rule in every if rule.bucket == bucket],
                                # One after the other: of two changes of a bucket at a time MinIO can lose one.
                                opts=self._options(lake, bucket, *([versioned[bucket]] if bucket in versioned else [])))
        self.finish({"versioned": list(VERSIONED), "rules": [f"{rule.bucket}: {rule.name}" for rule in every]})

    def _options(self, lake: Lake, bucket: str, *more: pulumi.Resource) -> pulumi.ResourceOptions:
        return child_of(self, provider=lake.store.provider, deleted_with=lake.store.deleted_with,
                        depends_on=[*lake.store.ready, *lake.buckets[bucket].ready, *more])


def lifecycle(rule: Rule) -> minio.IlmPolicyRuleArgs:
    """The provider's form of a rule."""
    return minio.IlmPolicyRuleArgs(id=rule.name, expiration=f"{rule.expire_days}d" if rule.expire_days else None,
                                   noncurrent_version_expiration_days=rule.old_versions_days)
