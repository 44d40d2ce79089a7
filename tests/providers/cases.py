"""Every resource type of the plugins: how it is declared, changed, found, spoilt and removed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi_minio as m
import pulumi_postgresql as p
from minio.commonconfig import ENABLED, Filter
from minio.error import S3Error
from minio.lifecycleconfig import Expiration, LifecycleConfig, Rule
from minio.versioningconfig import VersioningConfig

from tests.providers.servers import Server

READ = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::home/*"}]})
LIST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": ["arn:aws:s3:::home"]}]})
OPEN = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"AWS": ["*"]}, "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::home/*"]}]})


def versions(status: str) -> Any:
    """A bucket's versioning."""
    return m.S3BucketVersioningVersioningConfigurationArgs(status=status)


def expire(days: int) -> list[Any]:
    """One lifecycle rule."""
    return [m.IlmPolicyRuleArgs(id="old", expiration=f"{days}d")]


@dataclass(frozen=True)
class Case:
    """One type. `seen` looks at the server with a client of its own; `spoil` changes the resource behind the plugin's back.

    `update` are inputs that change in place, `replace` those that make a new resource.
    """

    kind: Callable[..., Any]
    server: str
    inputs: Mapping[str, Any]
    identity: str
    seen: Callable[[Server], Any]
    remove: Callable[[Server], Any]
    update: Mapping[str, Any] = field(default_factory=dict)
    updated: Any = None
    replace: Mapping[str, Any] = field(default_factory=dict)
    spoil: Callable[[Server], Any] | None = None
    leaves: bool = False
    """Whether the server looks the same without it: a grant of nothing."""

    @property
    def name(self) -> str:
        """A name for messages and for the resource."""
        parts = (self.kind.__name__, self.inputs.get("object_type", ""), self.inputs.get("role", ""))
        return "-".join(part for part in parts if part)

    @property
    def readable(self) -> dict[str, Any]:
        """The inputs that a server tells; a password is none of them."""
        return {key: value for key, value in self.inputs.items() if key not in ("secret", "password")}


def lifecycle(server: Server) -> Any:
    """The days of a bucket's rule."""
    config = server.s3.get_bucket_lifecycle("home")
    return config.rules[0].expiration.days if config else None


def policy_of(server: Server, name: str) -> Any:
    """The actions of a policy; None where there is none."""
    known = json.loads(server.admin.policy_list())
    return known[name]["Statement"][0]["Action"] if name in known else None


def user(server: Server, name: str) -> Any:
    """A user's status and policy; None where there is none."""
    return json.loads(server.admin.user_list()).get(name)


def one_row(query: str, database: str = "postgres") -> Callable[[Server], Any]:
    """The first value of a query; None without a row."""
    return lambda server: next((row[0] for row in server.sql(query, database)), None)


def sql(*queries: str, database: str = "postgres") -> Callable[[Server], Any]:
    """Runs statements."""
    return lambda server: [server.sql(query, database) for query in queries]


def old_rule(server: Server) -> None:
    """Another lifecycle than the declared one."""
    rule = Rule(ENABLED, rule_filter=Filter(prefix=""), rule_id="old", expiration=Expiration(days=99))
    server.s3.set_bucket_lifecycle("home", LifecycleConfig([rule]))


def granted(query: str) -> Callable[[Server], Any]:
    """Whether a privilege is there."""
    return one_row(f"SELECT {query}", "home")


CASES = [
    Case(m.S3Bucket, "minio", {"bucket": "one"}, "one", lambda s: s.s3.bucket_exists("one") or None,
         lambda s: s.s3.remove_bucket("one"), {"force_destroy": True}, True, {"bucket": "two"}),
    Case(m.S3BucketVersioning, "minio", {"bucket": "home", "versioning_configuration": versions("Enabled")}, "home",
         lambda s: {"Enabled": "Enabled"}.get(s.s3.get_bucket_versioning("home").status or ""),
         lambda s: s.s3.set_bucket_versioning("home", VersioningConfig("Suspended")),
         {"versioning_configuration": versions("Suspended")}, None, {"bucket": "other"},
         lambda s: s.s3.set_bucket_versioning("home", VersioningConfig("Suspended"))),
    Case(m.IlmPolicy, "minio", {"bucket": "home", "rules": expire(7)}, "home", lifecycle,
         lambda s: s.s3.delete_bucket_lifecycle("home"), {"rules": expire(9)}, 9, {"bucket": "other"}, old_rule),
    Case(m.S3BucketPolicy, "minio", {"bucket": "home", "policy": OPEN}, "home",
         lambda s: (m_policy(s) or {}).get("Statement"), lambda s: s.s3.delete_bucket_policy("home"),
         {"policy": OPEN.replace("GetObject", "PutObject")}, ["s3:PutObject"], {},
         lambda s: s.s3.set_bucket_policy("home", OPEN.replace("GetObject", "DeleteObject"))),
    Case(m.IamUser, "minio", {"name": "ann", "secret": "longenough0123"}, "ann", lambda s: user(s, "ann"),
         lambda s: s.admin.user_remove("ann"), {"disable_user": True}, {"status": "disabled"}, {"name": "bob"},
         lambda s: s.admin.user_disable("ann")),
    Case(m.IamPolicy, "minio", {"name": "reads", "policy": READ}, "reads", lambda s: policy_of(s, "reads"),
         lambda s: s.admin.policy_remove("reads"), {"policy": LIST}, ["s3:ListBucket"], {"name": "lists"},
         lambda s: s.admin.policy_add("reads", policy=json.loads(LIST))),
    Case(m.IamUserPolicyAttachment, "minio", {"user_name": "joe", "policy_name": "writes"}, "joe/writes",
         lambda s: (user(s, "joe") or {}).get("policyName"),
         lambda s: s.admin.detach_policy(["writes"], user="joe"), {}, None, {"policy_name": "other"}),
    Case(p.Role, "postgres", {"name": "ann", "login": True, "password": "longenough0123", "connection_limit": 3}, "ann",
         one_row("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'ann'"), sql("DROP ROLE ann"),
         {"connection_limit": 5}, 5, {"name": "bob"}, sql("ALTER ROLE ann CONNECTION LIMIT 9")),
    Case(p.Database, "postgres", {"name": "one", "owner": "joe"}, "one",
         one_row("SELECT datconnlimit FROM pg_database WHERE datname = 'one'"), sql("DROP DATABASE one"),
         {"connection_limit": 5}, 5, {"name": "two"}, sql("ALTER DATABASE one CONNECTION LIMIT 9")),
    Case(p.Schema, "postgres", {"name": "one", "database": "home"}, "home.one",
         one_row("SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'one'", "home"),
         sql("DROP SCHEMA one", database="home"), {"owner": "joe"}, "joe", {"name": "two"}),
    Case(p.Extension, "postgres", {"name": "pgcrypto", "database": "home"}, "home.pgcrypto",
         one_row("SELECT extname FROM pg_extension WHERE extname = 'pgcrypto'", "home"),
         sql("DROP EXTENSION pgcrypto", database="home"), {"drop_cascade": True}, "pgcrypto", {"name": "citext"}),
    Case(p.Grant, "postgres", {"database": "home", "role": "joe", "object_type": "database", "privileges": ["CREATE"]},
         "joe/home//database/", granted("has_database_privilege('joe', 'home', 'CREATE') OR NULL"),
         sql("REVOKE ALL ON DATABASE home FROM joe"), {"privileges": ["CREATE", "CONNECT"]}, True, {"role": "sue"},
         sql("GRANT TEMPORARY ON DATABASE home TO joe")),
    Case(p.Grant, "postgres", {"database": "home", "role": "public", "object_type": "database", "privileges": []},
         "public/home//database/", granted("NOT EXISTS (SELECT 1 FROM pg_database, aclexplode(datacl) a"
                                           " WHERE datname = 'home' AND a.grantee = 0) OR NULL"),
         sql("GRANT CONNECT ON DATABASE home TO PUBLIC"), {"privileges": ["CONNECT"]}, None, {},
         sql("GRANT CONNECT ON DATABASE home TO PUBLIC"), leaves=True),
    Case(p.Grant, "postgres", {"database": "home", "role": "joe", "schema": "s", "object_type": "schema", "privileges": ["USAGE"]},
         "joe/home/s/schema/", granted("has_schema_privilege('joe', 's', 'USAGE') OR NULL"),
         sql("REVOKE ALL ON SCHEMA s FROM joe", database="home"), {"privileges": ["USAGE", "CREATE"]}, True, {"role": "sue"},
         sql("GRANT CREATE ON SCHEMA s TO joe", database="home")),
    Case(p.Grant, "postgres", {"database": "home", "role": "joe", "schema": "s", "object_type": "table", "privileges": ["SELECT"]},
         "joe/home/s/table/", granted("has_table_privilege('joe', 's.t', 'SELECT') OR NULL"),
         sql("REVOKE ALL ON ALL TABLES IN SCHEMA s FROM joe", database="home"), {"privileges": ["SELECT", "INSERT"]}, True,
         {"objects": ["t"]}, sql("GRANT INSERT ON s.t TO joe", database="home")),
    Case(p.Grant, "postgres",
         {"database": "home", "role": "joe", "schema": "s", "object_type": "sequence", "privileges": ["USAGE"]},
         "joe/home/s/sequence/", granted("has_sequence_privilege('joe', 's.q', 'USAGE') OR NULL"),
         sql("REVOKE ALL ON ALL SEQUENCES IN SCHEMA s FROM joe", database="home"), {"privileges": ["USAGE", "SELECT"]}, True,
         {"role": "sue"}, sql("GRANT SELECT ON s.q TO joe", database="home")),
]


def m_policy(server: Server) -> Any:
    """A bucket's policy; None where there is none."""
    try:
        return json.loads(server.s3.get_bucket_policy("home"))
    except S3Error:
        return None


def prepare(server: Server) -> None:
    """What the cases stand on, anew."""
    if server.kind == "minio":
        for bucket in ("home", "other"):
            if not server.s3.bucket_exists(bucket):
                server.s3.make_bucket(bucket)
        server.admin.user_add("joe", "longenough0123")
        for policy in ("writes", "other"):
            server.admin.policy_add(policy, policy=json.loads(READ))
        return
    for database in ("home", "one", "two"):
        server.sql(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
    for role in ("joe", "sue"):
        server.sql(f"DROP ROLE IF EXISTS {role}")
        server.sql(f"CREATE ROLE {role}")
    server.sql("CREATE DATABASE home")
    for query in ("CREATE SCHEMA s", "CREATE TABLE s.t (i int)", "CREATE SEQUENCE s.q"):
        server.sql(query, "home")
