"""Bad moments of services: whatever passes is asked again, as it was asked, by all sources."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

import pytest
import stamina

from connectors import connector_class
from connectors.base import SourceError
from connectors.secrets import FILE
from tests.connectors.json_server import handling
from tests.connectors.known import Memory
from tests.connectors.refusing_server import ADDRESS, CASES, SETTINGS, keys_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KINDS = {kind: key for kind, key in CASES if key != "cookie_env"}
FAULTS = ("busy", "down", "half", "hung up", "slow", "login page")
STATUSES = {"busy": 429, "down": 503}
SLOW = 1.4
"""Seconds; a question may take one."""


@dataclass(slots=True)
class Storm:
    """What goes wrong with the next questions; then nothing that is asked for is there."""

    faults: list[str] = field(default_factory=lambda: list(FAULTS))
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path with parameters, body."""
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def storming(storm: Storm) -> Iterator[str]:
    """Yield the address of a real server in a storm."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            with storm.lock:
                storm.asked.append((self.command, self.path, body))
                fault = storm.faults.pop(0) if storm.faults else ""
            content = b"<html>Sign in</html>" if fault == "login page" else json.dumps({}).encode()
            if fault == "slow":
                time.sleep(SLOW)
            if fault == "hung up":
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            with suppress(OSError):
                self.send_response(STATUSES.get(fault, 200 if fault else 404))
                self.send_header("retry-after", "0")
                self.send_header("content-length", str(len(content) + 9 * (fault == "half")))
                self.end_headers()
                self.wfile.write(content)

        do_GET = do_POST = answer  # noqa: N815  (the names that the library calls)

        def log_message(self, *_: object) -> None:
            pass

    with handling(Handler) as address:
        yield address


@pytest.mark.parametrize("kind", KINDS)
def test_what_passes_is_asked_again_as_it_was_asked(kind: str, tmp_path: Path) -> None:
    """Throttled, out of order, cut off, hung up, too slow, a page in between: then an answer."""
    (tmp_path / "secret").write_text("a secret", encoding="utf-8")
    named = {
        key: f"{FILE}{tmp_path / 'secret'}" if key == KINDS[kind] or "_key_" in key else ""
        for key in keys_of(kind)
    }
    storm = Storm()
    with storming(storm) as address, stamina.set_testing(True, attempts=8, cap=True):
        settings = {ADDRESS.get(kind, "root"): address, "timeout_seconds": 1}
        source = connector_class(kind)(**SETTINGS.get(kind, {}), **settings, **named)
        with suppress(SourceError):  # of the 404 that comes after
            list(source.deliveries(Memory()))
    assert storm.faults == []
    assert len(storm.asked) > len(FAULTS)
    assert len(set(storm.asked[: len(FAULTS) + 1])) == 1
