"""A server as a child process: started, waited for, and stopped with all its children."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[str],
    *,
    log: Path,
    is_ready: Callable[[], bool],
    environment: Mapping[str, str] | None = None,
    patience: float = 180.0,
) -> Iterator[int]:
    """Run a server until the block ends, and yield its process id once `is_ready`."""
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            cwd=log.parent,
            start_new_session=True,
        )
    try:
        _wait(child, is_ready, log, patience)
        yield child.pid
    finally:
        _stop(child)


def _wait(
    child: subprocess.Popen[bytes], is_ready: Callable[[], bool], log: Path, patience: float
) -> None:
    deadline = time.monotonic() + patience
    while not is_ready():
        if child.poll() is not None or time.monotonic() > deadline:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
            message = f"{child.args!r} did not become ready (exit code {child.poll()}):\n{tail}"
            raise RuntimeError(message)
        time.sleep(0.1)


def _stop(child: subprocess.Popen[bytes]) -> None:
    """End the child's whole session: it leads one of its own, so nobody else is hit."""
    for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, kind)
            child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            pass
        break
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
