"""A real HTTP server that takes webhooks as a company does: it checks signature and key."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE_SECONDS = 300


@dataclass(slots=True)
class Receiver:
    """What was sent, and what was acted upon."""

    secret: bytes
    url: str = ""
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """(idempotency key, body) of every request with a good signature."""
    acted: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Idempotency key -> body: the second message of a key is not acted upon."""
    refused: int = 0
    """Requests without a good signature."""
    faults: list[int | str] = field(default_factory=list)
    """What goes wrong with the next requests: a status, or `cut after`."""

    def is_signed(self, headers: Any, body: bytes) -> bool:
        """Tell whether the signature is of the body and fresh."""
        at = headers["X-Mlspend-Timestamp"] or "0"
        wanted = hmac.new(self.secret, at.encode() + b"." + body, hashlib.sha256).hexdigest()
        given = headers["X-Mlspend-Signature"] or ""
        is_fresh = abs(time.time() - int(at)) <= _PATIENCE_SECONDS
        return is_fresh and hmac.compare_digest(given, f"sha256={wanted}")


class _Handler(BaseHTTPRequestHandler):
    receiver: Receiver

    def do_POST(self) -> None:
        receiver = self.receiver
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not receiver.is_signed(self.headers, body):
            receiver.refused += 1
            self._answer(401)
            return
        key, message = self.headers["Idempotency-Key"], json.loads(body)
        receiver.requests.append((key, message))
        fault = receiver.faults.pop(0) if receiver.faults else 200
        if isinstance(fault, int) and fault != 200:
            self._answer(fault)
            return
        receiver.acted.setdefault(key, message)
        if fault == "cut after":
            self.close_connection = True
            self.connection.close()
            return
        self._answer(200)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing of connections that a fault has cut."""


@contextmanager
def webhook_receiver(secret: bytes) -> Iterator[Receiver]:
    """Take webhooks until the block ends."""
    receiver = Receiver(secret)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"receiver": receiver}))
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/quotas?token=hidden"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
