"""A tracker's server on this machine, for tests: it answers as it is told, and can be throttled."""

from __future__ import annotations

import base64
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = dict[str, Any]
Reply = tuple[int, object]


@dataclass
class Tracker:
    """What a server was asked; what goes wrong with the next requests is in `faults`."""

    uri: str
    faults: list[Reply] = field(default_factory=list)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    credentials: list[str] = field(default_factory=list)
    """Of each request, as sent; those of basic authorisation decoded."""


@contextmanager
def serving(answer: Callable[[str, Any], Reply]) -> Iterator[Tracker]:
    """Run a server that answers a path and a JSON body so."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers.get("content-length") or 0))
            asked = self.path, json.loads(text) if text else None
            tracker.asked.append(asked)
            kind, _, value = (self.headers.get("authorization") or "").partition(" ")
            is_basic = kind == "Basic"
            tracker.credentials.append(base64.b64decode(value).decode() if is_basic else value)
            status, told = tracker.faults.pop(0) if tracker.faults else answer(*asked)
            content = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("retry-after", "0")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    tracker = Tracker(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield tracker
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
