"""A front before moto: it counts calls, makes callers wait, and knows what moto does not know."""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCOPE = re.compile(r"Credential=[^/]+/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/")
_BUSY = b"""<?xml version="1.0"?><Response><Errors><Error><Code>RequestLimitExceeded</Code>\
<Message>Request limit exceeded.</Message></Error></Errors><RequestID>1</RequestID></Response>"""


@dataclass
class Front:
    """What a server before moto was asked, and what it is to answer itself."""

    target: str
    throttled: dict[str, int] = field(default_factory=dict)
    """Action -> how many calls of it are to be refused yet, for being too many."""
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Action -> what to answer, of services that moto has not."""
    faults: list[str] = field(default_factory=list)
    """What the next calls get, of a service that speaks JSON: an error's code, or `half`."""
    calls: Counter[str] = field(default_factory=Counter)
    """Action -> how often it was asked for; EC2 and the like by name, others by path."""
    sizes: dict[str, set[str]] = field(default_factory=dict)
    """Action -> the page sizes that were asked for."""
    address: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, action: str, asked: dict[str, list[str]]) -> bool:
        """Count a call; tell whether it is to be refused."""
        with self.lock:
            self.calls[action] += 1
            for key, values in asked.items():
                if key.lower() in {"maxresults", "pagesize", "maxrecords", "max-buckets"}:
                    self.sizes.setdefault(action, set()).update(values)
            left = self.throttled.get(action, 0)
            self.throttled[action] = max(0, left - 1)
            return left > 0


def _broken(fault: str) -> tuple[int, bytes, int]:
    """Return status, content and the bytes that are promised and do not come."""
    if fault == "half":
        return 200, b'{"Half', 99
    told = json.dumps({"__type": fault, "message": "as the test wants it"}).encode()
    return 500 if fault == "InternalFailure" else 400, told, 0


@contextmanager
def fronting(target: str) -> Iterator[Front]:
    """Run a front until the block ends."""
    front = Front(target)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._pass(b"")

        def do_POST(self) -> None:
            self._pass(self.rfile.read(int(self.headers.get("Content-Length", 0))))

        def _pass(self, body: bytes) -> None:
            path = urlsplit(self.path)
            scope = _SCOPE.search(self.headers.get("Authorization", ""))
            asked = parse_qs(body.decode()) | parse_qs(path.query)
            service = scope["service"] if scope else "nobody"
            action = f"{service}:{asked['Action'][0] if 'Action' in asked else path.path}"
            fault = front.faults.pop(0) if front.faults else ""
            if fault:
                status, content, missing = _broken(fault)
                self._send(status, "application/x-amz-json-1.1", content, missing)
            elif front.enter(action, asked):
                self._send(503, "text/xml", _BUSY)
            elif action in front.answers:
                told = json.dumps(front.answers[action]).encode()
                self._send(200, "application/json", told)
            else:
                self._forward(body)

        def _forward(self, body: bytes) -> None:
            behind = urlsplit(front.target)
            line = http.client.HTTPConnection(behind.hostname or "", behind.port, timeout=60)
            line.request(self.command, self.path, body, dict(self.headers))
            answer = line.getresponse()
            content = answer.read()
            self._send(answer.status, answer.headers.get("Content-Type", "text/xml"), content)
            line.close()

        def _send(self, status: int, kind: str, content: bytes, missing: int = 0) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content) + missing))
            self.end_headers()
            self.wfile.write(content)
            self.close_connection |= missing > 0

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    front.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield front
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
