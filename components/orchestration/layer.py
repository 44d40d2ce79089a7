"""The orchestration layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pulumi

from components.contracts import Broker, Cache, Database, HttpService, JobEndpoint, Lake, LakeUser, ModelEndpoint, Network
from components.layer import Layer, child_of
from components.orchestration.airflow import LOGS, Airflow, AirflowArgs
from components.orchestration.settings import OrchestrationSettings

LAKE_USER, DATABASE = "airflow", "airflow"
Connection = Mapping[str, Any]


class Orchestration(Layer):
    """Airflow, whose DAGs drive the other layers through what these offer: job endpoints, registry, model, broker, lake.

    Outputs: `server` (HttpService).
    """

    server: HttpService

    def __init__(self, name: str, settings: OrchestrationSettings, *, network: Network, broker: Broker, lake: Lake, cache: Cache,
                 databases: Mapping[str, Database], spark: JobEndpoint, features: JobEndpoint, training: JobEndpoint,
                 registry: HttpService, serving: ModelEndpoint, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Orchestration", name, settings, opts)
        user = lake.users[LAKE_USER]
        connections: dict[str, Connection] = {
            "spark_batch": http(spark.url, spark.api_key), "feature_engineering": http(features.url, features.api_key),
            "ml_training": http(training.url, training.api_key), "model_serving": http(serving.url, serving.api_key),
            "mlflow": http(f"http://{registry.host}:{registry.port}"), "kafka": {
                "conn_type": "generic", "extra": {"bootstrap": broker.bootstrap}},
            "lake": {**http(lake.store.endpoint, user.secret_key), "conn_type": "generic", "login": user.access_key},
            "lake_logs": logs(lake, lake.users[LOGS]),
            **{f"database_{database.name}": postgres(database) for database in databases.values()}}
        self.server = Airflow("airflow", AirflowArgs(
            scope=self.scope, network=network, settings=settings, database=databases[DATABASE], cache=cache, lake=lake,
            connections=pulumi.Output.json_dumps(connections),
            after=[*broker.ready, *user.ready, *registry.ready, *spark.ready, *features.ready, *training.ready, *serving.ready,
                   *(resource for database in databases.values() for resource in database.ready)]), child_of(self)).server
        self.finish({"airflow": self.server.url}, pages=(self.server,))


def http(url: str, key: pulumi.Input[str] | None = None) -> dict[str, Any]:
    """A service that speaks HTTP, and the key that it wants."""
    address = urlsplit(url)
    found = {"conn_type": "http", "host": address.hostname, "port": address.port, "schema": address.scheme}
    return {**found, "password": key} if key is not None else found


def postgres(database: Database) -> Connection:
    """A database, as the role that owns it."""
    return {"conn_type": "postgres", "host": database.host, "port": database.port, "schema": database.name,
            "login": database.user, "password": database.password}


def logs(lake: Lake, user: LakeUser) -> Connection:
    """The lake as Airflow's own client for logs wants it."""
    return {"conn_type": "aws", "login": user.access_key, "password": user.secret_key,
            "extra": {"endpoint_url": lake.store.endpoint, "region_name": lake.store.region,
                      # Without a name of its own for each bucket, which no name server here knows.
                      "config_kwargs": {"s3": {"addressing_style": "path"}}}}
