"""Ids of events that come in another format: made from what the sender says, so that a resend has the same ones."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid5

from applications.clinical.reasons import Reason, ReasonCode

NAMESPACE = UUID("6b6f1f0e-6a3c-5d0a-9d53-0c1f3f0b7a11")
_UUID = re.compile(r"(?:urn:uuid:)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.IGNORECASE)


def given(text: object) -> str | None:
    """The UUID in `text`, alone or as a URN, in lower case; None where there is none."""
    found = _UUID.fullmatch(text) if isinstance(text, str) else None
    return found[1].lower() if found else None


def derived(*parts: object) -> str:
    """The id that belongs to these parts: the same parts give the same id, and other parts another one."""
    # Each part with its length, so that ("a|b", "c") and ("a", "b|c") differ.
    return str(uuid5(NAMESPACE, "|".join(f"{len(str(part))}:{part}" for part in parts)))


def clashes(events: Iterable[tuple[dict[str, Any], str]]) -> tuple[list[dict[str, Any]], list[Reason]]:
    """Events (each with its place in the message), without those that come twice, and the faults: an id may not stand for
    two events, since the second one would be taken for a repeat and be lost."""
    known: dict[str, dict[str, Any]] = {}
    faults = []
    for event, field in events:
        if known.setdefault(event["event_id"], event) != event:
            faults.append(Reason(ReasonCode.INVALID_VALUE, field, "another event of this message has the same id"))
    return list(known.values()), faults
