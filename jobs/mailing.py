"""The digests of a night: when they are due they are written, and with `--send` they are mailed.

Each mail is entered before it is handed over and its end after, so that nobody gets one twice,
whatever fails. Nothing is mailed where the books do not close or the bill is old.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from jobs.journal.mails import Mails
from jobs.privacy import personal_from

if TYPE_CHECKING:
    from collections.abc import Sequence
    from email.message import EmailMessage

    from jobs.digests import Batch, Letter
    from jobs.night import Night


@dataclass(slots=True)
class Tally:
    """What came of a batch."""

    written: int = 0
    folder: str = ""
    ends: dict[str, int] = field(default_factory=dict)
    """sent, deferred, refused, unknown, or `not again` -> how many."""

    def line(self) -> str:
        """Return the tally as a person reads it."""
        ends = ", ".join(f"{count} {end}" for end, count in sorted(self.ends.items()))
        if not self.folder:
            return ends
        written = f"{self.written} digest{'' if self.written == 1 else 's'}"
        return f"{written} in {self.folder}" + (f": {ends}" if ends else "")


def mail_of_the_night(night: Night, today: date | None, *, is_sent: bool) -> Tally | None:
    """Write the digests that are due, and mail them; none where there is nothing new to say."""
    mail = night.config.mail
    if not mail.is_on or night.database is None:
        return None
    from jobs.digests import is_due  # noqa: PLC0415  (it loads templates: most nights mail nothing)

    today = today or datetime.now(UTC).date()
    first = personal_from(night.config.privacy)
    if first is not None:
        Mails(night.journal).forget_before(first)
    if is_sent and mail.host:
        _mail_quotas(night, today)
    if not is_due(mail, today) or not (night.is_published or is_sent):
        return None
    return mail_digests(night, today, is_sent=is_sent)


def _mail_quotas(night: Night, today: date) -> None:
    """Mail the thresholds of quotas that were reached of late, once each."""
    from jobs.journal.restores import Restores  # noqa: PLC0415
    from jobs.quota_mails import quota_mails  # noqa: PLC0415

    mails = Mails(night.journal)
    known = {(row.report_id, row.recipient) for row in mails.rows() if row.state != "deferred"}
    new = [
        (report, recipient, message)
        for report, recipient, message in quota_mails(night.config, night.journal, today)
        if (report, recipient) not in known
    ]
    if not new or Restores(night.journal).is_unknown(today):
        return
    tally = Tally(len(new))
    _hand_over(night, new, tally)
    night.progress.say(f"quota mails: {tally.line()}")
    _complain(night, tally)


def mail_digests(
    night: Night, today: date, *, is_sent: bool, only: Sequence[str] = ()
) -> Tally | None:
    """Write everybody's digest, or those of `only` some, and mail them where asked.

    Raises: MailError where the server cannot be used, the mails are withheld, or nobody is meant.
    """
    from jobs.digests import write_digests  # noqa: PLC0415
    from jobs.mail import MailError  # noqa: PLC0415

    if night.database is None:
        return None
    batch = write_digests(night.config, night.database, night.journal, today)
    if batch is None:
        return None
    letters = [letter for letter in batch.letters if not only or _is_among(letter, only)]
    if only and not letters:
        raise MailError(
            f"nobody gets a digest as {' or '.join(only)}",
            where="[mail]",
            fix="`mlspend mail` writes everybody's; who has no team or address gets none",
        )
    tally = Tally(len(letters), str(batch.folder))
    if batch.without_team:
        night.progress.say(f"  {batch.without_team} people get none: no team or no usable address")
    if is_sent:
        _withhold(night, batch, letters, today)
        _send(night, batch, letters, tally, is_whole=not only)
    return tally


def _is_among(letter: Letter, only: Sequence[str]) -> bool:
    wanted = {one.casefold() for one in only}
    return letter.recipient.casefold() in wanted or letter.user_id.casefold() in wanted


def _withhold(night: Night, batch: Batch, letters: Sequence[Letter], today: date) -> None:
    """Refuse to mail what must not go out.

    Raises: MailError
    """
    from jobs.digests import days_of  # noqa: PLC0415
    from jobs.journal.restores import Restores  # noqa: PLC0415
    from jobs.mail import MailError  # noqa: PLC0415

    mail, restores = night.config.mail, Restores(night.journal)
    age = (today - batch.newest_day).days
    days = days_of(batch.report_id, batch.newest_day, today)
    for is_wrong, what, fix in (
        (not batch.closes, "the books do not close", "see the site's page Books, and mend that"),
        (
            age > mail.stale_days,
            f"the newest day of the bill is {batch.newest_day}, {age} days ago",
            "see `mlspend status` for what is late; [mail] stale_days says how old it may be",
        ),
        (
            len(letters) > mail.most_mails,
            f"there are {len(letters)} mails to send, and [mail] most_mails is {mail.most_mails}",
            "raise it, if so many people are to be mailed",
        ),
        (
            any(restores.is_unknown(day) for day in days),
            f"the journal was restored: nobody knows who has been mailed {batch.report_id}",
            "the next report is mailed again; `mlspend mail` writes this one as files",
        ),
        (not mail.host, "no mail server is configured", "set host in [mail]"),
    ):
        if is_wrong:
            raise MailError(f"no mail goes out: {what}", where=str(night.config.path), fix=fix)


def _send(
    night: Night, batch: Batch, letters: Sequence[Letter], tally: Tally, *, is_whole: bool
) -> None:
    mails = Mails(night.journal)
    if mails.is_finished(batch.report_id):
        tally.ends["not again"] = len(letters)
        return
    given = [(batch.report_id, letter.recipient, letter.message) for letter in letters]
    _hand_over(night, given, tally)
    if is_whole:
        mails.finish(batch.report_id)
    _complain(night, tally)


def _hand_over(night: Night, given: Sequence[tuple[str, str, EmailMessage]], tally: Tally) -> None:
    """Mail (report id, recipient, mail) one after the other, each entered before and after.

    Raises: MailError where the server cannot be used (any more).
    """
    from jobs.mail import MailError, Server  # noqa: PLC0415

    mails = Mails(night.journal)
    mails.settle()
    with Server(night.config.mail) as server:
        for report, recipient, message in given:
            number = mails.intend(report, recipient, message["Message-ID"], message["Subject"])
            end = "not again"
            if number is not None:
                try:
                    answer = server.send(message, recipient)
                except MailError as error:
                    mails.end(number, "deferred", str(error))
                    raise
                mails.end(number, answer.state, answer.words)
                end = answer.state
            tally.ends[end] = tally.ends.get(end, 0) + 1


def _complain(night: Night, tally: Tally) -> None:
    from jobs.mail import MailError  # noqa: PLC0415

    fixes = {
        "deferred": "nothing to do: the next night tries again",
        "refused": "`mlspend mail --status` has the server's words; correct the address",
        "unknown": "ask whether they arrived: they are never sent again by themselves",
    }
    for end, fix in fixes.items():
        count = tally.ends.get(end, 0)
        if count:
            what = f"{count} mail{'' if count == 1 else 's'} {end}"
            night.complain(MailError(what, where=night.config.mail.host, fix=fix))
