"""The ML layer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pulumi

from components.application import MONITOR_PORT, Application, ApplicationArgs
from components.contracts import Broker, Cache, Database, HttpService, JobEndpoint, Lake, ModelEndpoint, Network
from components.layer import Layer, child_of
from components.ml.mlflow import Mlflow, MlflowArgs
from components.ml.settings import MlSettings
from components.service import Limits, Port

DATA = {"data": "/data"}
Make = Callable[..., ApplicationArgs]


class Ml(Layer):
    """Features, offline in the lake and online in Redis; training; the model registry; and the model's answers.

    Outputs: `features` and `training` (JobEndpoint), `registry` (HttpService), `serving` (ModelEndpoint).
    """

    features: JobEndpoint
    training: JobEndpoint
    registry: HttpService
    serving: ModelEndpoint

    def __init__(self, name: str, settings: MlSettings, *, network: Network, broker: Broker, lake: Lake, cache: Cache,
                 database: Database, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Ml", name, settings, opts)
        here, address = child_of(self), self.scope.platform.bind_address
        self.registry = Mlflow("mlflow-server", MlflowArgs(
            scope=self.scope, network=network, database=database, lake=lake, workers=settings.mlflow_workers,
            port=settings.port("mlflow-server")), here).server

        make: Make = partial(ApplicationArgs, scope=self.scope, network=network, image="ml")
        features = Application("FeatureEngineering", "feature-engineering", engineering(make, settings, lake, cache), here)
        training = Application("MlTraining", "ml-training", trainer(make, settings, lake, self.registry), here)
        serving = Application("ModelServing", "model-serving", server(make, settings, broker, cache, self.registry), here)

        self.features = self._jobs(features, settings, "features-jobs-key")
        self.training = self._jobs(training, settings, "training-jobs-key")
        pages = [HttpService(name=app.service.host, host=app.service.host, port=MONITOR_PORT, page=True, health_path="/health",
                             url=f"http://{address}:{settings.port(app.service.host)}/docs", ready=app.service.ready)
                 for app in (features, training, serving)]
        host, external = serving.service.host, f"http://{address}:{settings.port(serving.service.host)}"
        self.serving = ModelEndpoint(url=f"http://{host}:{MONITOR_PORT}", external=external,
                                     api_key=settings.secret("serving-key-monitoring"), ready=serving.service.ready)
        self.finish({"serving": f"{external}/docs"}, pages=(self.registry, *pages))

    def _jobs(self, application: Application, settings: MlSettings, key: str) -> JobEndpoint:
        host = application.service.host
        return JobEndpoint(url=f"http://{host}:{MONITOR_PORT}", ready=application.service.ready, api_key=settings.secret(key),
                           external=f"http://{self.scope.platform.bind_address}:{settings.port(host)}")


def engineering(make: Make, settings: MlSettings, lake: Lake, cache: Cache) -> ApplicationArgs:
    """Silver to features: the lake's for training, Redis' for serving."""
    user = lake.users["feature-engineering"]
    return make(
        module="applications.ml.features",
        environment={"lake_endpoint": lake.store.endpoint, "lake_region": lake.store.region, "lake_user": user.access_key,
                     "redis_host": cache.host, "redis_port": str(cache.port), "grid_hours": str(settings.features_grid_hours),
                     "refresh_seconds": str(settings.features_refresh_seconds)},
        secrets={"lake_secret_key": user.secret_key, "redis_password": cache.password,
                 "api_key": settings.secret("features-jobs-key")},
        volumes=DATA, ports=[Port(inside=MONITOR_PORT, outside=settings.port("feature-engineering"))],
        limits=Limits(memory_mb=1536, cpus=1.0), after=[*user.ready, *cache.ready])


def trainer(make: Make, settings: MlSettings, lake: Lake, registry: HttpService) -> ApplicationArgs:
    """Features and labels to a registered model."""
    user = lake.users["ml-training"]
    return make(
        module="applications.ml.training",
        environment={"lake_endpoint": lake.store.endpoint, "lake_region": lake.store.region, "lake_user": user.access_key,
                     "mlflow_uri": f"http://{registry.host}:{registry.port}",
                     "bootstrap_seconds": str(settings.training_bootstrap_seconds),
                     "min_positives": str(settings.training_min_positives),
                     "most_auroc_gap": str(settings.training_most_auroc_gap)},
        secrets={"lake_secret_key": user.secret_key, "api_key": settings.secret("training-jobs-key")},
        volumes=DATA, ports=[Port(inside=MONITOR_PORT, outside=settings.port("ml-training"))],
        limits=Limits(memory_mb=2048, cpus=1.0), after=[*user.ready, *registry.ready])


def server(make: Make, settings: MlSettings, broker: Broker, cache: Cache, registry: HttpService) -> ApplicationArgs:
    """The champion, answering."""
    keys = {client: settings.secret(f"serving-key-{client}") for client in ("clinic", "monitoring")}
    return make(
        module="applications.ml.serving",
        environment={"kafka_bootstrap": broker.bootstrap, "redis_host": cache.host, "redis_port": str(cache.port),
                     "mlflow_uri": f"http://{registry.host}:{registry.port}",
                     "max_age_seconds": str(settings.serving_max_age_seconds),
                     "max_missing_share": str(settings.serving_max_missing_share)},
        secrets={"redis_password": cache.password,
                 "api_keys": pulumi.Output.all(**keys).apply(lambda found: "".join(f"{k}:{v}\n" for k, v in found.items()))},
        ports=[Port(inside=MONITOR_PORT, outside=settings.port("model-serving"))],
        limits=Limits(memory_mb=1024, cpus=1.5), after=[*broker.ready, *cache.ready, *registry.ready])
