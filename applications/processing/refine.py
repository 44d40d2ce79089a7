"""From Kafka records to rows: the data contract's own validation, and no other.

Each input row is a record (topic, partition, offset, timestamp, key, value); each output row is either a silver row, with
no reason, or a refused record with its reasons and bytes.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import ValidationError

from applications.clinical.models import DeadLetter, EventType
from applications.clinical.reasons import Invalid, Reason, ReasonCode
from applications.clinical.silver import row
from applications.clinical.validation import check

SERVICE = "spark"


def refine(record: Mapping[str, Any], kind: EventType) -> dict[str, Any]:
    """One record's silver row, or its rejection."""
    try:
        event = check(record["value"], record["timestamp"], kind)
    except Invalid as invalid:
        return {**_rejection(record, SERVICE, [reason.as_dict() for reason in invalid.reasons]), **_source(record)}
    return {**row(event), **_source(record)}


def unseal(record: Mapping[str, Any]) -> dict[str, Any]:
    """One dead letter's quarantine row; what is no letter is quarantined for itself."""
    try:
        letter = DeadLetter.model_validate_json(record["value"] or b"")
        raw = base64.b64decode(letter.raw, validate=True)
    except (ValidationError, ValueError):
        reason = Reason(ReasonCode.NOT_PARSED, "", "no dead letter of this platform")
        return {**_rejection(record, SERVICE, [reason.as_dict()]), **_source(record)}
    found = {**_source(record), "reason": letter.reason, "reasons": orjson.dumps(letter.reasons).decode(), "raw": raw,
             "key": letter.key, "service": letter.service, "date": record["timestamp"].date()}
    if letter.source_topic is None or letter.source_offset is None:
        return found
    return {**found, "source_topic": letter.source_topic, "source_partition": letter.source_partition,
            "source_offset": letter.source_offset}


def _source(record: Mapping[str, Any]) -> dict[str, Any]:
    return {"source_topic": record["topic"], "source_partition": record["partition"], "source_offset": record["offset"],
            "received_time": record["timestamp"]}


def _rejection(record: Mapping[str, Any], service: str, reasons: list[dict[str, str]]) -> dict[str, Any]:
    key = record["key"]
    return {"reason": reasons[0]["code"], "reasons": orjson.dumps(reasons).decode(), "raw": record["value"] or b"",
            "key": key.decode(errors="replace") if key is not None else None, "service": service,
            "date": record["timestamp"].date()}
