"""Digests of pulled images, as `make lock` resolved them into images.lock.json; without that file tags alone pin."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

LOCK_FILE = Path(__file__).parent.parent / "images.lock.json"


@cache
def _locked() -> dict[str, str]:
    return dict(json.loads(LOCK_FILE.read_text())) if LOCK_FILE.exists() else {}


def digest_of(reference: str) -> str | None:
    """The digest (`sha256:…`) of `repository:tag`, or None where it was never resolved."""
    return _locked().get(reference)
