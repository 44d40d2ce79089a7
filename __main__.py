"""The platform: its layers and what each depends on."""

import pulumi

from components.infrastructure import Infrastructure, InfrastructureSettings
from components.layer import after, urls
from components.settings import Settings
from components.storage import Storage, StorageSettings

settings = Settings.load()

infrastructure = Infrastructure("infrastructure", settings.of(InfrastructureSettings))
storage = Storage("storage", settings.of(StorageSettings), lake=infrastructure.lake, opts=after(infrastructure))

left_out = settings.catalog.left_out
if left_out:
    pulumi.warn("not to be had without a container registry: " + "; ".join(f"{k}: {v}" for k, v in left_out.items()))
pulumi.export("leftOut", left_out)
pulumi.export("layers", {layer.scope.layer: layer.scope.state.value for layer in (infrastructure, storage)})
pulumi.export("urls", urls(infrastructure, storage))
