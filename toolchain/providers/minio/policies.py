"""Policy documents: MinIO rewrites them, so they are compared by what they mean."""

from __future__ import annotations

import json
from typing import Any

LISTS = ("Action", "NotAction", "Resource", "NotResource", "AWS")


def listed(value: Any) -> Any:
    """A policy in one form: lists sorted, single values as lists, empty statement ids left out."""
    if isinstance(value, dict):
        return {key: listed([inner] if key in LISTS and isinstance(inner, str) else inner)
                for key, inner in value.items() if key != "Sid" or inner}
    if isinstance(value, list):
        return sorted((listed(inner) for inner in value), key=lambda inner: json.dumps(inner, sort_keys=True))
    return value


def same(mine: str, theirs: str) -> bool:
    """Whether two policy texts mean the same."""
    return bool(listed(json.loads(mine)) == listed(json.loads(theirs)))


def kept(mine: str | None, theirs: str) -> str:
    """The program's own text while the server's means the same, else the server's."""
    return mine if mine and same(mine, theirs) else theirs


def fault(text: Any) -> str | None:
    """Why this is no policy; None when it is one."""
    try:
        document = json.loads(text)
    except (TypeError, ValueError) as error:
        return f"it is not JSON: {error}"
    if not isinstance(document, dict) or not document.get("Statement"):
        return "a policy needs a Statement"
    return None
