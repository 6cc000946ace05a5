"""A whole file from an address, with the patience that servers ask for.

Redirects are not followed, no credentials are sent, and a file that is too large is not read on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx2
import stamina

from connectors.base import SourceError
from connectors.http import ATTEMPTS

_BUSY = frozenset({408, 425, 429})
_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file's bytes."""

    content: bytes = field(repr=False)
    where: str
    """Its path or address."""
    at: datetime
    """UTC: when it was written, or fetched."""


class _BusyError(Exception):
    """The server asks for patience, or broke off."""


def fetch(address: str, what: str, *, most: int, attempts: int = ATTEMPTS) -> Fetched:
    """Fetch a file; `what` it is called in errors, `most` bytes are read.

    Raises: SourceError
    """
    if not address.startswith(("https://", "http://")):
        raise SourceError(
            f"{what} cannot be fetched from this kind of address",
            where=address,
            fix="give a file of this machine, or an address that begins with https://",
        )
    try:
        for attempt in stamina.retry_context(
            on=(httpx2.TransportError, _BusyError), attempts=attempts, timeout=None, wait_max=30
        ):
            with attempt:
                return Fetched(_read(address, what, most), address, datetime.now(UTC))
    except (httpx2.HTTPError, httpx2.InvalidURL, _BusyError) as error:
        raise SourceError(
            f"{what} do not come, after {attempts} tries: {error}",
            where=address,
            fix="check the address and the way out; rates that have landed stay in force",
        ) from error
    raise AssertionError  # a retry either returns or raises


def _read(address: str, what: str, most: int) -> bytes:
    timeout = httpx2.Timeout(_SECONDS, connect=10.0)
    with (
        httpx2.Client(timeout=timeout, follow_redirects=False) as client,
        client.stream("GET", address, headers={"user-agent": "mlspend"}) as answer,
    ):
        status = answer.status_code
        if status in _BUSY or status >= httpx2.codes.INTERNAL_SERVER_ERROR:
            raise _BusyError(f"the server answers {status} {answer.reason_phrase}")
        if not answer.is_success:
            raise SourceError(
                f"the server answers {status} {answer.reason_phrase}",
                where=address,
                fix="write the address where the file is: redirects are not followed",
            )
        content = bytearray()
        for part in answer.iter_bytes():
            content += part
            if len(content) > most:
                raise SourceError(
                    f"{what} are larger than {most:,} bytes", where=address, fix="mend the address"
                )
        return bytes(content)
