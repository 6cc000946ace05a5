"""Azure's Cost Management on this machine, as far as its client library asks it.

It also hands out tokens as the identity endpoint of an App Service does, so that the library's own
chain of credentials is what signs in.
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
    from collections.abc import Iterator, Mapping

TOKEN = "canary-token"  # noqa: S105  (this server's own)
Answer = tuple[int, str, "Mapping[str, str]"]
"""Status, text, headers."""


@dataclass
class CostManagementServer:
    """What it says, and what it was asked."""

    answers: list[Answer] = field(default_factory=list)
    """Said in this order; the last again and again."""
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    """Method, path, body."""
    address: str = ""

    def say(self, content: object, status: int = 200, **headers: str) -> None:
        """Say this next."""
        text = content if isinstance(content, str) else json.dumps(content)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.append((status, text, named))

    def next_answer(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def cost_management() -> Iterator[CostManagementServer]:
    """Run the server until the block ends."""
    state = CostManagementServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/token":
                resource = parse_qs(parts.query)["resource"][0]
                token = {
                    "access_token": TOKEN,
                    "expires_on": "4102444800",
                    "resource": resource,
                    "token_type": "Bearer",
                }
                self._send(200, json.dumps(token), {})
                return
            self._answer(None)

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            self._answer(json.loads(self.rfile.read(length)))

        def _answer(self, body: object) -> None:
            state.asked.append((self.command, self.path, body))
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self._send(401, "{}", {})
                return
            self._send(*state.next_answer())

        def _send(self, status: int, text: str, headers: Mapping[str, str]) -> None:
            content = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
