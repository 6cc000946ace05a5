"""Google's price list on this machine: answers made of the official library's own types."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from google.cloud.billing_v1 import (  # noqa: TID251 - the counterpart
    ListServicesResponse,
    ListSkusResponse,
    Service,
    Sku,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Catalog:
    """Services and their SKUs, a page at a time."""

    services: dict[str, list[Sku]]
    """What a service is called -> its SKUs."""
    page: int = 2
    status: int = 200
    asked: list[str] = field(default_factory=list)
    address: str = ""

    def answer(self, path: str, query: dict[str, list[str]]) -> str:
        """Return a page as the library writes it."""
        start = int(query.get("pageToken", ["0"])[0])
        end = start + self.page
        if path == "/v1/services":
            known = [
                Service(name=f"services/{number}", service_id=str(number), display_name=name)
                for number, name in enumerate(self.services)
            ]
            token = str(end) if end < len(known) else ""
            services = ListServicesResponse(services=known[start:end], next_page_token=token)
            return str(ListServicesResponse.to_json(services))
        skus = list(self.services.values())[int(path.split("/")[3])]
        token = str(end) if end < len(skus) else ""
        listed = ListSkusResponse(skus=skus[start:end], next_page_token=token)
        return str(ListSkusResponse.to_json(listed))


@contextmanager
def serving(catalog: Catalog) -> Iterator[Catalog]:
    """Answer for a price list until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            catalog.asked.append(self.path)
            text = "{}" if catalog.status != 200 else catalog.answer(url.path, parse_qs(url.query))
            self._say(catalog.status, text)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._say(200, '{"access_token": "t", "expires_in": 3600, "token_type": "Bearer"}')

        def _say(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    catalog.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield catalog
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
