"""The processing layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.application import MONITOR_PORT, Application, ApplicationArgs
from components.contracts import Broker, HttpService, JobEndpoint, Lake, Network
from components.files import render
from components.layer import Layer, Scope, child_of
from components.processing.settings import ProcessingSettings
from components.service import SECRETS_FOLDER, Health, Limits, Port, Service, ServiceArgs

MASTER, MASTER_PORT, MASTER_PAGE, WORKER_PAGE = "spark-master", 7077, 8080, 8081
WORK = "/opt/spark-work"
CONFIGURATION = {"spark_conf_dir": SECRETS_FOLDER}
"""Spark reads its defaults and its log settings from one folder; the defaults hold keys, so it is that of the secrets."""


@dataclass(frozen=True, kw_only=True)
class SparkArgs:
    """What every Spark process is given: the lake's credentials, and the secret that the cluster's members share."""

    scope: Scope
    network: Network
    lake: Lake
    cluster_secret: pulumi.Output[str]
    shuffle_partitions: int

    def files(self, service: str) -> Mapping[str, pulumi.Input[str]]:
        """Spark's two configuration files for one service."""
        folder, store, user = Path(__file__).parent, self.lake.store, self.lake.users["spark"]
        defaults = pulumi.Output.all(cluster=self.cluster_secret, key=user.secret_key).apply(lambda secret: render(
            folder, "spark-defaults.conf", endpoint=store.endpoint, region=store.region, access_key=user.access_key,
            secret_key=secret["key"], cluster_secret=secret["cluster"], shuffle_partitions=self.shuffle_partitions))
        return {"spark-defaults.conf": defaults, "log4j2.properties": render(folder, "log4j2.properties", service=service)}


class SparkCluster(pulumi.ComponentResource):
    """A standalone cluster: one master and its workers. Outputs: `url`, `page` (HttpService: the master's), `ready`."""

    url: str
    page: HttpService
    ready: Sequence[pulumi.Resource]

    def __init__(self, name: str, args: SparkArgs, settings: ProcessingSettings,
                 opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clinical:processing:SparkCluster", name, None, opts)
        self.url, port = f"spark://{MASTER}:{MASTER_PORT}", settings.port(MASTER)
        master = Service(MASTER, self._daemon(
            args, MASTER, "master.Master", ["--host", MASTER, "--port", str(MASTER_PORT), "--webui-port", str(MASTER_PAGE)],
            MASTER_PAGE, Limits(memory_mb=640), ports=[Port(inside=MASTER_PAGE, outside=port)]), child_of(self))
        memory = settings.spark_worker_memory_mb
        workers = [Service(host, self._daemon(
            args, host, "worker.Worker", ["--host", host, "--cores", str(settings.spark_worker_cores), "--memory", f"{memory}m",
                                          "--work-dir", WORK, "--webui-port", str(WORKER_PAGE), self.url],
            # Beside the heaps that it hands out, the worker has its own, and each executor has Python processes. A task waits for
            # Kafka and the store half of its time, and Docker refuses more processors than the machine has.
            WORKER_PAGE, Limits(memory_mb=memory * 3 // 2 + 1024, cpus=settings.spark_worker_cores / 2),
            volumes={"work": WORK}, after=master.ready), child_of(self)) for host in settings.workers()]
        self.ready = [container for service in (master, *workers) for container in service.ready]
        self.page = HttpService(name=MASTER, host=MASTER, port=MASTER_PAGE, page=True, ready=master.ready,
                                url=f"http://{args.scope.platform.bind_address}:{port}")
        self.register_outputs({"url": self.url})

    def _daemon(self, args: SparkArgs, name: str, kind: str, options: Sequence[str], page: int, limits: Limits, *,
                ports: Sequence[Port] = (), volumes: Mapping[str, str] | None = None,
                after: Sequence[pulumi.Resource] = ()) -> ServiceArgs:
        return ServiceArgs(
            scope=args.scope, network=args.network, image="spark",
            command=["spark-class", f"org.apache.spark.deploy.{kind}", *options],
            environment={"SPARK_CONF_DIR": SECRETS_FOLDER, "SPARK_DAEMON_MEMORY": "384m",
                         # It only hands out work: see the driver's options in spark-defaults.conf.
                         "SPARK_DAEMON_JAVA_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"},
            secrets=args.files(name), volumes=volumes or {}, ports=ports, limits=limits, after=after,
            health=Health.http(page, "/json/"), answers=page, metrics="/metrics/prometheus/", stop_grace_seconds=15)


class Processing(Layer):
    """A Spark cluster, the stream from Kafka to the silver tables, and the endpoint that runs jobs.

    Outputs: `jobs` (JobEndpoint).
    """

    jobs: JobEndpoint

    def __init__(self, name: str, settings: ProcessingSettings, *, network: Network, broker: Broker, lake: Lake,
                 opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Processing", name, settings, opts)
        here = child_of(self)
        spark = SparkArgs(scope=self.scope, network=network, lake=lake, cluster_secret=settings.secret("spark-cluster"),
                          shuffle_partitions=settings.shuffle_partitions())
        cluster = SparkCluster("spark", spark, settings, here)
        ready = [*cluster.ready, *lake.users["spark"].ready]
        Application("SparkStreaming", "spark-streaming", ApplicationArgs(
            scope=self.scope, network=network, image="spark", module="applications.processing.streaming",
            environment={**CONFIGURATION, "spark_master": cluster.url, "kafka_bootstrap": broker.bootstrap,
                         "cores": str(settings.streaming_cores), "trigger_seconds": str(settings.streaming_trigger_seconds),
                         "max_offsets": str(settings.streaming_max_offsets)},
            secrets=spark.files("spark-streaming"), volumes={"work": WORK}, limits=Limits(memory_mb=2048, cpus=2.0),
            stop_grace_seconds=60, after=[*broker.ready, *ready]), here)
        port, key = settings.port("spark-batch"), settings.secret("spark-jobs-key")
        batch = Application("SparkBatch", "spark-batch", ApplicationArgs(
            scope=self.scope, network=network, image="spark", module="applications.processing.batch",
            environment={**CONFIGURATION, "spark_master": cluster.url, "cores": str(settings.batch_cores())},
            secrets={"api_key": key, **spark.files("spark-batch")}, volumes={"data": "/data", "work": WORK},
            ports=[Port(inside=MONITOR_PORT, outside=port)], limits=Limits(memory_mb=2048, cpus=2.0), after=ready), here)
        address = f"http://{self.scope.platform.bind_address}:{port}"
        self.jobs = JobEndpoint(url=f"http://{batch.service.host}:{MONITOR_PORT}", external=address, api_key=key,
                                ready=batch.service.ready)
        endpoint = HttpService(name="spark-batch", host=batch.service.host, port=MONITOR_PORT, url=f"{address}/docs", page=True,
                               health_path="/health", ready=batch.service.ready)
        self.finish({"jobs": address}, pages=(cluster.page, endpoint))
