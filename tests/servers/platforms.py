"""A loopback server in the place of ML platforms that cannot be had on this machine.

Each test says what is there; the server pages it, asks for credentials, throttles, cuts answers and
can change between nights. What it was asked is kept.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = dict[str, Any]
Query = dict[str, str]

CANARY = "canary-3f9c"


@dataclass
class Platform:
    """What answers, and what was asked of it."""

    route: Callable[[str, Query], tuple[int, Any] | None]
    """Path and query -> status and answer; none for what is not there."""
    credentials: dict[str, str] = field(default_factory=dict)
    """Headers that every request must bear."""
    absent: tuple[int, Any] = (404, {"code": 5, "message": "not found"})
    faults: list[int | str] = field(default_factory=list)
    """What goes wrong with the next requests: a status, or `half` for an answer that breaks off."""
    asked: list[tuple[str, Query]] = field(default_factory=list)
    address: str = ""

    def answer(self, target: str, headers: Any) -> tuple[int, Any]:
        """Return status and answer."""
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if any(headers.get(name) != value for name, value in self.credentials.items()):
            return 401, {"message": "who are you?"}
        self.asked.append((url.path, query))
        if self.faults:
            fault = self.faults.pop(0)
            return (200, None) if isinstance(fault, str) else (fault, {"message": "no"})
        found = self.route(url.path, query)
        return self.absent if found is None else found


@contextmanager
def serving(platform: Platform) -> Iterator[Platform]:
    """Answer until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path.startswith("/token?"):  # a managed identity's
                told = {"access_token": CANARY, "expires_on": "4102444800", "resource": "r"}
                self._send(200, {**told, "token_type": "Bearer"})
                return
            self._send(*platform.answer(self.path, self.headers))

        def do_POST(self) -> None:
            """Hand out tokens, as Google's token server does."""
            self.rfile.read(int(self.headers.get("content-length") or 0))
            self._send(200, {"access_token": CANARY, "expires_in": 3600, "token_type": "Bearer"})

        def _send(self, status: int, told: Any) -> None:
            content = b'{"half": ' if told is None else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("retry-after", "0")
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    platform.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield platform
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


def page(things: list[Any], start: str | None, size: int) -> tuple[list[Any], str]:
    """Return a page of things and the token of the next; empty after the last."""
    first = int(start or 0)
    rest = str(first + size) if first + size < len(things) else ""
    return things[first : first + size], rest
