"""Google Cloud Storage's JSON API on this machine, as far as listing and reading objects goes.

The official client speaks to it, with a key file and a token of its own; generations, ranges and
preconditions are looked at as Google does.

Source: https://docs.cloud.google.com/storage/docs/json_api/v1
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.servers.bigquery import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = "loopback-token"  # noqa: S105 - what the server itself hands out
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass
class StoredObject:
    """An object of the bucket."""

    content: bytes
    generation: int
    at: datetime
    is_composed: bool = False
    """Whether it was put together of parts, and has no MD5."""


@dataclass
class Bucket:
    """One bucket, and what has been asked of it."""

    name: str = "acme-billing"
    objects: dict[str, StoredObject] = field(default_factory=dict)
    page_size: int = 2
    busy: int = 0
    """How many requests are yet to be refused for being too many."""
    denied: bool = False
    short: int = 0
    """How many bytes the next answer with content lacks."""
    asked: list[str] = field(default_factory=list)
    address: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)

    def put(self, name: str, content: bytes, at: datetime, *, is_composed: bool = False) -> None:
        """Write an object, over an older one of that name."""
        before = self.objects[name].generation if name in self.objects else 1_700_000_000_000_000
        self.objects[name] = StoredObject(content, before + 1, at, is_composed)

    def listed(self, prefix: str, page: str) -> dict[str, Any]:
        """Return a page of the objects under a prefix."""
        names = sorted(name for name in self.objects if name.startswith(prefix))
        start = int(page or 0)
        answer: dict[str, Any] = {
            "kind": "storage#objects",
            "items": [self._resource(name) for name in names[start : start + self.page_size]],
        }
        if start + self.page_size < len(names):
            answer["nextPageToken"] = str(start + self.page_size)
        return answer

    def _resource(self, name: str) -> dict[str, Any]:
        stored = self.objects[name]
        digest = hashlib.md5(stored.content, usedforsecurity=False).digest()
        return {
            "kind": "storage#object",
            "name": name,
            "bucket": self.name,
            "generation": str(stored.generation),
            "size": str(len(stored.content)),
            "updated": f"{stored.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
            **({} if stored.is_composed else {"md5Hash": base64.b64encode(digest).decode()}),
        }

    def part(self, name: str, wanted: dict[str, list[str]], asked_range: str) -> tuple[int, bytes]:
        """Return an object's bytes, or a range of them.

        Raises: Refusal
        """
        stored = self.objects.get(name)
        if stored is None:
            raise Refusal(404, "notFound", f"No such object: {self.name}/{name}")
        generation = wanted.get("ifGenerationMatch", [str(stored.generation)])[0]
        if int(generation) != stored.generation:
            raise Refusal(412, "conditionNotMet", "At least one of the pre-conditions did not hold")
        match = _RANGE.fullmatch(asked_range)
        first, last = (int(match[1]), match[2]) if match else (0, "")
        part = stored.content[first : int(last) + 1 if last else None]
        part, self.short = part[: len(part) - self.short], 0
        return (206 if match else 200), part


def _route(bucket: Bucket, asked: BaseHTTPRequestHandler) -> tuple[int, bytes]:
    """Return the answer to a request.

    Raises: Refusal
    """
    url = urlsplit(asked.path)
    if url.path == "/token":
        answer = {"access_token": _TOKEN, "expires_in": 3600, "token_type": "Bearer"}
        return 200, json.dumps(answer).encode()
    bucket.asked.append(f"{asked.command} {url.path}")
    if asked.headers.get("Authorization", "") != f"Bearer {_TOKEN}":
        raise Refusal(401, "authError", "Invalid Credentials")
    if bucket.busy > 0:
        bucket.busy -= 1
        raise Refusal(503, "backendError", "try again")
    if bucket.denied:
        who = "mlspend@acme.example does not have storage.objects.list access"
        raise Refusal(403, "forbidden", who)
    wanted = parse_qs(url.query)
    if url.path == f"/storage/v1/b/{bucket.name}/o":
        page = bucket.listed(wanted.get("prefix", [""])[0], wanted.get("pageToken", [""])[0])
        return 200, json.dumps(page).encode()
    start = f"/download/storage/v1/b/{bucket.name}/o/"
    if url.path.startswith(start) and wanted.get("alt") == ["media"]:
        name = unquote(url.path.removeprefix(start))
        return bucket.part(name, wanted, asked.headers.get("Range", ""))
    raise Refusal(404, "notFound", "The specified bucket does not exist.")


@contextmanager
def serving(bucket: Bucket) -> Iterator[Bucket]:
    """Answer for a bucket until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._reply()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._reply()

        def _reply(self) -> None:
            with bucket.lock:
                try:
                    status, body = _route(bucket, self)
                except Refusal as refusal:
                    status, body = refusal.status, json.dumps(refusal.body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    bucket.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield bucket
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
