"""The model as one file: JSON, and no pickle, so that loading a file runs nothing that it brings along.

The file carries a digest of its content, and the version and names of the features that it was trained with.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import lightgbm

from applications.ml.features import registry
from applications.ml.model.encoding import ENCODING
from applications.ml.model.errors import ModelError
from applications.ml.model.estimators import KINDS
from applications.ml.model.risk import Calibration, RiskModel

FILE, KEY = "risk-model.json", "risk-model"
"""The file's name, and what MLflow calls it among a logged model's artifacts."""
FORMAT = 1


def write(model: RiskModel, folder: Path) -> Path:
    """Writes a model into a folder and returns the file's path. The same model gives the same bytes."""
    content = {
        "features_version": model.features_version, "names": list(model.names),
        "kind": model.kind, "estimator": model.estimator.document(),
        "calibration": {"slope": model.calibration.slope, "intercept": model.calibration.intercept},
        "threshold": model.threshold}
    path = folder / FILE
    path.write_text(json.dumps({"format": FORMAT, "digest": _digest(content), "model": content}), encoding="utf-8")
    return path


def read(path: Path) -> RiskModel:
    """The model of a file. Raises ModelError when it is none, is damaged, or is for other features than these."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise ModelError(f"{path.name} has format {document['format']}, and this code reads {FORMAT}: use the version of the "
                             "platform that wrote it, or train a new model")
        content = document["model"]
        if document["digest"] != _digest(content):
            raise ModelError(f"{path.name} is damaged: its digest does not fit its content. Restore it, or train a new model")
        _check_features(content)
        return _model(content)
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError, lightgbm.basic.LightGBMError) as error:
        raise ModelError(f"{path.name} is no model that can be read ({type(error).__name__}). Restore it, or train a new "
                         "model") from error


def _check_features(content: dict[str, Any]) -> None:
    if (content["features_version"], tuple(content["names"])) != (registry.VERSION, registry.NAMES):
        raise ModelError(f"the model was trained with features {content['features_version']}, and this process computes "
                         f"{registry.VERSION}: train a new model, or start the version of the platform that trained this one")


def _model(content: dict[str, Any]) -> RiskModel:
    calibration = content["calibration"]
    return RiskModel(content["features_version"], ENCODING, KINDS[content["kind"]].of(content["estimator"]),
                     Calibration(float(calibration["slope"]), float(calibration["intercept"])), float(content["threshold"]))


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
