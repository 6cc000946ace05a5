"""What is wrong where SQLite says no: the file, or the machine below it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_KINDS = {
    sqlite3.SQLITE_FULL: (
        "the disk is full, so the journal cannot be written",
        "make room there; the last good generation stays in force",
    ),
    sqlite3.SQLITE_READONLY: (
        "the journal may not be written",
        "let the user that runs mlspend write state_dir, on a file system that can be written",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "the journal cannot be opened",
        "let the user that runs mlspend read and write state_dir",
    ),
    sqlite3.SQLITE_IOERR: (
        "the journal cannot be read or written",
        "look at the disk (`dmesg`): it reports errors; the last good generation stays in force",
    ),
    sqlite3.SQLITE_BUSY: (
        "the journal is held by another process",
        "find it with `fuser`: nothing but mlspend should open the journal to write",
    ),
}
_FIX_DAMAGED = (
    "run `mlspend restore`: it puts back a copy of it. Where there is none, move the journal away: "
    "what was mailed is then forgotten, and everything is fetched again"
)


class JournalError(Exception):
    """The journal cannot be used. The notes say where it is, and how to put it right."""

    def __init__(self, what: str, *, where: str, fix: str) -> None:
        """Say what is wrong in one line, `where` it is, and the `fix`."""
        super().__init__(what)
        self.add_note(f"in:  {where}")
        self.add_note(f"fix: {fix}")


def journal_error(error: sqlite3.Error, path: Path) -> JournalError:
    """Return what an error of SQLite's means for the one who runs mlspend."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    what, fix = _KINDS.get(code, ("the journal cannot be read", _FIX_DAMAGED))
    return JournalError(f"{what}: {error}", where=str(path), fix=fix)
