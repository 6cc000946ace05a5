"""A line that breaks: forwards to a server, and cuts answers off in the middle."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class CuttingLine:
    """A forwarder that cuts a connection after so many bytes of answers, so many times."""

    target: str
    """The address of the server behind it."""
    after: int
    cuts: int
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        """Forward connections until the listener is closed."""
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            behind = urlsplit(self.target)
            server = socket.create_connection((behind.hostname or "", behind.port or 80))
            threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
            threading.Thread(target=self._answer, args=(server, client), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while block := source.recv(65536):
                target.sendall(block)
        except OSError:
            pass
        finally:
            _hang_up(target)

    def _answer(self, source: socket.socket, target: socket.socket) -> None:
        sent = 0
        try:
            while block := source.recv(4096):
                sent += len(block)
                if sent > self.after and self.cuts > 0:
                    self.cuts -= 1
                    break
                target.sendall(block)
        except OSError:
            pass
        finally:
            _hang_up(target)
            _hang_up(source)


def _hang_up(line: socket.socket) -> None:
    try:
        line.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
    finally:
        line.close()


@contextmanager
def cutting_line(target: str, *, after: int, cuts: int) -> Iterator[CuttingLine]:
    """Run a line that breaks until the block ends."""
    line = CuttingLine(target, after, cuts)
    thread = threading.Thread(target=line.serve, daemon=True)
    thread.start()
    try:
        yield line
    finally:
        line.listener.shutdown(socket.SHUT_RDWR)
        line.listener.close()
        thread.join(timeout=5)
