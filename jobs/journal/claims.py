"""Claims in the journal: who took which spend, when and why, and what was taken back."""

from __future__ import annotations

import getpass
from dataclasses import dataclass, fields
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from jobs.journal import JournalError, as_text, now
from queries.claims import Claim

if TYPE_CHECKING:
    from jobs.journal import Journal

_COLUMNS: Final = tuple(f.name for f in fields(Claim) if f.name != "claim_id")


@dataclass(frozen=True, slots=True)
class Made:
    """A claim with its trail."""

    claim: Claim
    why: str
    made_by: str
    made_at: str
    """ISO, UTC; so is `withdrawn_at`."""
    withdrawn_by: str | None
    withdrawn_at: str | None
    withdrawn_why: str | None


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of an open journal."""

    journal: Journal

    def make(self, claim: Claim, why: str) -> int:
        """Enter a claim of the person at work; return its number, whatever `claim_id` says."""
        names = ", ".join((*_COLUMNS, "why", "made_by", "made_at"))
        values = [_as_stored(getattr(claim, name)) for name in _COLUMNS]
        values += [why, getpass.getuser(), as_text(now())]
        marks = ", ".join("?" for _ in values)
        with self.journal.transaction():
            entered = self.journal.con.execute(
                f"insert into claims ({names}) values ({marks})", values
            )
        return entered.lastrowid or 0

    def withdraw(self, number: int, why: str) -> None:
        """End a claim as if it had never been; it stays on record.

        Raises: JournalError where there is no such claim in force.
        """
        with self.journal.transaction():
            ended = self.journal.con.execute(
                "update claims set withdrawn_by = ?, withdrawn_at = ?, withdrawn_why = ? "
                "where id = ? and withdrawn_at is null",
                (getpass.getuser(), as_text(now()), why, number),
            )
        if not ended.rowcount:
            raise JournalError(
                f"no claim {number} is in force",
                where=str(self.journal.path),
                fix="`mlspend claim` lists them",
            )

    def in_force(self) -> list[Claim]:
        """Return the claims that nobody has withdrawn, by number."""
        return [made.claim for made in self.all() if made.withdrawn_at is None]

    def all(self) -> list[Made]:
        """Return every claim there ever was, by number."""
        trail = "why, made_by, made_at, withdrawn_by, withdrawn_at, withdrawn_why"
        rows = self.journal.con.execute(
            f"select id, {', '.join(_COLUMNS)}, {trail} from claims order by id"
        ).fetchall()
        count = len(_COLUMNS) + 1
        return [Made(_claim(row[:count]), *row[count:]) for row in rows]


def _claim(row: tuple[Any, ...]) -> Claim:
    *values, first, last = row
    return Claim(*values, *(date.fromisoformat(day) if day else None for day in (first, last)))


def _as_stored(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value
