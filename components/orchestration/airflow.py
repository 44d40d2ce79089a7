"""Airflow: one image and one configuration, a task that prepares its database, and a process for each of its parts."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi

from components.contracts import Cache, Database, HttpService, Lake, Network
from components.files import render, service_file
from components.layer import Scope, child_of
from components.orchestration.settings import OrchestrationSettings
from components.service import CONFIG_FOLDER, SECRETS_FOLDER, Health, Limits, Port, RunArgs, Service, ServiceArgs, Task

WEBSERVER, INSIDE = "airflow-webserver", 8080
SCHEDULER_HEALTH = 8974
LOGS = "airflow-logs"
"""The bucket with the logs of tasks, and the user that writes there."""
BROKER_DATABASE = 1
"""Of Redis, for the Celery executor; 0 is the online store's."""
TASK_MB = 256
"""What a running task takes beside the process that runs it."""
HEALTHY = ('exec 3<>/dev/tcp/127.0.0.1/8080 && printf "GET /api/v2/monitor/health HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n" >&3 '
           '&& [[ $(cat <&3) == *"\\"metadatabase\\":{\\"status\\":\\"healthy\\""* ]]')


@dataclass(frozen=True, kw_only=True)
class AirflowArgs:
    """What Airflow is given: its database, Redis for the Celery executor, the lake for its logs, and the connections of its
    DAGs as JSON. `after` is what these connections lead to."""

    scope: Scope
    network: Network
    settings: OrchestrationSettings
    database: Database
    cache: Cache
    lake: Lake
    connections: pulumi.Input[str]
    after: Sequence[pulumi.Resource]


class Airflow(pulumi.ComponentResource):
    """The web server, the scheduler, the processor of DAGs, the triggerer, and workers where the stack wants some.

    Outputs: `server` (HttpService).
    """

    server: HttpService

    def __init__(self, name: str, args: AirflowArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clinical:orchestration:Airflow", name, None, opts)
        settings, here = args.settings, child_of(self)
        address = f"http://{args.scope.platform.bind_address}:{settings.port(WEBSERVER)}"
        given: dict[str, Any] = {"scope": args.scope, "network": args.network, "image": "airflow", "files": files(args, address)}
        secrets = secrets_of(args)

        prepared = Task("airflow-init", RunArgs(
            **given, command=["python3", "-m", "applications.orchestration.init"], limits=Limits(memory_mb=768),
            environment=environment("airflow-init"), after=[*args.after, *args.database.ready, *args.lake.users[LOGS].ready],
            secrets={**secrets, "connections.json": args.connections, "airflow-admin": settings.secret("airflow-admin"),
                     "airflow-monitoring": settings.secret("airflow-monitoring")}), here)

        def process(service: str, command: Sequence[str], health: Health, memory_mb: int, grace: int = 15,
                    answers: int | None = None, metrics: str | None = None, **more: Any) -> Service:
            return Service(service, ServiceArgs(
                **given, command=["airflow", *command], health=health, secrets=secrets, stop_grace_seconds=grace,
                limits=Limits(memory_mb=memory_mb, cpus=1.5), answers=answers, metrics=metrics,
                # Known once the task ended well, so that nothing begins before it or without it.
                environment={**environment(service), "AIRFLOW_INIT": prepared.done}, **more), here)

        web = process(WEBSERVER, ["api-server"], Health(["bash", "-c", HEALTHY]), 768,
                      ports=[Port(inside=INSIDE, outside=settings.port(WEBSERVER))], answers=INSIDE, metrics="/monitoring/metrics")
        inside = 0 if settings.airflow_workers else settings.airflow_parallelism
        process("airflow-scheduler", ["scheduler"], Health.http(SCHEDULER_HEALTH, "/health"), grace=60,
                answers=SCHEDULER_HEALTH, memory_mb=768 + inside * TASK_MB)
        process("airflow-dag-processor", ["dag-processor"], beating("DagProcessorJob"), 512)
        process("airflow-triggerer", ["triggerer"], beating("TriggererJob"), 768)
        for worker in settings.workers():
            process(worker, ["celery", "worker"], Health(["python3", "/opt/worker-health.py"], seconds=20),
                    grace=60, memory_mb=768 + settings.airflow_parallelism * TASK_MB, after=args.cache.ready)
        self.server = HttpService(name=WEBSERVER, host=WEBSERVER, port=INSIDE, page=True, url=address, ready=web.ready,
                                  health_path="/api/v2/monitor/health")
        self.register_outputs({"host": WEBSERVER})


def environment(service: str) -> Mapping[str, pulumi.Input[str]]:
    """The variables of every process."""
    return {"SERVICE": service, "LAYER": "orchestration", "ORCHESTRATION_SCHEDULES": f"{CONFIG_FOLDER}/schedules.json",
            "PGSERVICEFILE": f"{SECRETS_FOLDER}/pg_service.conf"}


def files(args: AirflowArgs, address: str) -> Mapping[str, str]:
    """The configuration, the same for every process, and the schedules that the stack sets."""
    settings = args.settings
    configuration = render(
        Path(__file__).parent, "airflow.cfg", executor="CeleryExecutor" if settings.airflow_workers else "LocalExecutor",
        webserver=WEBSERVER, concurrency=settings.airflow_parallelism, base_url=address, log_bucket=LOGS,
        parallelism=settings.airflow_parallelism * max(1, settings.airflow_workers),
        instance=f"{args.scope.project} {args.scope.stack}")
    return {f"{CONFIG_FOLDER}/airflow.cfg": configuration,
            f"{CONFIG_FOLDER}/schedules.json": json.dumps(settings.schedules())}


def secrets_of(args: AirflowArgs) -> Mapping[str, pulumi.Input[str]]:
    """The secret files of every process: where the database and the queue are, and the keys that all share."""
    settings, database, cache = args.settings, args.database, args.cache
    where = pulumi.Output.concat(database.user, ":", database.password, f"@{database.host}:{database.port}/{database.name}")
    return {"airflow-database": pulumi.Output.concat("postgresql+psycopg2://", where), "pg_service.conf": service_file(database),
            "airflow-results": pulumi.Output.concat("db+postgresql://", where),
            "airflow-broker": pulumi.Output.concat("redis://:", cache.password, f"@{cache.host}:{cache.port}/{BROKER_DATABASE}"),
            "fernet-key": settings.secret("airflow-fernet").apply(fernet_key),
            "airflow-secret-key": settings.secret("airflow-api"),
            "airflow-jwt-secret": settings.secret("airflow-jwt").apply(jwt_secret)}


def fernet_key(secret: str) -> str:
    """A key of the form that Fernet wants, 32 bytes in URL-safe base64, out of a generated secret."""
    return base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest()).decode()


def jwt_secret(secret: str) -> str:
    """A text of the length that HS512 wants, out of a generated secret."""
    return hashlib.sha512(secret.encode()).hexdigest()


def beating(job: str) -> Health:
    """Healthy while the database has a fresh heartbeat of this process, which is all that it answers by."""
    query = (f"select 1 from job where job_type = '{job}' and hostname = '$HOSTNAME' and state = 'running' "
             "and latest_heartbeat > now() - interval '30 seconds' limit 1")
    return Health(["bash", "-c", f'[ "$(psql service=airflow -XAtqc "{query}")" = 1 ]'])
