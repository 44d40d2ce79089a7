"""The parts of Feast that are used, imported without its run-time checks of types.

Feast has typeguard rewrite and compile its classes at each import. That is three of the five seconds of a processor that the
import takes, in every job, for checks of arguments which mypy has made already.
"""

from __future__ import annotations

from typing import Any

# Before Feast, which would else have it write its metrics into files for several processes.
import prometheus_client  # noqa: F401
import typeguard


def _unchanged(target: Any = None, **_: Any) -> Any:
    return _unchanged if target is None else target


_checked = typeguard.typechecked
typeguard.typechecked = _unchanged
try:
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
    from feast.data_format import DeltaFormat
    from feast.infra.online_stores.redis import RedisOnlineStore
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value
    from feast.repo_config import RegistryConfig, RepoConfig
    from feast.types import Float64, String
finally:
    typeguard.typechecked = _checked

__all__ = ["DeltaFormat", "Entity", "EntityKey", "FeatureStore", "FeatureView", "Field", "FileSource", "Float64",
           "RedisOnlineStore", "RegistryConfig", "RepoConfig", "String", "Value", "ValueType"]
