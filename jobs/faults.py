"""Faults of the machine a night runs on, told as what they are: no room, no right, no disk."""

from __future__ import annotations

import errno
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jobs.journal.errors import journal_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NO_ROOM = "make room there; the last good generation stays in force"
_NO_RIGHT = "let the user that runs mlspend write there; the last good generation stays in force"
_FIXES = {
    errno.ENOSPC: _NO_ROOM,
    errno.EDQUOT: _NO_ROOM,
    errno.EACCES: _NO_RIGHT,
    errno.EPERM: _NO_RIGHT,
    errno.EROFS: "mount it so that it can be written; the last good generation stays in force",
    errno.EIO: "look at the disk (`dmesg`): it reports errors; the last good generation stays",
}


@contextmanager
def explained(state_dir: Path) -> Iterator[None]:
    """Let errors of the disk and of SQLite say where they are, and how to put them right.

    Raises: JournalError for SQLite's; OSError, with notes, for the system's.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise journal_error(error, state_dir / "journal.sqlite") from error
    except OSError as error:
        if error.errno in _FIXES and not getattr(error, "__notes__", None):
            error.add_note(f"in:  {error.filename or state_dir}")
            error.add_note(f"fix: {_FIXES[error.errno]}")
        raise
