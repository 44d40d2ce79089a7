"""The object store."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_minio as minio

from components.contracts import HttpService, Network, ObjectStore
from components.layer import Scope, child_of
from components.service import SECRETS_FOLDER, Health, Limits, Port, Service, ServiceArgs

ROOT_USER = "lake-root"
REGION = "us-east-1"


@dataclass(frozen=True, kw_only=True)
class MinioArgs:
    """What MinIO is given; ports are the host's."""

    scope: Scope
    network: Network
    root_password: pulumi.Output[str]
    port: int
    console_port: int


class Minio(pulumi.ComponentResource):
    """MinIO on one volume, and the provider that declares buckets, users and policies in it.

    Outputs: `store` (ObjectStore), `console` (HttpService: its web page).
    """

    store: ObjectStore
    console: HttpService

    def __init__(self, name: str, args: MinioArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clinical:infrastructure:Minio", name, None, opts)
        scope = args.scope
        service = Service(name, ServiceArgs(
            scope=scope, network=args.network, image="minio",
            command=["minio", "server", "/data", "--address", ":9000", "--console-address", ":9001"],
            environment={"MINIO_ROOT_USER": ROOT_USER, "MINIO_ROOT_PASSWORD_FILE": f"{SECRETS_FOLDER}/root-password",
                         "MINIO_PROMETHEUS_AUTH_TYPE": "public", "MINIO_REGION": REGION, "HOME": "/tmp"},
            secrets={"root-password": args.root_password},
            volumes={"data": "/data"},
            ports=[Port(inside=9000, outside=args.port), Port(inside=9001, outside=args.console_port)],
            health=Health.http(9000, "/minio/health/ready"),
            answers=9000, metrics="/minio/v2/metrics/cluster", limits=Limits(memory_mb=768),
            stop_grace_seconds=20), child_of(self))
        address = str(scope.platform.bind_address)
        external = f"{address}:{args.port}"
        provider = minio.Provider(
            f"{name}-provider", minio_server=external, minio_user=ROOT_USER, minio_password=args.root_password,
            minio_region=REGION, minio_ssl=False,
            opts=child_of(self, depends_on=list(service.ready))) if scope.keeps_data else None
        self.store = ObjectStore(endpoint=f"http://{service.host}:9000", external=f"http://{external}", region=REGION,
                                 provider=provider, deleted_with=service.data, ready=service.ready)
        self.console = HttpService(name="minio-console", host=service.host, port=9001, page=True,
                                   url=f"http://{address}:{args.console_port}", ready=service.ready)
        self.register_outputs({"endpoint": self.store.endpoint, "external": self.store.external})
