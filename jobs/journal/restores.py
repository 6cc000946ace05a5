"""When the journal was put back: effects of the time that it has forgotten are never repeated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.journal import as_text, as_time, now

if TYPE_CHECKING:
    from datetime import date, datetime

    from jobs.journal import Journal


@dataclass(frozen=True, slots=True)
class Restores:
    """The restores that a journal has been through."""

    journal: Journal

    def enter(self, backup: str, backup_at: datetime, reentered: int) -> None:
        """Enter that a copy has just been put back."""
        with self.journal.transaction():
            self.journal.con.execute(
                "insert into restores (restored_at, backup, backup_at, reentered) "
                "values (?, ?, ?, ?)",
                (as_text(now()), backup, as_text(backup_at), reentered),
            )

    def is_unknown(self, day: date) -> bool:
        """Tell whether effects for a report day may have happened without being known.

        Those are the days from the copy's to the restore's: nothing is mailed or enforced for
        them, because it may have been already.
        """
        rows = self.journal.con.execute("select backup_at, restored_at from restores").fetchall()
        return any(as_time(made).date() <= day <= as_time(back).date() for made, back in rows)
