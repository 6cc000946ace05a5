"""What Azure's Resource Manager and Google's Cloud Asset Inventory list, on this machine.

Both hand out tokens too, as the identity endpoint of an App Service and as Google's token server
do, so that the libraries' own chains of credentials are what signs in.
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
    from collections.abc import Iterator, Mapping, Sequence

TOKEN = "canary-token"  # noqa: S105  (this server's own)
Json = dict[str, Any]


@dataclass
class Lists:
    """What there is, what is refused, and what was asked."""

    azure: dict[str, list[Json]] = field(default_factory=dict)
    """Path of a list, in lower case, with `?statusOnly` where it is asked for -> things."""
    google: dict[str, list[Json]] = field(default_factory=dict)
    """Scope -> assets."""
    refused: dict[str, tuple[int, Json]] = field(default_factory=dict)
    """End of a path, or a type of asset -> status and answer."""
    busy: dict[str, int] = field(default_factory=dict)
    """End of a path -> how many times it is too busy to answer."""
    page: int = 2
    next_host: str = ""
    """Another address in Azure's links to next pages."""
    asked: list[tuple[str, Mapping[str, Sequence[str]]]] = field(default_factory=list)
    address: str = ""

    def answer(self, path: str, query: Mapping[str, Sequence[str]]) -> tuple[int, Json]:
        """Return status and answer."""
        self.asked.append((path, query))
        for end in (path, *query.get("assetTypes", ())):
            for known, (status, refusal) in self.refused.items():
                if end.lower().endswith(known.lower()):
                    return status, refusal
        if self.busy.get(path.rpartition("/")[2], 0) > 0:
            self.busy[path.rpartition("/")[2]] -= 1
            return 429, {}
        if path.startswith("/v1/"):
            return 200, self._assets(path, query)
        if "api-version" not in query:
            return 400, {"error": {"code": "MissingApiVersionParameter", "message": "none"}}
        return 200, self._list(path, query)

    def _assets(self, path: str, query: Mapping[str, Sequence[str]]) -> Json:
        scope = path.removeprefix("/v1/").removesuffix("/assets")
        wanted = [one for one in self.google[scope] if one["assetType"] in query["assetTypes"]]
        start = int(query.get("pageToken", ["0"])[0])
        end = start + self.page
        more = {"nextPageToken": str(end)} if end < len(wanted) else {}
        return {"readTime": "2026-10-28T00:00:00Z", "assets": wanted[start:end], **more}

    def _list(self, path: str, query: Mapping[str, Sequence[str]]) -> Json:
        key = path.lower() + ("?statusOnly" if "statusOnly" in query else "")
        things = self.azure.get(key, [])
        start = int(query.get("$skipToken", ["0"])[0])
        end = start + self.page
        if end >= len(things):
            return {"value": things[start:end]}
        rest = "&".join(f"{name}={value[0]}" for name, value in query.items() if name[0] != "$")
        host = self.next_host or self.address
        return {"value": things[start:end], "nextLink": f"{host}{path}?{rest}&$skipToken={end}"}


@contextmanager
def listing(lists: Lists) -> Iterator[Lists]:
    """Answer until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            query = parse_qs(url.query)
            if url.path == "/token":
                given = {"expires_on": "4102444800", "resource": query["resource"][0]}
                self._send(200, {"access_token": TOKEN, "token_type": "Bearer", **given})
            elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self._send(401, {"error": {"code": "InvalidAuthenticationToken"}})
            else:
                self._send(*lists.answer(url.path, query))

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._send(200, {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})

        def _send(self, status: int, answer: Json) -> None:
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    lists.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield lists
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
