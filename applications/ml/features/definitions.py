"""What Feast is told: the patient, the view of all features of the registry, and where both of its stores are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

from pydantic import SecretStr

from applications.ml.features.feast_parts import (
    DeltaFormat,
    Entity,
    FeatureView,
    Field,
    FileSource,
    Float64,
    RegistryConfig,
    RepoConfig,
    String,
    ValueType,
)
from applications.ml.features.lake import FEATURES_TABLE
from applications.ml.features.offline import LONGEST_AGE
from applications.ml.features.registry import FEATURES, OWNER

PROJECT = "clinical"
VIEW_NAME = "patient_features"
CONNECT_SECONDS, ANSWER_SECONDS = 2, 2


class OnlineAccess(Protocol):
    """Where the online store is: settings of a service have these fields."""

    @property
    def redis_host(self) -> str: ...
    @property
    def redis_port(self) -> int: ...
    @property
    def redis_password(self) -> SecretStr: ...


PATIENT = Entity(name="patient", join_keys=["patient_id"], value_type=ValueType.STRING, description="A participant, by pseudonym.")

VIEW = FeatureView(
    name=VIEW_NAME, entities=[PATIENT], ttl=LONGEST_AGE, owner=OWNER,
    schema=[Field(name="patient_id", dtype=String),
            *(Field(name=feature.name, dtype=Float64 if feature.kind == "number" else String, description=feature.description,
                    tags={"unit": feature.unit, "owner": feature.owner}) for feature in FEATURES)],
    source=FileSource(name="patient_features_table", path=f"s3://{FEATURES_TABLE}", file_format=DeltaFormat(),
                      timestamp_field="event_timestamp", created_timestamp_column="created_timestamp"))


def configuration(access: OnlineAccess, registry: Path) -> RepoConfig:
    """Feast's configuration. Definitions are this code; the file `registry` only repeats them for Feast's own sake."""
    # Feast splits this text at commas and reads each value as JSON: as JSON without a comma, any password survives.
    password = json.dumps(access.redis_password.get_secret_value()).replace(",", "\\u002c")
    online: dict[str, Any] = {
        "type": "redis", "connection_string": f"{access.redis_host}:{access.redis_port},password={password},"
        # Without retries: who asks for a prediction is told at once, and a job runs again anyway.
        f"socket_connect_timeout={CONNECT_SECONDS},socket_timeout={ANSWER_SECONDS},retry=null"}
    return RepoConfig(project=PROJECT, provider="local", registry=RegistryConfig(path=str(registry)), online_store=online,
                      entity_key_serialization_version=3)
