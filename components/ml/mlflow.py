"""The tracking server and model registry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.contracts import Database, HttpService, Lake, Network
from components.files import render, service_file
from components.layer import Scope, child_of
from components.service import SECRETS_FOLDER, Health, Limits, Port, Service, ServiceArgs

INSIDE = 5000
WORKER_MB = 512
BUCKET = "mlflow-artifacts"


@dataclass(frozen=True, kw_only=True)
class MlflowArgs:
    """What MLflow is given: its database, and the lake in which it keeps its artifacts as the user `mlflow`."""

    scope: Scope
    network: Network
    database: Database
    lake: Lake
    workers: int
    port: int


class Mlflow(pulumi.ComponentResource):
    """One MLflow server; artifacts go through it, so that its clients need no keys of the lake.

    Outputs: `server` (HttpService).
    """

    server: HttpService

    def __init__(self, name: str, args: MlflowArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clinical:ml:Mlflow", name, None, opts)
        folder, database, user = Path(__file__).parent, args.database, args.lake.users["mlflow"]
        keys = pulumi.Output.from_input(user.secret_key).apply(lambda key: render(
            folder, "aws-credentials", access_key=user.access_key, secret_key=key))
        hosts = ",".join(f"{host}:{port}" for host, port in (
            (name, INSIDE), ("localhost", INSIDE), ("127.0.0.1", INSIDE), ("localhost", args.port), ("127.0.0.1", args.port)))
        service = Service(name, ServiceArgs(
            scope=args.scope, network=args.network, image="mlflow",
            command=["mlflow", "server", "--host", "0.0.0.0", "--port", str(INSIDE), "--workers", str(args.workers),
                     # libpq finds address and password in the service file; no secret stands in a command or a variable.
                     "--backend-store-uri", f"postgresql+psycopg2:///?service={database.name}",
                     "--serve-artifacts", "--artifacts-destination", f"s3://{args.lake.buckets[BUCKET].name}",
                     "--allowed-hosts", hosts, "--expose-prometheus", "/tmp/metrics"],
            environment={"PGSERVICEFILE": f"{SECRETS_FOLDER}/pg_service.conf",
                         "AWS_SHARED_CREDENTIALS_FILE": f"{SECRETS_FOLDER}/aws-credentials",
                         "AWS_DEFAULT_REGION": args.lake.store.region, "MLFLOW_S3_ENDPOINT_URL": args.lake.store.endpoint,
                         # Runs of MLflow's own evaluation jobs, which nobody asks for here, take three times the memory.
                         "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            secrets={"pg_service.conf": service_file(database), "aws-credentials": keys},
            ports=[Port(inside=INSIDE, outside=args.port)],
            health=Health.http(INSIDE, "/health"),
            answers=INSIDE, metrics="/metrics", limits=Limits(memory_mb=WORKER_MB + WORKER_MB * args.workers, cpus=1.0),
            after=[*database.ready, *user.ready, *args.lake.buckets[BUCKET].ready]), child_of(self))
        self.server = HttpService(name=name, host=service.host, port=INSIDE, page=True, health_path="/health", ready=service.ready,
                                  url=f"http://{args.scope.platform.bind_address}:{args.port}")
        self.register_outputs({"host": service.host})
