"""Buckets, and what a bucket has one of."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import ClassVar

from client import Server, found
from lib.kinds import BOOLEAN, OBJECT, OBJECTS, STRING, Kind, Property, Refused, Values
from minio.commonconfig import DISABLED, ENABLED, Filter
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from minio.lifecycleconfig import Expiration, LifecycleConfig, NoncurrentVersionExpiration, Rule
from minio.versioningconfig import VersioningConfig

from policies import fault, kept

BUCKET = Property(type=STRING, required=True, replaces=True)
NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class S3Bucket(Kind):
    """A private bucket."""

    token = "minio:index/s3Bucket:S3Bucket"
    inputs = {"bucket": Property(type=STRING, replaces=True), "acl": Property(type=STRING, default="private"),
              "forceDestroy": Property(type=BOOLEAN, default=False),
              "objectLocking": Property(type=BOOLEAN, default=False, replaces=True)}
    outputs = {"arn": STRING, "bucketDomainName": STRING}
    named_by = "bucket"

    def identity(self, inputs: Values) -> str:
        """The bucket's name."""
        return str(inputs["bucket"])

    def faults(self, inputs: Values) -> Iterator[tuple[str, str]]:
        """A name that S3 forbids, or an access list."""
        if "bucket" in inputs and not NAME.fullmatch(inputs["bucket"]):
            yield "bucket", f"{inputs['bucket']!r} is no bucket name: 3 to 63 small letters, digits, dots and hyphens"
        if inputs.get("acl", "private") != "private":
            yield "acl", "only private is implemented; open a bucket with an S3BucketPolicy"

    def create(self, client: Server, inputs: Values) -> Values:
        """Makes the bucket; one that exists belongs to somebody else."""
        name = inputs["bucket"]
        try:
            client.s3.make_bucket(name, object_lock=inputs.get("objectLocking", False))
        except S3Error as error:
            if error.code in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise Refused(f"the bucket {name} exists already; take it over with `pulumi import {self.token} NAME {name}`, "
                              "or remove it") from None
            raise
        return self._outputs(client, name)

    def _outputs(self, client: Server, name: str) -> Values:
        return {"arn": f"arn:aws:s3:::{name}", "bucketDomainName": f"http://{client.endpoint}/minio/{name}"}

    def read(self, client: Server, identity: str, known: Values) -> Values | None:
        """Looks whether the bucket is there."""
        if not client.s3.bucket_exists(identity):
            return None
        return {"bucket": identity, "acl": "private", **self._outputs(client, identity)}

    def update(self, client: Server, identity: str, old: Values, new: Values) -> Values:
        """Only forceDestroy can change in place, and it is Pulumi's own."""
        return self._outputs(client, identity)

    def delete(self, client: Server, identity: str, inputs: Values) -> None:
        """Removes the bucket, with its objects and their versions only if forceDestroy says so."""
        if not client.s3.bucket_exists(identity):
            return
        if inputs.get("forceDestroy"):
            every = client.s3.list_objects(identity, recursive=True, include_version=True)
            doomed = [DeleteObject(entry.object_name, entry.version_id) for entry in every if entry.object_name]
            for error in client.s3.remove_objects(identity, doomed):
                raise Refused(f"the object {error.name} of the bucket {identity} could not be removed: {error.message}")
        try:
            found(client.s3.remove_bucket, identity)
        except S3Error as error:
            if error.code == "BucketNotEmpty":
                raise Refused(f"the bucket {identity} still has objects; remove them, or set forceDestroy first") from None
            raise


class _OfBucket(Kind):
    """Something that a bucket has one of: setting it again replaces what was there."""

    def identity(self, inputs: Values) -> str:
        """The bucket's name."""
        return str(inputs["bucket"])

    def update(self, client: Server, identity: str, old: Values, new: Values) -> Values:
        """Sets it anew."""
        return self.create(client, new)


class S3BucketVersioning(_OfBucket):
    """Whether a bucket keeps what is overwritten."""

    token = "minio:index/s3BucketVersioning:S3BucketVersioning"
    inputs = {"bucket": BUCKET, "versioningConfiguration": Property(type=OBJECT, required=True)}
    STATES: ClassVar[tuple[str, ...]] = ("Enabled", "Suspended")

    def faults(self, inputs: Values) -> Iterator[tuple[str, str]]:
        """A state that does not exist, or exclusions."""
        config = inputs.get("versioningConfiguration") or {}
        if "status" in config and config["status"] not in self.STATES:
            yield "versioningConfiguration.status", f"{config['status']!r} is neither Enabled nor Suspended"
        for key in set(config) - {"status"}:
            if config[key]:
                yield f"versioningConfiguration.{key}", "this plugin does not implement it; leave it out"

    def create(self, client: Server, inputs: Values) -> Values:
        """Sets the state."""
        with client.settings:
            client.s3.set_bucket_versioning(inputs["bucket"], VersioningConfig(inputs["versioningConfiguration"]["status"]))
        return {}

    def read(self, client: Server, identity: str, known: Values) -> Values | None:
        """The state; a bucket that never had versions has none."""
        config = found(client.s3.get_bucket_versioning, identity)
        if config is None or config.status not in self.STATES:
            return None
        return {"bucket": identity,
                "versioningConfiguration": {**(known.get("versioningConfiguration") or {}), "status": config.status}}

    def delete(self, client: Server, identity: str, inputs: Values) -> None:
        """Versions cannot be switched off, only suspended."""
        with client.settings:
            found(client.s3.set_bucket_versioning, identity, VersioningConfig("Suspended"))


class IlmPolicy(_OfBucket):
    """When a bucket's objects and their old versions go."""

    token = "minio:index/ilmPolicy:IlmPolicy"
    inputs = {"bucket": BUCKET, "rules": Property(type=OBJECTS, required=True)}
    KEYS: ClassVar[tuple[str, ...]] = ("id", "expiration", "filter", "noncurrentVersionExpirationDays", "status")

    def faults(self, inputs: Values) -> Iterator[tuple[str, str]]:
        """A rule that would do nothing or that cannot be read."""
        for rule in inputs.get("rules") or []:
            where = f"rules[{rule.get('id')}]"
            for key in rule:
                if key not in self.KEYS and rule[key] is not None:
                    yield f"{where}.{key}", f"this plugin does not implement it; a rule takes {', '.join(self.KEYS)}"
            if rule.get("expiration") is not None and expiration(rule["expiration"]) is None:
                yield f"{where}.expiration", f"{rule['expiration']!r} is neither days (7d) nor a date (2027-01-31)"
            if not rule.get("expiration") and not rule.get("noncurrentVersionExpirationDays"):
                yield where, "it expires nothing: give expiration or noncurrentVersionExpirationDays"

    def create(self, client: Server, inputs: Values) -> Values:
        """Sets all rules of the bucket."""
        with client.settings:
            client.s3.set_bucket_lifecycle(inputs["bucket"], LifecycleConfig([to_rule(rule) for rule in inputs["rules"]]))
        return {}

    def read(self, client: Server, identity: str, known: Values) -> Values | None:
        """The rules as the server has them; a default that the program left out stays left out."""
        config = found(client.s3.get_bucket_lifecycle, identity)
        if config is None:
            return None
        mine = {rule["id"]: rule for rule in known.get("rules") or []}
        return {"bucket": identity, "rules": [from_rule(rule, mine.get(rule.rule_id or "")) for rule in config.rules]}

    def delete(self, client: Server, identity: str, inputs: Values) -> None:
        """Removes all rules of the bucket."""
        with client.settings:
            found(client.s3.delete_bucket_lifecycle, identity)


def expiration(text: str) -> Expiration | None:
    """Days (`7d`) or a date (`2027-01-31`); None for anything else."""
    if days := re.fullmatch(r"([1-9]\d*)d", str(text)):
        return Expiration(days=int(days[1]))
    try:
        date = datetime.datetime.strptime(str(text), "%Y-%m-%d").replace(tzinfo=datetime.UTC)
    except ValueError:
        return None
    return Expiration(date=date)


def to_rule(rule: Values) -> Rule:
    """The server's form of a rule."""
    old = rule.get("noncurrentVersionExpirationDays")
    return Rule(DISABLED if rule.get("status") == DISABLED else ENABLED, rule_id=rule["id"],
                rule_filter=Filter(prefix=rule.get("filter") or ""),
                expiration=expiration(rule["expiration"]) if rule.get("expiration") else None,
                noncurrent_version_expiration=NoncurrentVersionExpiration(int(old)) if old else None)


def from_rule(rule: Rule, mine: Values | None) -> Values:
    """The program's form of a rule."""
    row: Values = {"id": rule.rule_id}
    if (rule.rule_filter and rule.rule_filter.prefix) or (mine and "filter" in mine):
        row["filter"] = (rule.rule_filter.prefix if rule.rule_filter else "") or ""
    if rule.expiration and rule.expiration.days:
        row["expiration"] = f"{rule.expiration.days}d"
    elif rule.expiration and rule.expiration.date:
        row["expiration"] = rule.expiration.date.strftime("%Y-%m-%d")
    if rule.noncurrent_version_expiration:
        row["noncurrentVersionExpirationDays"] = rule.noncurrent_version_expiration.noncurrent_days
    if rule.status != ENABLED or (mine and "status" in mine):
        row["status"] = rule.status
    return row


class S3BucketPolicy(_OfBucket):
    """Who besides its users may enter a bucket."""

    token = "minio:index/s3BucketPolicy:S3BucketPolicy"
    inputs = {"bucket": BUCKET, "policy": Property(type=STRING, required=True)}

    def faults(self, inputs: Values) -> Iterator[tuple[str, str]]:
        """A text that is no policy."""
        if "policy" in inputs and (why := fault(inputs["policy"])):
            yield "policy", why

    def create(self, client: Server, inputs: Values) -> Values:
        """Sets the bucket's policy."""
        with client.settings:
            client.s3.set_bucket_policy(inputs["bucket"], inputs["policy"])
        return {}

    def read(self, client: Server, identity: str, known: Values) -> Values | None:
        """The policy, in the program's words while it means the same."""
        policy = found(client.s3.get_bucket_policy, identity)
        return {"bucket": identity, "policy": kept(known.get("policy"), policy)} if policy else None

    def delete(self, client: Server, identity: str, inputs: Values) -> None:
        """Closes the bucket again."""
        with client.settings:
            found(client.s3.delete_bucket_policy, identity)


BUCKET_KINDS: tuple[Kind, ...] = (S3Bucket(), S3BucketVersioning(), IlmPolicy(), S3BucketPolicy())
