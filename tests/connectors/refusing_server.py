"""A service that refuses, and repeats in that what it was told; and all sources to ask it."""

from __future__ import annotations

import base64
import json
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from connectors import CONNECTORS, connector_class
from tests.connectors.json_server import handling

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OLD, NEW = "canary-of-yesterday-51bd", "canary-of-today-77ac"
TELLING = ("authorization", "x-api-key", "cookie", "dagster-cloud-api-token")
LOGINS = ("auth/token", "auth.login", "openid-connect/token")
SETTINGS: dict[str, dict[str, Any]] = {
    "wandb": {"entity": "acme"},
    "model_api_usage": {"vendor": "openai"},
    "polyaxon": {"owner": "acme"},
    "keycloak": {"realm": "acme", "client_id": "mlspend", "team_groups": ["/teams/{team}"]},
}
ADDRESS = {"prometheus": "url", "opencost": "url", "ray": "url", "model_api_usage": "url"}
BY_OTHERS = {"focus", "azure_cost", "alibaba_bill"}
"""Azure's and Alibaba's own libraries ask, with keys that do not run out."""


@dataclass(slots=True)
class Door:
    """A service that refuses its first question, and everybody with the old secret from then on."""

    secret: Path
    opens: bool
    """Whether the new secret is taken."""
    held: str = OLD
    asked: int = 0
    let_in: int = 0
    sessions: set[str] = field(default_factory=set)

    def answer(self, path: str, told: str) -> tuple[int, object]:
        """Return status and answer to a question that told a secret in some way."""
        if path.endswith(LOGINS):
            if self.held not in told:
                return 401, echo(told)
            self.sessions.add(session := f"session-{len(self.sessions)}-of-{self.held}")
            return 200, {"access_token": session, "data": {"token": session}, "expires_in": 300}
        self.asked += 1
        if self.asked == 1:
            self.secret.write_text(NEW + "\n", encoding="utf-8")
            self.held = NEW if self.opens else "another"
        if self.held not in told:
            return 401, echo(told)
        self.let_in += 1
        return 404, {}


def echo(told: str) -> object:
    """Return a refusal that repeats what was told, wherever services say something."""
    said = f"what is {told}?"
    of_others = {"message": said, "detail": said, "msg": said, "description": said}
    return {**of_others, "error": of_others, "errors": [of_others], "error_code": said}


@contextmanager
def guarded(door: Door) -> Iterator[str]:
    """Yield the address of a real server behind a door."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            told = [self.headers.get(name) or "" for name in TELLING]
            told += [base64.b64decode(one[6:]).decode() for one in told if one.startswith("Basic ")]
            status, answer = door.answer(
                self.path.partition("?")[0], " ".join([*told, unquote_plus(body)])
            )
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = answer  # noqa: N815  (the names that the library calls)

        def log_message(self, *_: object) -> None:
            pass

    with handling(Handler) as address:
        yield address


def keys_of(kind: str) -> list[str]:
    """Return a source's keys that name a secret."""
    cls: Any = connector_class(kind)
    return [one.name for one in fields(cls) if one.name.endswith("_env")]


CASES = [
    (kind, key)
    for kind in CONNECTORS
    if kind not in BY_OTHERS
    for key in keys_of(kind)
    if key != "username_env"
]
