"""A double of the gateway for its clients: it reads every form, validates, remembers ids, and refuses or fails when told to."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson

from applications.clinical import fhir, hl7
from applications.clinical.reasons import Invalid, Unparseable
from applications.clinical.validation import check_object

KEY = "a-key-of-the-tests"
PARSERS: dict[str, Callable[[bytes], list[Any]]] = {
    "application/fhir+json": fhir.parse, "application/hl7-v2": lambda body: list(hl7.parse(body).events),
    "application/json": lambda body: [orjson.loads(body)],
    "application/x-ndjson": lambda body: [orjson.loads(line) for line in body.split(b"\n")]}
PATHS = {"application/fhir+json": "/fhir", "application/hl7-v2": "/hl7", "application/json": "/events",
         "application/x-ndjson": "/events"}


class GatewayDouble(httpx.AsyncBaseTransport):
    """The gateway as a transport of httpx; `trouble` is asked before each request for an answer or an error instead."""

    def __init__(self) -> None:
        self.taken: dict[str, dict[str, Any]] = {}
        self.repeated: Counter[str] = Counter()
        self.bodies: list[tuple[str, bytes]] = []
        self.trouble: Callable[[int], httpx.Response | Exception | None] = lambda _: None
        self.requests = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answers as the gateway does."""
        self.requests += 1
        found = self.trouble(self.requests)
        if isinstance(found, Exception):
            raise found
        if found is not None:
            return found
        assert request.headers["X-API-Key"] == KEY
        media = request.headers["Content-Type"]
        assert request.url.path == PATHS[media]
        body = await request.aread()
        self.bodies.append((media, body))
        return httpx.Response(self.take(media, body))

    def take(self, media: str, body: bytes) -> int:
        """Takes a body, all or nothing; returns the HTTP status."""
        try:
            events = PARSERS[media](body)
            for event in events:
                check_object(event, datetime.now(UTC))
        except (Unparseable, orjson.JSONDecodeError):
            return 400
        except Invalid:
            return 422
        fresh = {event["event_id"]: event for event in events if event["event_id"] not in self.taken}
        self.repeated.update(event["event_id"] for event in events if event["event_id"] in self.taken)
        self.taken.update(fresh)
        return 202 if fresh else 200


class MllpDouble:
    """An MLLP server in a thread of its own; `answer` gives the code of each acknowledgement, or None to hang up."""

    def __init__(self, answer: Callable[[bytes], str | None]) -> None:
        self._answer = answer
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                message = (await reader.readuntil(b"\x1c\r"))[1:-2]
                code = self._answer(message)
                if code is None:
                    return
                writer.write(b"\x0b" + hl7.acknowledge(message, code, "") + b"\x1c\r")
                await writer.drain()
        except asyncio.IncompleteReadError:
            return
        finally:
            writer.close()

    def stop(self) -> None:
        """Ends the server."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._server.close()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()
