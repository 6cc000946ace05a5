"""The journal as those look at it who must not change it, whatever its state or version.

`Journal` brings an older file up to date and refuses a newer one; this reads what it finds, also
from a file system that is full or cannot be written.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

_COUNTED = ("deliveries", "restatements", "findings", "quotas", "mails", "restores")
"""Tables whose rows are counted, where the journal has them."""


@dataclass(frozen=True, slots=True)
class NightFact:
    """One run of a command that writes."""

    command: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    generation: str | None
    problems: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Whether it ended, and without a problem."""
        return self.outcome in ("published", "unchanged") and not self.problems

    def told(self) -> str:
        """Return when it was and how it ended, on one line."""
        when = f"{self.started_at:%Y-%m-%d %H:%M} UTC"
        if self.ended_at is None:
            return f"{when}, has not ended"
        seconds = (self.ended_at - self.started_at).total_seconds()
        count = len(self.problems)
        wrong = f", {count} problem{'s' if count > 1 else ''}" if count else ""
        return f"{when}, {seconds:.0f} s, {self.outcome}{wrong}, generation {self.generation}"


@dataclass(frozen=True, slots=True)
class DeliveryFact:
    """One delivery."""

    source: str
    table: str
    unit: str
    version_at: datetime
    landed_at: datetime
    is_quarantined: bool
    """It is its unit's newest version, and does not count."""


@dataclass(frozen=True, slots=True)
class JournalFacts:
    """What a journal says."""

    fault: str = ""
    """Why it cannot be read."""
    nights: list[NightFact] = field(default_factory=list)
    """Oldest first."""
    deliveries: list[DeliveryFact] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    is_running: bool = False
    """A command that writes is at work."""


def read_facts(path: Path) -> JournalFacts:
    """Read a journal; one that is not there yet says nothing."""
    if not path.exists():
        return JournalFacts()
    try:
        with closing(open_to_read(path)) as con:
            return JournalFacts(
                nights=_nights(con),
                deliveries=_deliveries(con),
                counts=_counts(con),
                is_running=holder_of(path.with_name("lock")) is not None,
            )
    except (sqlite3.Error, ValueError) as error:
        return JournalFacts(fault=str(error))


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open a journal that is only read; where nothing may be written beside it, as it stands.

    Raises: sqlite3.Error
    """
    name = str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    con = sqlite3.connect(f"file:{name}?mode=ro", uri=True, timeout=5)
    try:
        con.execute("select count(*) from sqlite_master").fetchone()
    except sqlite3.OperationalError:
        con.close()
        con = sqlite3.connect(f"file:{name}?immutable=1", uri=True)
    return con


def holder_of(lock: Path) -> str | None:
    """Return the process that holds the state folder's lock, none where nobody does.

    The kernel is asked, not the lock: to try it would turn away a night that starts just then.
    """
    try:
        inode = lock.stat().st_ino
        table = Path("/proc/locks").read_text(encoding="ascii")
    except OSError:
        return None
    for line in table.splitlines():
        parts = line.split()
        if len(parts) > 5 and parts[1] == "FLOCK" and parts[5].endswith(f":{inode}"):  # noqa: PLR2004
            return lock.read_text(encoding="ascii", errors="replace") or parts[4]
    return None


def _nights(con: sqlite3.Connection) -> list[NightFact]:
    rows = con.execute(
        "select command, started_at, ended_at, outcome, generation, problems from night_runs "
        "order by id"
    )
    return [
        NightFact(
            command=row[0],
            started_at=datetime.fromisoformat(row[1]),
            ended_at=row[2] and datetime.fromisoformat(row[2]),
            outcome=row[3],
            generation=row[4],
            problems=tuple(row[5].splitlines()),
        )
        for row in rows
    ]


def _deliveries(con: sqlite3.Connection) -> list[DeliveryFact]:
    rows = con.execute(
        "select source, table_name, unit, version_at, landed_at, state = 'quarantined' and id = "
        "first_value(id) over (partition by source, table_name, unit order by version_at desc, id "
        "desc) from deliveries order by id"
    )
    return [
        DeliveryFact(
            source=row[0],
            table=row[1],
            unit=row[2],
            version_at=datetime.fromisoformat(row[3]),
            landed_at=datetime.fromisoformat(row[4]),
            is_quarantined=bool(row[5]),
        )
        for row in rows
    ]


def _counts(con: sqlite3.Connection) -> dict[str, int]:
    there = {row[0] for row in con.execute("select name from sqlite_master where type = 'table'")}
    return {
        table: con.execute(f"select count(*) from {table}").fetchone()[0]
        for table in _COUNTED
        if table in there
    }
