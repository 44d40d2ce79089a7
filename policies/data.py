"""Stores: named, labelled, closed, and kept."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pulumi_policy import PolicyResource, ResourceValidationArgs

from policies.containers import VOLUME
from policies.rule import Rule, StackRule

BUCKET, BUCKET_POLICY = "minio:index/s3Bucket:S3Bucket", "minio:index/s3BucketPolicy:S3BucketPolicy"
TOPIC, ROLE = "kafka:index/topic:Topic", "postgresql:index/role:Role"


def volume_named(args: ResourceValidationArgs) -> Iterator[str]:
    """A volume can be found again."""
    if not args.props.get("name"):
        yield "the volume has no name and is lost with its container; declare it in a Service's `volumes`"


def bucket_private(args: ResourceValidationArgs) -> Iterator[str]:
    """Nobody enters a bucket without a user."""
    if args.resource_type == BUCKET and args.props.get("acl") not in (None, "private"):
        yield f"the bucket's acl is {args.props.get('acl')}; make it private and give its clients users"


def bucket_kept(args: ResourceValidationArgs) -> Iterator[str]:
    """A bucket that holds something is not removed."""
    if args.resource_type == BUCKET and args.props.get("forceDestroy"):
        yield "forceDestroy removes the bucket with its objects; empty it on purpose instead"


def policy_closed(args: ResourceValidationArgs) -> Iterator[str]:
    """No policy of a bucket lets everybody in."""
    if args.resource_type != BUCKET_POLICY:
        return
    try:
        statements = json.loads(str(args.props["policy"])).get("Statement", [])
    except ValueError:
        yield "its policy is no JSON; write it with json.dumps"
        return
    for statement in [statements] if isinstance(statements, dict) else statements:
        principal = statement.get("Principal")
        who = principal.get("AWS") if isinstance(principal, dict) else principal
        if statement.get("Effect") == "Allow" and "*" in (who if isinstance(who, list) else [who]):
            yield "the policy opens the bucket to everybody; name the users"


def topic_kept(args: ResourceValidationArgs) -> Iterator[str]:
    """A topic says how long and how safely it keeps its records."""
    config = args.props.get("config") or {}
    if "retention.ms" not in config and config.get("cleanup.policy") != "compact":
        yield "the topic has neither retention.ms nor compaction; say how long its records are kept"
    if "min.insync.replicas" not in config:
        yield "the topic has no min.insync.replicas; say how many copies a record needs to be written"


def role_rights(args: ResourceValidationArgs) -> Iterator[str]:
    """A service's role can do what its database needs."""
    for right in ("superuser", "createRole", "createDatabase", "bypassRowLevelSecurity"):
        if args.props.get(right):
            yield f"the role has {right}; a service owns its database and needs no more"


def role_connections(args: ResourceValidationArgs) -> Iterator[str]:
    """One service cannot use up a server's connections."""
    limit = args.props.get("connectionLimit")
    if limit is None or limit < 1:
        yield "the role's connections have no limit; set connectionLimit"


def all_protected(resources: list[PolicyResource]) -> Iterator[tuple[PolicyResource, str]]:
    """Protection (`clinical:protect`) covers all that holds data, or it gives false comfort."""
    keepers = [resource for resource in resources if resource.resource_type in (VOLUME, BUCKET)]
    if any(keeper.opts.protect for keeper in keepers):
        for keeper in keepers:
            if not keeper.opts.protect:
                yield keeper, "it is not protected while other stores of this stack are; give it protect=scope.protect"


DATA_RULES = (
    Rule("volume-named", "Volumes have names.", (VOLUME,), (volume_named,)),
    Rule("bucket-private", "Buckets are closed and never removed with their objects.", (BUCKET, BUCKET_POLICY),
         (bucket_private, bucket_kept, policy_closed)),
    Rule("topic-kept", "Topics say how long and how safely they keep records.", (TOPIC,), (topic_kept,)),
    Rule("role-bounded", "Roles of services are no superusers and have a connection limit.", (ROLE,),
         (role_rights, role_connections)),
    StackRule("data-protected", "In a protected stack every volume and bucket is protected.", all_protected),
)
