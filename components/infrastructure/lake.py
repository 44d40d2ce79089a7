"""The lake's buckets, and one least-privilege user for each of its clients."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_minio as minio

from components.contracts import Bucket, Lake, LakeUser, ObjectStore
from components.infrastructure.tables import BUCKETS, LAKE_USERS, Access
from components.layer import Scope, child_of

# What a client needs inside a bucket. Whole uploads of many parts need the three Multipart actions to be undone.
READ = ["s3:GetObject", "s3:GetObjectVersion"]
APPEND = [*READ, "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
WRITE = [*APPEND, "s3:DeleteObject", "s3:DeleteObjectVersion"]
LIST = ["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"]


@dataclass(frozen=True, kw_only=True)
class LakeStorageArgs:
    """What the lake is given: the store, and the secret key of each user."""

    scope: Scope
    store: ObjectStore
    secrets: Mapping[str, pulumi.Output[str]]


class LakeStorage(pulumi.ComponentResource):
    """Private buckets, and for each client a user whose policy names the buckets it may use and nothing else.

    Outputs: `lake` (Lake).
    """

    lake: Lake

    def __init__(self, name: str, args: LakeStorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clinical:infrastructure:Lake", name, None, opts)
        scope, store = args.scope, args.store
        made: dict[str, list[pulumi.Resource]] = {}
        granted: dict[str, list[pulumi.Resource]] = {}
        if scope.keeps_data:
            options = {"provider": store.provider, "depends_on": list(store.ready), "deleted_with": store.deleted_with}
            made = {bucket: [minio.S3Bucket(f"{bucket}-bucket", bucket=bucket, acl="private", force_destroy=False,
                                            opts=child_of(self, protect=scope.protect, **options))] for bucket in BUCKETS}
            buckets = [bucket for resources in made.values() for bucket in resources]
            granted = {user: self._user(user, access, args.secrets[user], child_of(
                self, **{**options, "depends_on": [*store.ready, *buckets]})) for user, access in LAKE_USERS.items()}
        self.lake = Lake(
            store=store,
            buckets={bucket: Bucket(name=bucket, ready=made.get(bucket, [])) for bucket in BUCKETS},
            users={user: LakeUser(access_key=user, secret_key=args.secrets[user], reads=access.reads,
                                  writes=(*access.appends, *access.writes), ready=granted.get(user, []))
                   for user, access in LAKE_USERS.items()})
        self.register_outputs({"buckets": list(BUCKETS)})

    def _user(self, user: str, access: Access, secret: pulumi.Output[str],
              options: pulumi.ResourceOptions) -> list[pulumi.Resource]:
        account = minio.IamUser(f"{user}-user", name=user, secret=secret, update_secret=True, opts=options)
        policy = minio.IamPolicy(f"{user}-policy", name=user, policy=json.dumps(policy_of(access)), opts=options)
        return [minio.IamUserPolicyAttachment(f"{user}-grant", user_name=account.name, policy_name=policy.name, opts=options)]


def policy_of(access: Access) -> dict[str, Any]:
    """The policy document of a client: a statement a kind of access, only over its own buckets."""
    every = (*access.reads, *access.appends, *access.writes)
    groups = [(LIST, every, ""), (READ, access.reads, "/*"), (APPEND, access.appends, "/*"), (WRITE, access.writes, "/*")]
    return {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": actions, "Resource": [f"arn:aws:s3:::{bucket}{below}" for bucket in buckets]}
        for actions, buckets, below in groups if buckets]}
