"""Tells a company's own system: a signed HTTP POST, which that system acts upon as it sees fit.

The signature is HMAC-SHA256, in hex, over the timestamp header, a full stop and the body, so that a
message can be neither altered nor replayed much later. `Idempotency-Key` is the same however often
one message is sent: after a time-out it is sent again, and the receiver must act on it once.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal
from urllib.parse import urlsplit

from connectors.base import SourceError
from connectors.secrets import secret_of
from jobs.enforcement.base import RefusedError, UnknownError

if TYPE_CHECKING:
    from jobs.enforcement.base import Order, State

_TOO_BUSY = (408, 425, 429)
_SERVER_FAULT = 500
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Webhook:
    """One address that takes messages about members of a dimension."""

    url: str
    secret_env: str
    """The variable that holds the secret of the signature."""
    name: str = "webhook"
    dimension: Literal["team", "user", "project", "model", "dataset"] = "team"
    tries: int = 3
    timeout_seconds: int = 10

    kind: ClassVar[str] = "webhook"

    def targets(self) -> None:
        """Return none: whom it reaches is the receiver's business."""
        return

    def change(self, target: str) -> str:
        """Say what exactly would be done."""
        return (
            f'POST {self._shown_url} {{"action": "stop", "{self.dimension}": "{target}"}}, signed'
        )

    def undo(self, target: str) -> str:
        """Say how it is undone."""
        message = f'{{"action": "release", "{self.dimension}": "{target}"}}'
        return f"POST {self._shown_url} {message}, signed"

    def look(self, target: str) -> State:  # noqa: ARG002  (what every lever is asked)
        """Return nothing: a webhook only speaks."""
        return {}

    def is_stopped(self, order: Order, found: State) -> None:  # noqa: ARG002
        """Return none: it cannot be seen from here."""
        return

    def stop(self, order: Order, before: State) -> str:  # noqa: ARG002
        """Send that the member is to start nothing new."""
        return self._send("stop", order)

    def release(self, order: Order, before: State) -> str:  # noqa: ARG002
        """Send that the member may start work again."""
        return self._send("release", order)

    @property
    def _shown_url(self) -> str:
        """The address without what may be secret in it."""
        parts = urlsplit(self.url)
        return (
            f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"
        )

    def _send(self, action: str, order: Order) -> str:
        import httpx2 as httpx  # noqa: PLC0415, TID251  (slow to import; only an act needs it)

        body = json.dumps(
            {
                "action": action,
                "dimension": self.dimension,
                self.dimension: order.target,
                "reason": order.reason,
                "quotas": order.quotas,
                "until": order.until,
            },
            sort_keys=True,
        ).encode()
        secret = self._secret()
        self._check_transport()
        last = unsure = ""
        for attempt in range(1, self.tries + 1):
            if attempt > 1:
                time.sleep(0.5 * 2 ** (attempt - 2))
            try:
                answer = httpx.post(
                    self.url,
                    content=body,
                    headers=self._headers(body, secret, f"{order.key}-{action}"),
                    timeout=self.timeout_seconds,
                    follow_redirects=False,
                )
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                last = f"it cannot be reached: {type(error).__name__}"
                continue
            except httpx.HTTPError as error:
                last = unsure = f"no answer came: {type(error).__name__}"
                continue
            if answer.is_success:
                return ""
            last = f"it answered {answer.status_code}"
            if answer.status_code >= _SERVER_FAULT:
                unsure = last
            elif answer.status_code not in _TOO_BUSY:
                break
        raise self._error(UnknownError if unsure else RefusedError, unsure or last)

    def _error(
        self, kind: type[UnknownError | RefusedError], what: str
    ) -> UnknownError | RefusedError:
        fix = "see that the receiver runs and takes the signature; `mlspend enforce` sends it again"
        return kind(f"the webhook did not take the message: {what}", where=self._shown_url, fix=fix)

    def _headers(self, body: bytes, secret: bytes, key: str) -> dict[str, str]:
        at = str(int(time.time()))
        signed = hmac.new(secret, at.encode() + b"." + body, hashlib.sha256).hexdigest()
        return {
            "Content-Type": "application/json",
            "Idempotency-Key": key,
            "X-Mlspend-Timestamp": at,
            "X-Mlspend-Signature": f"sha256={signed}",
        }

    def _secret(self) -> bytes:
        try:
            return secret_of(self.secret_env, where=f"levers.{self.name}").encode()
        except SourceError as error:
            raise RefusedError(
                f"nothing can be signed: {error}",
                where=f"levers.{self.name} secret_env",
                fix="set it in the environment of `mlspend enforce`, or name a file that holds it",
            ) from error

    def _check_transport(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise RefusedError(
                "a webhook is sent over TLS alone",
                where=self._shown_url,
                fix="give an address that begins with https://",
            )
