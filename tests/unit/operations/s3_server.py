"""An S3 server in memory, over HTTP, so that real clients talk to it: what the lake's operations and services use of S3.

It checks no signatures. `fail` may answer in place of the server, `cut` ends a download early.
"""

from __future__ import annotations

import hashlib
import re
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

PAGE = 7
"""Entries of a page of a listing: small, so that every listing needs several."""
MODIFIED = "2026-11-25T10:00:00.000Z"


@dataclass
class Stored:
    """One object."""

    content: bytes
    etag: str
    headers: dict[str, str]


@dataclass
class Server:
    """What the server holds, and what was asked of it."""

    buckets: dict[str, dict[str, Stored]] = field(default_factory=dict)
    versioned: set[str] = field(default_factory=set)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    fail: Callable[[str, str], tuple[int, str] | None] = lambda method, path: None
    cut: Callable[[str], bool] = lambda path: False
    lock: threading.Lock = field(default_factory=threading.Lock)
    address: str = ""

    def put(self, bucket: str, key: str, content: bytes, **headers: str) -> None:
        """Adds an object as a client would have."""
        self.buckets.setdefault(bucket, {})[key] = Stored(content, hashlib.md5(content).hexdigest(), headers)

    def contents(self, bucket: str) -> dict[str, bytes]:
        """The content of each object."""
        return {key: stored.content for key, stored in self.buckets[bucket].items()}


@contextmanager
def serving(*buckets: str) -> Iterator[Server]:
    """A running server with these buckets."""
    server = Server({bucket: {} for bucket in buckets})
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"s3": server}))
    http.daemon_threads = True
    server.address = f"127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=lambda: http.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()


class _Handler(BaseHTTPRequestHandler):
    s3: Server
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # a header and a body sent apart would wait for each other (Nagle and delayed acknowledgements)
    disable_nagle_algorithm = True

    def _any(self) -> None:
        parts = urlsplit(self.path)
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        body = self._body()
        with self.s3.lock:
            self.s3.asked.append(f"{self.command} {bucket}/{key}" + (f"?{parts.query}" if parts.query else ""))
            refused = self.s3.fail(self.command, f"{bucket}/{key}")
            if refused:
                self._error(*refused)
            elif bucket and bucket not in self.s3.buckets:
                self._error(404, "NoSuchBucket")
            elif not bucket:
                names = "".join(f"<Bucket><Name>{name}</Name><CreationDate>{MODIFIED}</CreationDate></Bucket>"
                                for name in sorted(self.s3.buckets))
                self._xml(f"<ListAllMyBucketsResult><Buckets>{names}</Buckets></ListAllMyBucketsResult>")
            elif not key:
                self._bucket(bucket, query, body)
            else:
                self._object(bucket, key, query, body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _any

    def _bucket(self, bucket: str, query: dict[str, str], body: bytes) -> None:
        there = self.s3.buckets[bucket]
        if "location" in query:
            self._xml("<LocationConstraint/>")
        elif "versioning" in query:
            self._xml("<VersioningConfiguration>"
                      f"{'<Status>Enabled</Status>' if bucket in self.s3.versioned else ''}</VersioningConfiguration>")
        elif "delete" in query:
            for key in re.findall(r"<Key>(.*?)</Key>", body.decode()):
                there.pop(key, None)
            self._xml("<DeleteResult/>")
        else:
            self._list(query, [key for key in sorted(there) if key.startswith(query.get("prefix", ""))], there)

    def _list(self, query: dict[str, str], keys: list[str], there: dict[str, Stored]) -> None:
        after = query.get("continuation-token") or query.get("start-after") or ""
        if query.get("delimiter"):
            prefix = query.get("prefix", "")
            folders = {prefix + key[len(prefix):].split("/")[0] + "/" for key in keys if "/" in key[len(prefix):]}
            found = "".join(f"<CommonPrefixes><Prefix>{quote(folder)}</Prefix></CommonPrefixes>" for folder in sorted(folders))
            self._xml(f"<ListBucketResult><Name>b</Name><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>{found}</ListBucketResult>")
            return
        page = [key for key in keys if key > after][:PAGE]
        entries = "".join(
            f"<Contents><Key>{quote(key)}</Key><LastModified>{MODIFIED}</LastModified><ETag>&quot;{there[key].etag}&quot;</ETag>"
            f"<Size>{len(there[key].content)}</Size></Contents>" for key in page)
        more = bool(page) and any(key > page[-1] for key in keys)
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        self._xml(f"<ListBucketResult><Name>b</Name><EncodingType>url</EncodingType><IsTruncated>{str(more).lower()}</IsTruncated>{token}{entries}</ListBucketResult>")

    def _object(self, bucket: str, key: str, query: dict[str, str], body: bytes) -> None:
        there = self.s3.buckets[bucket]
        if self.command == "POST" and "uploads" in query:
            upload = f"u{len(self.s3.uploads)}"
            self.s3.uploads[upload], self.s3.headers[upload] = {}, self._kept()
            self._xml(f"<InitiateMultipartUploadResult><Bucket>{bucket}</Bucket><Key>{escape(key)}</Key>"
                      f"<UploadId>{upload}</UploadId></InitiateMultipartUploadResult>")
        elif self.command == "PUT" and "partNumber" in query:
            self.s3.uploads[query["uploadId"]][int(query["partNumber"])] = body
            self._answer(200, {"ETag": f'"{hashlib.md5(body).hexdigest()}"'})
        elif self.command == "POST":
            parts = [part for _, part in sorted(self.s3.uploads.pop(query["uploadId"]).items())]
            digest = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()
            there[key] = Stored(b"".join(parts), f"{digest}-{len(parts)}", self.s3.headers.pop(query["uploadId"]))
            self._xml(f"<CompleteMultipartUploadResult><Bucket>{bucket}</Bucket><Key>{escape(key)}</Key>"
                      f"<ETag>&quot;{there[key].etag}&quot;</ETag></CompleteMultipartUploadResult>")
        elif self.command == "PUT":
            if self.headers.get("If-None-Match") == "*" and key in there:
                self._error(412, "PreconditionFailed")
                return
            there[key] = Stored(body, hashlib.md5(body).hexdigest(), self._kept())
            self._answer(200, {"ETag": f'"{there[key].etag}"'})
        elif self.command == "DELETE":
            there.pop(key, None)
            self._answer(204, {})
        elif key not in there:
            self._error(404, "NoSuchKey")
        else:
            found = there[key]
            self._answer(200, {"ETag": f'"{found.etag}"', "Last-Modified": "Wed, 25 Nov 2026 10:00:00 GMT", **found.headers},
                         found.content, cut=self.s3.cut(f"{bucket}/{key}"))

    def _kept(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()
                if name.lower().startswith("x-amz-meta-") or name.lower() == "content-type"}

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _xml(self, text: str) -> None:
        self._answer(200, {"Content-Type": "application/xml"}, f'<?xml version="1.0"?>{text}'.encode())

    def _error(self, status: int, code: str) -> None:
        text = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'
        self._answer(status, {"Content-Type": "application/xml"}, text.encode())

    def _answer(self, status: int, headers: dict[str, str], content: bytes = b"", *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content)), "x-amz-request-id": b64encode(b"r").decode()}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[:len(content) // 2] if cut else content)
        if cut:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Nothing."""
