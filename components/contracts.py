"""What layers hand to each other. Addresses are those inside the platform's network unless named `external`.

`ready` lists the resources that have to exist before a client can use the thing: a client passes them to its own
`depends_on`. It is empty while the layer is stopped, since then nothing uses it either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi


@dataclass(frozen=True, kw_only=True)
class Network:
    """The private network of a stack that every container joins."""

    name: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class HttpService:
    """A service that answers HTTP: `host` and `port` on the network, `url` on the host machine if it is published."""

    name: str
    host: str
    port: int
    url: str | None = None
    health_path: str = "/"
    page: bool = False
    """True for a page that a person opens; False for an interface that programs call."""
    ready: Sequence[pulumi.Resource] = ()


@dataclass(frozen=True, kw_only=True)
class Observed:
    """A service as monitoring sees it: a TCP port that is open while it lives, if it has one, and the path of its metrics there, if
    it offers any itself."""

    name: str
    layer: str
    host: str
    port: int | None
    metrics: str | None


@dataclass(frozen=True, kw_only=True)
class Topic:
    """A Kafka topic. `retention_ms` is None for a compacted topic."""

    name: str
    partitions: int
    replication: int
    retention_ms: int | None
    ready: Sequence[pulumi.Resource] = ()


@dataclass(frozen=True, kw_only=True)
class Broker:
    """Kafka. `bootstrap` and `external` are comma-separated `host:port` lists."""

    bootstrap: str
    external: str
    topics: Mapping[str, Topic] = field(default_factory=dict)
    ready: Sequence[pulumi.Resource] = ()


@dataclass(frozen=True, kw_only=True)
class ObjectStore:
    """An S3 server. `provider` administers it; what is declared through it is `deleted_with` the data's volume."""

    endpoint: str
    external: str
    region: str
    provider: pulumi.ProviderResource | None
    deleted_with: pulumi.Resource | None
    ready: Sequence[pulumi.Resource] = ()


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """A bucket of the lake."""

    name: str
    ready: Sequence[pulumi.Resource] = ()


@dataclass(frozen=True, kw_only=True)
class LakeUser:
    """Credentials of one client of the lake, and what it may do."""

    access_key: str
    secret_key: pulumi.Input[str]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    ready: Sequence[pulumi.Resource] = ()


@dataclass(frozen=True, kw_only=True)
class Lake:
    """The object store with its buckets and one user for each client."""

    store: ObjectStore
    buckets: Mapping[str, Bucket]
    users: Mapping[str, LakeUser]


@dataclass(frozen=True, kw_only=True)
class Database:
    """A PostgreSQL database and the role that owns it."""

    host: str
    port: int
    name: str
    user: str
    password: pulumi.Input[str]
    ready: Sequence[pulumi.Resource] = ()


@dataclass(frozen=True, kw_only=True)
class Cache:
    """A Redis server with a password."""

    host: str
    port: int
    password: pulumi.Input[str]
    ready: Sequence[pulumi.Resource] = ()


@dataclass(frozen=True, kw_only=True)
class JobEndpoint:
    """A service that runs jobs on request: POST /jobs with `api_key`, then GET /jobs/<id>."""

    url: str
    external: str
    api_key: pulumi.Input[str]
    ready: Sequence[pulumi.Resource] = ()


@dataclass(frozen=True, kw_only=True)
class ModelEndpoint:
    """A served model: POST /v1/predict with `api_key`, which is that of the platform's own services."""

    url: str
    external: str
    api_key: pulumi.Input[str]
    ready: Sequence[pulumi.Resource] = ()
