"""The life of findings: what the last generation said of each, and what people asked for.

A generation tells of all findings, those of earlier nights too, so entering it twice changes
nothing, and a night that was killed before it did so is made good by the next.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from jobs.journal import JournalError, as_text, now
from queries.detecting import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jobs.journal import Journal

_COLUMNS: Final = tuple(f.name for f in fields(Finding) if f.name != "muted_until")
_DATES: Final = ("since", "opened_date", "seen_date", "resolved_date")
_MONEY: Final = ("monthly_waste", "verified_monthly_saving")


@dataclass(frozen=True, slots=True)
class Mute:
    """A person's wish not to hear of a finding for a while."""

    finding_id: str
    muted_until: date
    """Exclusive: on that day of the bill it is open again."""
    muted_by: str
    why: str


class Findings:
    """The findings of an open journal."""

    def __init__(self, journal: Journal) -> None:
        """Read and write the tables of findings of `journal`."""
        self.journal = journal
        self.con = journal.con

    def is_entered(self, generation: str) -> bool:
        """Tell whether a generation's findings are entered."""
        row = self.con.execute(
            "select 1 from finding_generations where generation = ?", (generation,)
        ).fetchone()
        return row is not None

    def enter(self, generation: str, found: Iterable[Finding]) -> None:
        """Enter what a generation says of every finding, all or nothing."""
        names = ", ".join(_COLUMNS)
        marks = ", ".join("?" for _ in _COLUMNS)
        sets = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])
        with self.journal.transaction():
            self.con.executemany(
                f"insert into findings ({names}) values ({marks}) "
                f"on conflict (finding_id) do update set {sets}",
                [tuple(_as_stored(getattr(row, name)) for name in _COLUMNS) for row in found],
            )
            self.con.execute(
                "insert or replace into finding_generations values (?, ?)",
                (generation, as_text(now())),
            )

    def forget_before(self, day: date) -> None:
        """Take people out of findings that ended before a day."""
        self.journal.con.execute(
            "update findings set owner_user = null, resource_name = null, evidence = '' "
            "where resolved_date < ?",
            (day.isoformat(),),
        )

    def known(self) -> list[Finding]:
        """Return every finding there ever was, with the mutes in force."""
        mutes = {mute.finding_id: mute.muted_until for mute in self.mutes()}
        rows = self.con.execute(
            f"select {', '.join(_COLUMNS)} from findings order by finding_id"
        ).fetchall()
        return [_finding(row, mutes.get(row[0])) for row in rows]

    def mutes(self) -> list[Mute]:
        """Return the mutes that nobody has ended; the bill may have passed their day."""
        rows = self.con.execute(
            "select finding_id, muted_until, muted_by, why from finding_mutes "
            "where ended_at is null order by finding_id"
        ).fetchall()
        return [Mute(row[0], date.fromisoformat(row[1]), row[2], row[3]) for row in rows]

    def mute(self, finding: str, until: date, by: str, why: str) -> str:
        """Mute a finding, known by the beginning of its id; return the id.

        Raises: JournalError where there is none, several, or the day has passed.
        """
        finding_id = self.id_of(finding)
        (seen,) = self.con.execute(
            "select seen_date from findings where finding_id = ?", (finding_id,)
        ).fetchone()
        if until <= date.fromisoformat(seen):
            raise JournalError(
                f"{until} is not after {seen}, the newest day of the bill",
                where=f"--until {until}",
                fix="give a later day",
            )
        with self.journal.transaction():
            self._end_mutes(finding_id)
            self.con.execute(
                "insert into finding_mutes (finding_id, muted_until, muted_by, why, muted_at) "
                "values (?, ?, ?, ?, ?)",
                (finding_id, until.isoformat(), by, why, as_text(now())),
            )
        return finding_id

    def unmute(self, finding: str) -> str:
        """End the mute of a finding, known by the beginning of its id; return the id.

        Raises: JournalError where there is none, several, or it is not muted.
        """
        finding_id = self.id_of(finding)
        with self.journal.transaction():
            ended = self._end_mutes(finding_id)
        if not ended:
            raise JournalError(
                "the finding is not muted",
                where=f"finding {finding_id}",
                fix="`mlspend findings --state muted` lists those that are",
            )
        return finding_id

    def _end_mutes(self, finding_id: str) -> int:
        return self.con.execute(
            "update finding_mutes set ended_at = ? where finding_id = ? and ended_at is null",
            (as_text(now()), finding_id),
        ).rowcount

    def id_of(self, beginning: str) -> str:
        """Return the one id that begins so."""
        rows = self.con.execute(
            "select finding_id from findings where substr(finding_id, 1, ?) = ? limit 2",
            (len(beginning), beginning.lower()),
        ).fetchall()
        if len(rows) == 1 and beginning:
            return str(rows[0][0])
        what = "more than one finding has" if rows else "no finding has"
        raise JournalError(
            f'{what} an id that begins with "{beginning}"',
            where="the findings of the journal",
            fix="`mlspend findings --state all` lists their ids",
        )


def _as_stored(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    return format(value, "f") if isinstance(value, Decimal) else value


def _finding(row: Sequence[str | None], muted_until: date | None) -> Finding:
    values = dict(zip(_COLUMNS, row, strict=True))
    dates = {name: date.fromisoformat(values[name]) for name in _DATES if values[name]}  # type: ignore[arg-type]
    money = {name: Decimal(values[name]) for name in _MONEY if values[name]}  # type: ignore[arg-type]
    return Finding(**{**values, **dates, **money, "muted_until": muted_until})  # type: ignore[arg-type]
