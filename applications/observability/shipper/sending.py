"""Batches to OpenSearch: each until it is taken, and no line twice, since every line brings its own id along."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import orjson

from applications.monitoring.logs import LogStoreError, ensure_template
from applications.observability.shipper import metrics
from applications.observability.shipper.lines import Entry, document, index
from applications.observability.shipper.spool import Spool
from applications.runtime.logs import log

SECONDS = httpx.Timeout(60, connect=5)
PAUSES = (1.0, 2.0, 5.0, 10.0)
"""Seconds between tries; the last one from then on."""
CREATED, CONFLICT, WRONG = 201, 409, 400


class NotTaken(Exception):
    """OpenSearch did not take a batch, and may take it later."""


def batch(entries: Sequence[Entry]) -> bytes:
    """Lines as the body of a bulk request. The id is made of where a line stands, so that sending it again adds nothing."""
    pieces: list[bytes] = []
    for entry in entries:
        identity = hashlib.blake2b(f"{entry.origin.container}/{entry.place}".encode(), digest_size=16).hexdigest()
        found = document(entry)
        metrics.LINES.labels(layer=found["layer"], service=found["service"], level=found["level"]).inc()
        pieces += [orjson.dumps({"create": {"_index": index(entry), "_id": identity}}), orjson.dumps(found)]
    return b"\n".join([*pieces, b""])


class Sender:
    """Sends what the spool holds. `run` is for a thread of its own."""

    def __init__(self, spool: Spool, url: str, stack: str, wait: Callable[[float], bool]) -> None:
        self._spool, self._url, self._stack, self._wait = spool, url, stack, wait
        self._client = httpx.Client(base_url=url, timeout=SECONDS, headers={"Content-Type": "application/x-ndjson"})
        self._prepared = False
        self._failures = 0

    def run(self) -> None:
        """Sends until `wait` says that the process ends."""
        while not self._wait(0):
            path = self._spool.first(1.0)
            if path is not None and not self._sent(path):
                self._wait(PAUSES[min(self._failures, len(PAUSES)) - 1])

    def _sent(self, path: Path) -> bool:
        try:
            # Before the first line, and again when OpenSearch was away: it may have come back with an empty volume.
            if not self._prepared:
                ensure_template(self._url, self._stack)
                self._prepared = True
            self._send(path.read_bytes())
        except (NotTaken, LogStoreError, httpx.HTTPError) as error:
            metrics.FAILURES.inc()
            self._prepared = False
            self._failures += 1
            if self._failures == 1:
                log.warning("sending-failed", error=f"{type(error).__name__}: {error}", waiting_bytes=self._spool.size)
            return False
        if self._failures:
            log.info("sending-again", failures=self._failures, waiting_bytes=self._spool.size)
        self._failures = 0
        metrics.LAST_SUCCESS.set_to_current_time()
        self._spool.remove(path)
        return True

    def _send(self, body: bytes) -> None:
        answer = self._client.post("/_bulk", content=body, params={"filter_path": "errors,items.*.status,items.*.error.type"})
        if answer.status_code != httpx.codes.OK:
            raise NotTaken(f"OpenSearch answers {answer.status_code}")
        items = [next(iter(item.values())) for item in answer.json()["items"]]
        statuses = Counter(item["status"] for item in items)
        if any(status not in (CREATED, CONFLICT, WRONG) for status in statuses):
            raise NotTaken(f"OpenSearch refuses lines for now: {dict(statuses)}")
        metrics.SENT.inc(statuses[CREATED])
        if statuses[WRONG]:
            metrics.REJECTED.inc(statuses[WRONG])
            kinds = sorted({item["error"]["type"] for item in items if item["status"] == WRONG})
            log.error("lines-rejected", lines=statuses[WRONG], reasons=kinds)
