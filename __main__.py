"""The platform: its layers and what each depends on."""

import pulumi

from components.infrastructure import Infrastructure, InfrastructureSettings
from components.ingestion import Ingestion, IngestionSettings
from components.layer import after, urls
from components.ml import Ml, MlSettings
from components.observability import Observability, ObservabilitySettings
from components.orchestration import Orchestration, OrchestrationSettings
from components.processing import Processing, ProcessingSettings
from components.settings import Settings
from components.storage import Storage, StorageSettings

settings = Settings.load()

infrastructure = Infrastructure("infrastructure", settings.of(InfrastructureSettings))
storage = Storage("storage", settings.of(StorageSettings), lake=infrastructure.lake, opts=after(infrastructure))
ingestion = Ingestion("ingestion", settings.of(IngestionSettings), network=infrastructure.network, broker=infrastructure.broker,
                      lake=infrastructure.lake, opts=after(infrastructure))
processing = Processing("processing", settings.of(ProcessingSettings), network=infrastructure.network,
                        broker=infrastructure.broker, lake=infrastructure.lake, opts=after(infrastructure, ingestion))
ml = Ml("ml", settings.of(MlSettings), network=infrastructure.network, broker=infrastructure.broker, lake=infrastructure.lake,
        cache=infrastructure.cache, database=infrastructure.databases["mlflow"],
        opts=after(infrastructure, ingestion, processing))
orchestration = Orchestration("orchestration", settings.of(OrchestrationSettings), network=infrastructure.network,
                              broker=infrastructure.broker, lake=infrastructure.lake, cache=infrastructure.cache,
                              databases=infrastructure.databases, spark=processing.jobs, features=ml.features,
                              training=ml.training, registry=ml.registry, serving=ml.serving,
                              opts=after(infrastructure, ingestion, processing, ml))
below = (infrastructure, storage, ingestion, processing, ml, orchestration)
observability = Observability("observability", settings.of(ObservabilitySettings), layers=below, network=infrastructure.network,
                              broker=infrastructure.broker, lake=infrastructure.lake, cache=infrastructure.cache,
                              servers=infrastructure.servers, registry=ml.registry, airflow=orchestration.server,
                              opts=after(*below))
layers = (*below, observability)

left_out = settings.catalog.left_out
if left_out:
    pulumi.warn("not to be had without a container registry: " + "; ".join(f"{k}: {v}" for k, v in left_out.items()))
pulumi.export("leftOut", left_out)
pulumi.export("layers", {layer.scope.layer: layer.scope.state.value for layer in layers})
pulumi.export("urls", urls(*layers))
