"""Rules: a file gives back the very model that was written; one that is damaged, foreign, or for other features is refused in
words; and loading one runs nothing that it brings along."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from applications.ml.features import registry
from applications.ml.model.artifact import _digest, read, write
from applications.ml.model.errors import ModelError
from applications.ml.model.risk import RiskModel
from applications.ml.training.split import Split


@pytest.mark.parametrize("kind", ["logistic", "gbm"])
def test_a_model_comes_back_as_it_was(kind: str, models: Mapping[str, RiskModel], parts: Split, tmp_path: Path) -> None:
    model = models[kind]
    back = read(write(model, tmp_path))
    assert (back.kind, back.threshold, back.calibration, back.names) == (kind, model.threshold, model.calibration, registry.NAMES)
    assert (back.predict(parts.test) == model.predict(parts.test)).all()
    assert (write(back, tmp_path).read_bytes()) == write(model, tmp_path).read_bytes()


@pytest.fixture
def file(models: Mapping[str, RiskModel], tmp_path: Path) -> Path:
    return write(models["gbm"], tmp_path)


def changed(file: Path, **changes: Any) -> None:
    """Changes the content and leaves the digest as it was."""
    document = json.loads(file.read_text())
    document["model"].update(changes)
    file.write_text(json.dumps(document))


def test_a_single_changed_number_is_noticed(file: Path) -> None:
    changed(file, threshold=0.5)
    with pytest.raises(ModelError, match="is damaged: its digest does not fit"):
        read(file)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b'"text"', b"\xff\xfe", b'{"format": 1}',
                                     b'{"format": 1, "model": null, "digest": ""}', pickle.dumps({"format": 1})])
def test_what_is_no_model_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "risk-model.json"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"risk-model\.json (is no model that can be read|is damaged)"):
        read(path)


def test_a_file_that_was_cut_off_is_refused(file: Path) -> None:
    whole = file.read_bytes()
    for length in range(0, len(whole), len(whole) // 20):
        file.write_bytes(whole[:length])
        with pytest.raises(ModelError):
            read(file)


def test_trees_that_make_no_sense_are_refused(file: Path) -> None:
    """Even with a fitting digest."""
    changed(file, estimator={"trees": "no trees"})
    resign(file)
    with pytest.raises(ModelError, match="LightGBMError"):
        read(file)


def test_a_model_of_other_features_is_refused(file: Path) -> None:
    changed(file, features_version="0-other")
    resign(file)
    with pytest.raises(ModelError, match=f"trained with features 0-other, and this process computes {registry.VERSION}"):
        read(file)


def test_a_format_of_the_future_is_refused(file: Path) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 2}))
    with pytest.raises(ModelError, match="has format 2, and this code reads 1"):
        read(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="FileNotFoundError"):
        read(tmp_path / "risk-model.json")


def resign(file: Path) -> None:
    """Makes the digest fit the content."""
    document = json.loads(file.read_text())
    document["digest"] = _digest(document["model"])
    file.write_text(json.dumps(document))
