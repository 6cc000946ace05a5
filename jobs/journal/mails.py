"""The mails of a journal: each report goes to a person at most once, whatever fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from jobs.journal import as_text, as_time, now

if TYPE_CHECKING:
    from datetime import date, datetime

    from jobs.journal import Journal

State = Literal["intended", "sent", "deferred", "refused", "unknown"]
FORGOTTEN = "(forgotten)"
"""Stands for an address that is too old to be kept."""


@dataclass(frozen=True, slots=True)
class MailRow:
    """A mail that was to be sent."""

    report_id: str
    recipient: str
    subject: str
    state: State
    answer: str
    tries: int
    intended_at: datetime


class Mails:
    """What was mailed; works on an open journal."""

    def __init__(self, journal: Journal) -> None:
        """Look at the mails of `journal`."""
        self.journal = journal

    def intend(self, report_id: str, recipient: str, message_id: str, subject: str) -> int | None:
        """Enter that a mail is about to be sent; return its number.

        None is returned where it was sent or refused before, or may have been sent: only a mail
        that the server put off is tried again.
        """
        with self.journal.transaction():
            row = self.journal.con.execute(
                "select id, state from mails where report_id = ? and recipient = ?",
                (report_id, recipient),
            ).fetchone()
            if row is None:
                return self._enter(report_id, recipient, message_id, subject)
            if row[1] != "deferred":
                return None
            self.journal.con.execute(
                "update mails set state = 'intended', answer = '', tries = tries + 1, "
                "intended_at = ?, ended_at = null where id = ?",
                (as_text(now()), row[0]),
            )
            return int(row[0])

    def _enter(self, report_id: str, recipient: str, message_id: str, subject: str) -> int:
        row = self.journal.con.execute(
            "insert into mails (report_id, recipient, message_id, subject, state, intended_at) "
            "values (?, ?, ?, ?, 'intended', ?) returning id",
            (report_id, recipient, message_id, subject, as_text(now())),
        ).fetchone()
        return int(row[0])

    def end(self, mail: int, state: State, answer: str) -> None:
        """Enter what came of an intent."""
        with self.journal.transaction():
            self.journal.con.execute(
                "update mails set state = ?, answer = ?, ended_at = ? where id = ?",
                (state, answer, as_text(now()), mail),
            )

    def settle(self) -> int:
        """Call what an earlier night intended, and never ended, unknown; return how many."""
        with self.journal.transaction():
            cursor = self.journal.con.execute(
                "update mails set state = 'unknown', ended_at = ?, "
                "answer = 'the night was cut off while it was sent' where state = 'intended'",
                (as_text(now()),),
            )
        return cursor.rowcount

    def finish(self, report_id: str) -> None:
        """Enter that a report was handed over to everybody, where no server put one off."""
        with self.journal.transaction():
            self.journal.con.execute(
                "insert or ignore into mail_reports (report_id, ended_at) select ?, ? where not "
                "exists (select 1 from mails where report_id = ? and state = 'deferred')",
                (report_id, as_text(now()), report_id),
            )

    def is_finished(self, report_id: str) -> bool:
        """Tell whether nobody is left to be mailed a report."""
        found = self.journal.con.execute(
            "select 1 from mail_reports where report_id = ?", (report_id,)
        )
        return found.fetchone() is not None

    def rows(self) -> list[MailRow]:
        """Return every mail, newest first."""
        found = self.journal.con.execute(
            "select report_id, recipient, subject, state, answer, tries, intended_at from mails "
            "order by id desc"
        )
        return [
            MailRow(row[0], row[1], row[2], row[3], row[4], row[5], as_time(row[6]))
            for row in found
        ]

    def forget_before(self, day: date) -> None:
        """Drop the addresses of mails that are older than a day, and what names people in them."""
        with self.journal.transaction():
            self.journal.con.execute(
                "update mails set recipient = ? || ' ' || id, subject = '', answer = '' "
                "where intended_at < ? and recipient not like ?",
                (FORGOTTEN, day.isoformat(), f"{FORGOTTEN}%"),
            )
