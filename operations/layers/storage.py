"""Probes of the storage layer: the rules as the object store really has them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import urllib3
from minio import Minio

from components.infrastructure.minio import ROOT_USER
from components.infrastructure.settings import InfrastructureSettings
from components.settings import Settings
from components.storage.layer import VERSIONED, Rule, rules
from components.storage.settings import StorageSettings
from operations.probes import Probe

SECONDS = 5


def probes(settings: Settings) -> Iterator[Probe]:
    """One probe a bucket that has rules or versions."""
    layer = settings.of(InfrastructureSettings)
    pool = urllib3.PoolManager(timeout=SECONDS, retries=False)
    client = Minio(f"{settings.platform.bind_address}:{layer.port('minio')}", ROOT_USER, settings.platform.secrets["minio-root"],
                   secure=False, http_client=pool)
    declared = list(rules(settings.of(StorageSettings)))
    for bucket in dict.fromkeys([*VERSIONED, *(rule.bucket for rule in declared)]):
        yield Probe(bucket, partial(bucket_rules, client, bucket, [rule for rule in declared if rule.bucket == bucket]))


def bucket_rules(client: Minio, bucket: str, declared: list[Rule]) -> str:
    """Reads versioning and lifecycle back and compares them with what is declared."""
    if bucket in VERSIONED and client.get_bucket_versioning(bucket).status != "Enabled":
        raise RuntimeError("versions are not kept; `./pipeline pulumi up --refresh` sets it again")
    config = client.get_bucket_lifecycle(bucket)
    there = {(rule.rule_id, rule.expiration.days if rule.expiration else None,
              rule.noncurrent_version_expiration.noncurrent_days if rule.noncurrent_version_expiration else None)
             for rule in (config.rules if config else [])}
    wanted = {(rule.name, rule.expire_days, rule.old_versions_days) for rule in declared}
    if there != wanted:
        raise RuntimeError(f"its rules are {sorted(map(str, there))}, declared are {sorted(map(str, wanted))}; "
                           "`./pipeline pulumi up --refresh` sets them again")
    return f"{len(wanted)} rules" + (", versions kept" if bucket in VERSIONED else "")
