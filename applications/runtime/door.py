"""The door of every HTTP service of ours: who may come in, with a body of which kind and size; and how whoever may not is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from math import ceil
from typing import Any

import orjson
from fastapi import Request, Response
from starlette.requests import ClientDisconnect

from applications.clinical.reasons import Reason
from applications.runtime.api_keys import ApiKeys, NoKey, WrongKey

# Whatever of a body is still on its way is not wanted: the connection ends with the answer.
CLOSE = {"Connection": "close"}
_CHARSETS = ("utf-8", "utf8", "us-ascii")


class Refusal(Exception):
    """What is answered with an error: HTTP status, a word for programs, a sentence for people, and the reasons by field where
    there are any."""

    def __init__(self, status: int, error: str, message: str, *, reasons: Sequence[Reason] = (),
                 headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.error, self.message, self.reasons, self.headers = status, error, message, reasons, headers

    def body(self) -> dict[str, Any]:
        """The answer as JSON holds it."""
        found: dict[str, Any] = {"error": self.error, "message": self.message}
        if self.reasons:
            found["reasons"] = [reason.as_dict() for reason in self.reasons]
        return found

    def response(self) -> Response:
        """The answer in JSON."""
        return Response(orjson.dumps(self.body()), self.status, self.headers, "application/json")


def retry_after(seconds: float) -> dict[str, str]:
    """The header that says when to come again."""
    return {"Retry-After": str(max(1, ceil(seconds)))}


def admitted(keys: ApiKeys, headers: Mapping[str, str]) -> str:
    """The client whose key the headers hold. Raises Refusal: 401, 403."""
    try:
        return keys.client(headers)
    except NoKey:
        raise Refusal(401, "no-key", "send your key in the header X-API-Key, or as Authorization: Bearer",
                      headers={"WWW-Authenticate": "Bearer"}) from None
    except WrongKey:
        raise Refusal(403, "wrong-key", "nobody has this key; ask the platform's operator for one") from None


def media_type(headers: Mapping[str, str], allowed: Collection[str], own_charset: Collection[str] = ()) -> str:
    """The one of the allowed media types that the headers name. Raises Refusal (415). Bodies are in UTF-8, but for types with
    their `own_charset`."""
    media, _, parameters = headers.get("content-type", "").partition(";")
    media = media.strip().lower()
    name, _, charset = parameters.strip().lower().partition("=")
    readable = media in own_charset or name != "charset" or charset.strip('"') in _CHARSETS
    if media not in allowed or not readable or headers.get("content-encoding", "identity").lower() != "identity":
        types = sorted(allowed)
        raise Refusal(415, "unsupported-media-type", f"send Content-Type {' or '.join(types)}, in UTF-8 and not compressed",
                      headers={"Accept": ", ".join(types)})
    return media


async def body_of(request: Request, most_bytes: int, seconds: float, what: str,
                  grow: Callable[[int], None] | None = None) -> bytes:
    """A request's body, of so many bytes at most, within so long. `what` it consists of (events, say) can be sent in parts;
    `grow` is told of each piece before it is kept. Raises Refusal: 400, 408, 413, and what `grow` raises.
    """
    too_large = Refusal(413, "too-large", f"a body may have {most_bytes} bytes; send its {what} in several requests", headers=CLOSE)
    # A length that is no number is refused by the server before it comes here.
    if int(request.headers.get("content-length", "0")) > most_bytes:
        raise too_large
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                if size > most_bytes:
                    raise too_large
                if grow is not None:
                    grow(len(part))
                parts.append(part)
    except TimeoutError:
        raise Refusal(408, "too-slow", f"the body did not arrive within {seconds:g} seconds", headers=CLOSE) from None
    except ClientDisconnect:
        raise Refusal(400, "unparseable", "the connection ended before the body did", headers=CLOSE) from None
    return b"".join(parts)
