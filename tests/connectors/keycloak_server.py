"""A realm behind Keycloak's admin API, for tests: as its published API and its code have it.

The plain list of users leaves service accounts out, the members of a group do not; subgroups are
told by their number and asked for apart, ten at a time where nobody says more; a token ends.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SECRET = "s3cr3t-canary-51d0"  # noqa: S105  (it opens nothing but this realm)
TOKEN = "tok-canary"  # noqa: S105

Json = dict[str, Any]
Reply = tuple[int, object]


@dataclass
class Sso:
    """A realm called `acme labs`."""

    users: dict[str, Json] = field(default_factory=dict)
    """User name -> user."""
    members: dict[str, list[str]] = field(default_factory=dict)
    """Path of a group -> user names; every part of a path is a group."""
    links: dict[str, list[Json]] = field(default_factory=dict)
    """User name -> federated identities."""
    requests_per_token: int = 1_000
    """After so many a token has ended, whatever was said of its time."""
    token_lasts: int = 300
    is_old: bool = False
    """Before Keycloak 23: a group holds its whole tree."""
    refused: str = ""
    """Paths with this in them are answered with 403."""
    asked: list[str] = field(default_factory=list)
    on_page: Callable[[str, int], None] = lambda *_: None
    """Called with the path and the offset before a page is read."""
    address: str = ""
    tokens: int = 0
    left: int = 0

    def add(self, username: str, *groups: str, **more: Any) -> None:
        """Add a user to some groups."""
        told = {
            "id": f"id-{username}",
            "username": username,
            "enabled": True,
            "emailVerified": True,
        }
        self.users[username] = told | more
        for group in groups:
            self.members.setdefault(group, []).append(username)

    def reply(self, path: str, form: dict[str, str], token: str) -> Reply:
        """Answer a request for a path below the realm."""
        if token != f"Bearer {TOKEN}-{self.tokens}" or self.left == 0:
            return 401, {"error": "HTTP 401 Unauthorized"}
        self.left -= 1
        if self.refused and self.refused in path:
            return 403, {"error": "HTTP 403 Forbidden"}
        first, most = int(form.get("first", 0)), int(form.get("max", 100))
        self.on_page(path, first)
        parts = path.split("/")
        if parts[0] == "users" and len(parts) == 1:
            found = self._users(form.get("idpAlias"))
        elif parts[0] == "users":
            (name,) = [one for one, user in self.users.items() if user["id"] == parts[1]] or [""]
            return (200, self.links.get(name, [])) if name else (404, {"error": "User not found"})
        elif len(parts) == 1:
            found = [self._group(path) for path in self._children("")]
        else:
            group = unquote(parts[1].removeprefix("g:")).replace(">", "/")
            if parts[2] == "children":
                most = int(form.get("max", 10))
                found = [self._group(path) for path in self._children(group)]
            else:
                found = [self._user(name) for name in sorted(self.members.get(group, []))]
        if form.get("briefRepresentation") == "true":
            found = [{key: one[key] for key in one if key != "attributes"} for one in found]
        return 200, found[first : first + most]

    def _users(self, provider: str | None) -> list[Json]:
        return [
            self._user(name)
            for name in sorted(self.users)
            if not name.startswith("service-account-")
            and (
                provider is None
                or provider in {one["identityProvider"] for one in self.links.get(name, ())}
            )
        ]

    def _user(self, name: str) -> Json:
        return self.users[name]

    def _children(self, parent: str) -> list[str]:
        paths = {
            "/".join(path.split("/")[:length])
            for path in self.members
            for length in range(2, path.count("/") + 2)
        }
        return sorted(path for path in paths if path.rpartition("/")[0] == parent)

    def _group(self, path: str) -> Json:
        below = self._children(path)
        group = {"id": "g:" + path.replace("/", ">"), "name": path.rpartition("/")[2], "path": path}
        if self.is_old:
            return group | {"subGroups": [self._group(child) for child in below]}
        return group | {"subGroupCount": len(below), "subGroups": []}

    def grant(self, form: dict[str, str]) -> Reply:
        """Answer a request for a token."""
        wanted = {
            "grant_type": "client_credentials",
            "client_id": "mlspend",
            "client_secret": SECRET,
        }
        if form != wanted:
            return 401, {"error": "unauthorized_client", "error_description": f"not {form}"}
        self.tokens, self.left = self.tokens + 1, self.requests_per_token
        token = f"{TOKEN}-{self.tokens}"
        return 200, {"access_token": token, "expires_in": self.token_lasts, "token_type": "Bearer"}


@contextmanager
def serving(sso: Sso, faults: Sequence[int] = ()) -> Iterator[Sso]:
    """Serve a realm; the first requests are answered with `faults`."""
    waiting = list(faults)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            path = unquote(parts.path.removeprefix("/admin/realms/acme%20labs/"))
            form = {key: values[0] for key, values in parse_qs(parts.query).items()}
            sso.asked.append(path)
            token = self.headers.get("authorization") or ""
            self.say(*((waiting.pop(0), {}) if waiting else sso.reply(path, form, token)))

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["content-length"])).decode()
            is_right = self.path == "/realms/acme%20labs/protocol/openid-connect/token"
            form = {key: values[0] for key, values in parse_qs(text).items()}
            self.say(*(sso.grant(form) if is_right else (404, {"error": "Realm does not exist"})))

        def say(self, status: int, told: object) -> None:
            content = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("retry-after", "0")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sso.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield sso
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
