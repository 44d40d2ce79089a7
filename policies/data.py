"""Stores: named, closed, kept in versions where they must be, bounded, and protected."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pulumi_policy import PolicyResource, ResourceValidationArgs

from policies.containers import VOLUME
from policies.rule import Rule, StackRule

BUCKET, BUCKET_POLICY = "minio:index/s3Bucket:S3Bucket", "minio:index/s3BucketPolicy:S3BucketPolicy"
VERSIONING, LIFECYCLE = "minio:index/s3BucketVersioning:S3BucketVersioning", "minio:index/ilmPolicy:IlmPolicy"
USER_POLICY = "minio:index/iamPolicy:IamPolicy"
VERSIONED = ("bronze", "mlflow-artifacts")
"""Buckets that nothing can make again: what arrived, and the models."""
BOUNDED = (*VERSIONED, "quarantine", "backups", "airflow-logs")
"""Buckets that grow for ever without a rule; the others are tables, whose jobs compact and vacuum them."""


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
    for statement in allowed(args):
        principal = statement.get("Principal")
        who = principal.get("AWS") if isinstance(principal, dict) else principal
        if "*" in several(who):
            yield "the policy opens the bucket to everybody; name the users"


def policy_json(args: ResourceValidationArgs) -> Iterator[str]:
    """A policy can be read."""
    if args.resource_type in (BUCKET_POLICY, USER_POLICY) and statements(args) is None:
        yield "its policy is no JSON object; write it with json.dumps"


def access_narrow(args: ResourceValidationArgs) -> Iterator[str]:
    """A client of the lake may do named things in named buckets."""
    for statement in allowed(args):
        actions = [action for action in several(statement.get("Action")) if str(action).split(":")[-1] == "*"]
        if actions or "NotAction" in statement:
            yield f"the policy allows every action ({', '.join(actions) or 'NotAction'}); name those that the client needs"
        # Of arn:aws:s3:::bucket/key only the bucket must be named in full.
        wide = [name for name in several(statement.get("Resource")) if "*" in str(name).split(":")[-1].split("/")[0]]
        if wide or "NotResource" in statement:
            yield f"the policy is for every bucket ({', '.join(wide) or 'NotResource'}); name those that the client needs"


def statements(args: ResourceValidationArgs) -> list[Mapping[str, Any]] | None:
    """The statements of a policy document; None where it is none."""
    try:
        document = json.loads(str(args.props["policy"]))
    except ValueError:
        return None
    return several(document.get("Statement")) if isinstance(document, dict) else None


def allowed(args: ResourceValidationArgs) -> Iterator[Mapping[str, Any]]:
    """The statements that allow something."""
    yield from (statement for statement in statements(args) or () if statement.get("Effect") == "Allow")


def several(value: Any) -> list[Any]:
    """What a policy document may write as one thing or as a list of them."""
    return value if isinstance(value, list) else [] if value is None else [value]


def all_protected(resources: list[PolicyResource]) -> Iterator[tuple[PolicyResource, str]]:
    """Protection (`clinical:protect`) covers all that holds data, or it gives false comfort."""
    keepers = [resource for resource in resources if resource.resource_type in (VOLUME, BUCKET)]
    if any(keeper.opts.protect for keeper in keepers):
        for keeper in keepers:
            if not keeper.opts.protect:
                yield keeper, "it is not protected while other stores of this stack are; give it protect=scope.protect"


def versions_kept(resources: list[PolicyResource]) -> Iterator[tuple[PolicyResource, str]]:
    """What cannot be made again survives being overwritten."""
    kept = {resource.props["bucket"] for resource in resources if resource.resource_type == VERSIONING
            and resource.props["versioningConfiguration"].get("status") == "Enabled"}
    for bucket, name in buckets(resources, VERSIONED):
        if name not in kept:
            yield bucket, f"{name} keeps no versions; add it to VERSIONED in components/storage/layer.py, and keep that layer on"


def growth_bounded(resources: list[PolicyResource]) -> Iterator[tuple[PolicyResource, str]]:
    """What only grows has a rule for when it goes."""
    ruled = {resource.props["bucket"] for resource in resources if resource.resource_type == LIFECYCLE and resource.props["rules"]}
    for bucket, name in buckets(resources, BOUNDED):
        if name not in ruled:
            yield bucket, f"{name} has no lifecycle; add a Rule in components/storage/layer.py, and keep that layer on"


def buckets(resources: list[PolicyResource], names: Iterable[str]) -> Iterator[tuple[PolicyResource, str]]:
    """The buckets of these names."""
    for resource in resources:
        if resource.resource_type == BUCKET and str(resource.props.get("bucket")) in names:
            yield resource, str(resource.props["bucket"])


DATA_RULES = (
    Rule("volume-named", "Volumes have names.", (VOLUME,), (volume_named,)),
    Rule("bucket-private", "Buckets are closed and never removed with their objects.", (BUCKET, BUCKET_POLICY),
         (bucket_private, bucket_kept, policy_closed)),
    Rule("access-narrow", "Policies name actions and buckets.", (BUCKET_POLICY, USER_POLICY), (policy_json, access_narrow)),
    StackRule("data-protected", "In a protected stack every volume and bucket is protected.", all_protected),
    StackRule("bucket-versioned", "Buckets that nothing can make again keep versions.", versions_kept),
    StackRule("bucket-bounded", "Buckets that only grow have a lifecycle.", growth_bounded),
)
