"""Copies of the journal, made while it is in use, and the log that reaches from one to the next.

The journal is the one part of the state that cannot be made again, so every night leaves a copy
of it beside, proven readable. What lands after a copy was made is noted in a log of its own: with
both, a journal that is put back knows every delivery that lies in the raw store.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jobs.journal.reading import open_to_read
from jobs.ledger import NewDelivery, StoredFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = "backups"
_LOG = "landed.jsonl"


def back_up(con: sqlite3.Connection, backups: Path, name: str) -> Path:
    """Copy an open journal, prove the copy, and put it onto the disk; return its file.

    Of a name that is there already, the newer copy takes the place.

    Raises: sqlite3.Error for a copy that is not whole, OSError where it cannot be written.
    """
    backups.mkdir(parents=True, exist_ok=True)
    half = backups / f".half-{name}.sqlite"
    half.unlink(missing_ok=True)
    with closing(sqlite3.connect(half)) as copy:
        con.backup(copy)
        copy.execute("pragma journal_mode = delete")
        wrong = faults_of(copy)
    if wrong:
        half.unlink()
        raise sqlite3.DatabaseError(wrong)
    _sync(half)
    target = backups / f"{name}.sqlite"
    half.replace(target)
    _sync(backups)
    return target


def back_up_tonight(con: sqlite3.Connection, backups: Path, *, keep: int) -> Path:
    """Make today's copy, of which the newest `keep` stay, and begin a new log.

    Raises: as `back_up`; the older copies are then all kept.
    """
    target = back_up(con, backups, f"journal-{datetime.now(UTC):%Y-%m-%d}")
    for old in nightly_backups(backups)[:-keep]:
        old.unlink()
    _begin_log(backups)
    return target


def _begin_log(backups: Path) -> None:
    """Set the log aside: an older copy than the newest needs what came after it."""
    log = backups / _LOG
    if log.exists():
        log.replace(backups / f"landed-{datetime.now(UTC):%Y-%m-%dT%H%M%S.%f}.jsonl")
    oldest = min((path.stem[-10:] for path in nightly_backups(backups)), default="")
    for old in backups.glob("landed-*.jsonl"):
        if old.name[len("landed-") :][:10] < oldest:
            old.unlink()


def nightly_backups(backups: Path) -> list[Path]:
    """Return the copies that nights have left, oldest first."""
    return sorted(backups.glob("journal-[0-9]*.sqlite"))


def faults_of(con: sqlite3.Connection) -> str:
    """Return what SQLite finds wrong with a database; nothing for a sound one."""
    try:
        rows = con.execute("pragma integrity_check(5)").fetchall()
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if rows == [("ok",)] else "; ".join(str(row[0]) for row in rows)


def faults_of_file(path: Path) -> str:
    """Return what is wrong with a database file, which is only read."""
    try:
        with closing(open_to_read(path)) as con:
            return faults_of(con)
    except sqlite3.Error as error:
        return str(error)


def note_landed(backups: Path, new: NewDelivery) -> None:
    """Note a delivery that has just been entered."""
    backups.mkdir(parents=True, exist_ok=True)
    row = asdict(new) | {"version_at": new.version_at.isoformat()}
    with (backups / _LOG).open("a", encoding="utf-8") as log:
        log.write("\n" + json.dumps(row) + "\n")  # a line that was cut off stays alone
        log.flush()
        os.fsync(log.fileno())


def landed_since(backups: Path) -> Iterator[NewDelivery]:
    """Yield every delivery that the logs note, oldest first; a line that was cut off is left."""
    for log in [*sorted(backups.glob("landed-*.jsonl")), backups / _LOG]:
        if not log.exists():
            continue
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                row = json.loads(line)
                row["files"] = tuple(StoredFile(**file) for file in row["files"])
                row["version_at"] = datetime.fromisoformat(row["version_at"])
                yield NewDelivery(**row)
            except (ValueError, TypeError, KeyError):
                continue


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
