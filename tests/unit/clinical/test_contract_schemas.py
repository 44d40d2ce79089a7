"""Rules: a schema is fixed once its version is out; a model that changes needs a new version."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from pydantic import BaseModel

from applications.clinical import schemas
from applications.clinical.models import MODELS, SCHEMA_VERSION
from applications.clinical.schemas import __main__ as exporter

# What is out. Add lines for a new version; never change one.
RELEASED = {
    "adverse-events-1.0.0.json": "22d704ecccb083cca0b9d0311df5eb8286179b989f31941f37b1003461b78a48",
    "clinical-alerts-1.0.0.json": "9c5cec7ce4790f49f6b0a62d79284ecd4959839620a71b1e11cb254a71c685a7",
    "dead-letter-1.0.0.json": "794923b5de3fb02f97e85f55d5b0fab6faa2cef66673be995a7f6a05d2e1ae81",
    "demographics-1.0.0.json": "eb7e3ad5bdecc1eda8be70639ed6473814a6e001361a56e79d149a22d6095ded",
    "lab-results-1.0.0.json": "afa8071e576ef5867850b10270f26101ae9d6b849509d09ebaf04355c04e1a65",
    "medications-1.0.0.json": "1e75a407e40c44d6c5b951a430a118361288bcba16bb1d5da26f468474a2abcc",
    "model-predictions-1.0.0.json": "1b686edda78faa7ef1ebd7e5708a232679d8fa92d4ecd8ff7be291b9eb6f48ba",
    "patient-vitals-1.0.0.json": "9a013c0fb35d338589491a5dc92e47146171c93cc95046ead8f22a06a1738ded"}
REMEDY = ("a model's schema changed: raise SCHEMA_VERSION in applications/clinical/models.py, run "
          "python -m applications.clinical.schemas, and add the new files' hashes here")


def test_models_give_the_schemas_of_their_version() -> None:
    standing = {path.name: path.read_text(encoding="utf-8") for path in schemas.FOLDER.glob(f"*-{SCHEMA_VERSION}.json")}
    assert schemas.current() == standing, REMEDY
    assert len(standing) == len(MODELS) + len(("dead-letter", "model-predictions"))


def test_files_of_a_version_never_change_and_none_is_missing() -> None:
    found = {path.name: sha256(path.read_bytes()).hexdigest() for path in schemas.FOLDER.glob("*.json")}
    assert found == RELEASED, REMEDY


def test_the_exporter_writes_what_is_new_and_never_overwrites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {path.name for path in schemas.export(tmp_path)} == set(schemas.current())
    assert schemas.export(tmp_path) == []

    class Other(BaseModel):
        """A model that is not what it was."""

        mood: str

    monkeypatch.setattr(schemas, "DeadLetter", Other)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / f"patient-vitals-{SCHEMA_VERSION}.json").unlink()
    with pytest.raises(schemas.Changed, match=rf"dead-letter-{SCHEMA_VERSION}\.json.*Raise SCHEMA_VERSION"):
        schemas.export(tmp_path)
    del before[f"patient-vitals-{SCHEMA_VERSION}.json"]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before

    monkeypatch.setattr(schemas, "SCHEMA_VERSION", "1.1.0")
    assert "dead-letter-1.1.0.json" in {path.name for path in schemas.export(tmp_path)}


def test_the_command_says_what_stands_and_fails_on_a_change(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert exporter.main() == 0
    assert "every schema stands" in capsys.readouterr().out

    def refuse() -> list[Path]:
        raise schemas.Changed("patient-vitals-1.0.0.json: the model says something else now")

    monkeypatch.setattr(exporter, "export", refuse)
    assert exporter.main() == 1
    assert "patient-vitals-1.0.0.json" in capsys.readouterr().err
