"""JSON schemas of what travels, one file a topic and version: `<topic>-<version>.json`.

`python -m applications.clinical.schemas` writes those of the present version. A file that stands is never changed: whoever
reads events of a version can rely on it, so a changed model needs a new SCHEMA_VERSION.
"""

from __future__ import annotations

import json
from pathlib import Path

from applications.clinical.models import DEAD_LETTER_TOPIC, MODELS, SCHEMA_VERSION, DeadLetter
from applications.clinical.predictions import PREDICTIONS_TOPIC, Prediction

FOLDER = Path(__file__).parent


class Changed(Exception):
    """A model that no longer gives the schema of its version; the text says what to do."""


def current() -> dict[str, str]:
    """The present schemas as text, by file name."""
    models = {**{str(kind): model for kind, model in MODELS.items()}, DEAD_LETTER_TOPIC: DeadLetter,
              PREDICTIONS_TOPIC: Prediction}
    found = {}
    for name, model in models.items():
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:clinical:schema:{name}:{SCHEMA_VERSION}",
                  **model.model_json_schema()}
        found[f"{name}-{SCHEMA_VERSION}.json"] = json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    return found


def export(folder: Path = FOLDER) -> list[Path]:
    """Writes the present schemas where they are not yet; returns the new files. Raises Changed, and then writes nothing."""
    wanted = {folder / name: text for name, text in current().items()}
    standing = {path: path.read_text(encoding="utf-8") for path in wanted if path.exists()}
    changed = [path.name for path, text in standing.items() if text != wanted[path]]
    if changed:
        raise Changed(f"{', '.join(changed)}: the model says something else now. Raise SCHEMA_VERSION in "
                      "applications/clinical/models.py (minor for what old readers can ignore, else major), then export again")
    new = [path for path in wanted if path not in standing]
    for path in new:
        path.write_text(wanted[path], encoding="utf-8")
    return new
