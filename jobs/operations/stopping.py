"""Being told to stop: a scheduler's SIGTERM ends a night as an error does, so that it is told."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


class StoppedError(SystemExit):
    """Somebody ended the night: a scheduler's time limit, a shut-down, `systemctl stop`."""

    def __init__(self) -> None:
        """End with the exit code that shells give a process which SIGTERM ended."""
        super().__init__(128 + signal.SIGTERM)

    def __str__(self) -> str:
        """Say what happened."""
        return "the night was told to stop (SIGTERM); the next one does its work"


@contextmanager
def told_to_stop() -> Iterator[None]:
    """Raise StoppedError in the block where the process is told to stop."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: what follows must end
    raise StoppedError
