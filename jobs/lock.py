"""One night at a time: a lock that the kernel frees, however its holder ends."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class BusyError(Exception):
    """Another process holds the lock."""

    def __init__(self, path: Path, holder: str) -> None:
        """Name the lock file and, where it is known, the holder's process id."""
        super().__init__("another mlspend is at work on this state_dir")
        self.add_note(f"in:  {path}" + (f", process {holder}" if holder else ""))
        self.add_note("fix: wait until it has ended; nothing was changed")


@contextmanager
def locked(state_dir: Path) -> Iterator[None]:
    """Hold the state folder's lock.

    Raises: BusyError at once where another process holds it.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    path = state_dir / "lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(path, os.read(handle, 20).decode("ascii", "replace")) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode("ascii"), 0)
        yield
    finally:
        os.close(handle)
