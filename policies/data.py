"""Stores: named, labelled, closed, and kept."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs

from policies.rule import Rule

VOLUME = "docker:index/volume:Volume"
BUCKET, BUCKET_POLICY = "minio:index/s3Bucket:S3Bucket", "minio:index/s3BucketPolicy:S3BucketPolicy"
TOPIC, ROLE = "kafka:index/topic:Topic", "postgresql:index/role:Role"


def volume_named(args: ResourceValidationArgs) -> Iterator[str]:
    """A volume can be found again."""
    if not args.props.get("name"):
        yield "the volume has no name; a nameless one is lost with its container"
    labels = {label.get("label") for label in args.props.get("labels") or []}
    if not {"clinical.stack", "clinical.layer"} <= labels:
        yield "the volume does not say whose it is; declare it through a Service"


def bucket_private(args: ResourceValidationArgs) -> Iterator[str]:
    """Nobody enters a bucket without a user."""
    if args.resource_type == BUCKET and args.props.get("acl") not in (None, "private"):
        yield f"the bucket's acl is {args.props.get('acl')}; make it private and give its clients users"
    if args.resource_type == BUCKET and args.props.get("forceDestroy"):
        yield "forceDestroy removes the bucket with its objects; empty it on purpose instead"
    if args.resource_type == BUCKET_POLICY:
        try:
            statements = json.loads(str(args.props.get("policy"))).get("Statement", [])
        except ValueError:
            return  # not known yet
        for statement in statements:
            principal = statement.get("Principal")
            named = principal.get("AWS") if isinstance(principal, dict) else principal
            if statement.get("Effect") == "Allow" and "*" in (named if isinstance(named, list) else [named]):
                yield "the policy opens the bucket to everybody; name the users"


def topic_kept(args: ResourceValidationArgs) -> Iterator[str]:
    """A topic says how long and how safely it keeps its records."""
    config = args.props.get("config") or {}
    if "retention.ms" not in config and config.get("cleanup.policy") != "compact":
        yield "the topic has neither retention.ms nor compaction; say how long its records are kept"
    if "min.insync.replicas" not in config:
        yield "the topic has no min.insync.replicas; say how many copies a record needs to be written"


def role_bounded(args: ResourceValidationArgs) -> Iterator[str]:
    """A service's role can do what its database needs."""
    for right in ("superuser", "createRole", "createDatabase", "bypassRowLevelSecurity"):
        if args.props.get(right):
            yield f"the role has {right}; a service owns its database and needs no more"
    limit = args.props.get("connectionLimit")
    if limit is None or limit < 1:
        yield "the role's connections have no limit; set connectionLimit"


DATA_RULES = (
    Rule("volume-named", "Volumes have names and labels.", (VOLUME,), volume_named),
    Rule("bucket-private", "Buckets are closed and never removed with their objects.", (BUCKET, BUCKET_POLICY), bucket_private),
    Rule("topic-kept", "Topics say how long and how safely they keep records.", (TOPIC,), topic_kept),
    Rule("role-bounded", "Roles of services are no superusers and have a connection limit.", (ROLE,), role_bounded),
)
