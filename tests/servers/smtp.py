"""A mail server as a real server on this machine: it keeps what it takes, and fails as told.

Source: https://aiosmtpd.aio-libs.org
"""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.servers.process import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Cut = Literal["", "connect", "mail", "rcpt", "data", "after the text", "taken"]
Tls = Literal["none", "starttls", "tls"]
USER, PASSWORD = "mlspend", "s3cr3t-canary-4c1d"


@dataclass  # no slots: the server looks at all that a handler has
class Post:
    """What a server took, and how it is to behave."""

    port: int = 0
    ca_path: str = ""
    taken: list[tuple[str, bytes]] = field(default_factory=list)
    """Recipient and text of every mail that the server answers for."""
    refusals: dict[str, str] = field(default_factory=dict)
    """Recipient -> the reply to it."""
    text_reply: str = ""
    """The reply to every text; empty: taken."""
    cut: Cut = ""
    """Where the connection is cut."""

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if self.cut == "mail":
            _cut(server)
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if self.cut == "rcpt":
            _cut(server)
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        if self.cut == "after the text":
            _cut(server)
            return "250 nobody hears this"
        if self.text_reply:
            return self.text_reply
        assert isinstance(envelope.content, bytes)
        self.taken += [(recipient, envelope.content) for recipient in envelope.rcpt_tos]
        if self.cut == "taken":
            _cut(server)
        return "250 taken"


def _cut(server: SMTP) -> None:
    assert server.transport is not None
    server.transport.abort()  # type: ignore[attr-defined]


def _log_in(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    is_right = isinstance(data, LoginPassword) and (data.login, data.password) == (
        USER.encode(),
        PASSWORD.encode(),
    )
    return AuthResult(success=is_right, handled=False)


@contextmanager
def mail_server(
    folder: Path, *, tls: Literal["none", "starttls", "tls"] = "none"
) -> Iterator[Post]:
    """Run a server until the block ends; with TLS it wants a name and a password."""
    post = Post(port=free_port())
    options: dict[str, Any] = {}
    if tls != "none":
        authority = trustme.CA()
        post.ca_path = str(folder / "ca.pem")
        authority.cert_pem.write_to_path(post.ca_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        options = {"authenticator": _log_in, "auth_required": True}
        if tls == "tls":
            options |= {"ssl_context": context, "auth_require_tls": False}
        else:
            options |= {"tls_context": context, "require_starttls": True}
    controller = Controller(post, hostname="127.0.0.1", port=post.port, **options)
    controller.start()
    try:
        yield post
    finally:
        controller.stop()
