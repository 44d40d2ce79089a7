"""The ML layer: features, training, the model registry, and the model's answers."""

from components.ml.layer import Ml
from components.ml.settings import MlSettings

__all__ = ["Ml", "MlSettings"]
