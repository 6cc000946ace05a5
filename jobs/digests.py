"""Digests: who gets one, what is in it, and when; written as files, and mailed where asked."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING

from jobs.contacts import Contact, read_contacts
from jobs.journal.mails import Mails
from jobs.privacy import database_of, visible_to
from jobs.settings.mail import is_address
from jobs.site import span_of
from queries.read import open_generation, run_named
from reports.base import Frame, Frames
from reports.books import BOOKS
from reports.digest import About, Reader, digest_reads, people_read, write_digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from jobs.config import Config
    from jobs.journal import Journal
    from jobs.settings.mail import Mail
    from queries.privacy.views import View
    from reports.digest import Digest

FOLDER = "mails"
_MOST_RESTATEMENTS = 5


@dataclass(frozen=True, slots=True)
class Letter:
    """A digest that is addressed to somebody."""

    recipient: str
    message: EmailMessage
    html: str
    user_id: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """The digests of one report, and where they were written."""

    report_id: str
    newest_day: date
    letters: Sequence[Letter]
    closes: bool
    """Whether the books of the generation close."""
    folder: Path
    without_team: int = 0
    """People who get none, because no team is known for them."""


def report_id_of(mail: Mail, newest_day: date, today: date) -> str:
    """Return what a digest is about: a person gets one for each at most.

    A daily one is about the newest day of the bill, so a night that brings none mails none; a
    weekly one is about the week.
    """
    if mail.send_on == "daily":
        return f"digest {newest_day}"
    year, week, _ = today.isocalendar()
    return f"digest {year}-W{week:02d}"


def is_due(mail: Mail, today: date) -> bool:
    """Tell whether digests go out on a day."""
    return mail.send_on in ("daily", f"{today:%A}".lower())


def write_digests(config: Config, generation: Path, journal: Journal, today: date) -> Batch | None:
    """Write everybody's digest below the day's report; none where there is no cost yet."""
    mail = config.mail
    with open_generation(generation) as con:
        span = span_of(con)
        if span is None:
            return None
        books = Frame(*run_named(con, BOOKS.query, BOOKS.params)).records()
    days = span.recent(mail.days)
    about = About(
        title=config.report.title,
        days=replace(days, key="digest"),
        site_url=mail.site_url,
        restatements=restatements_since(journal, days.from_date),
        is_demo=config.report.is_demo,
        unknown=sum(row.state == "unknown" for row in Mails(journal).rows()),
    )
    closes = not any(row["difference"] for row in books)
    report_id = report_id_of(mail, span.newest_day, today)
    writer = _Writer(config, mail, generation, about, report_id)
    letters = list(writer.letters())
    folder = config.state_dir / "reports" / today.isoformat() / FOLDER
    _file(folder, letters)
    return Batch(report_id, span.newest_day, letters, closes, folder, writer.without_team)


@dataclass(slots=True)
class _Writer:
    """Writes the letters of one night; a team's figures are read once for all its people."""

    config: Config
    mail: Mail
    generation: Path
    about: About
    report_id: str
    without_team: int = 0

    def letters(self) -> Iterator[Letter]:
        frames: dict[tuple[str, str | None], Frames] = {}
        for contact, view, team in self._readers():
            key = (view.audience, team)
            if key not in frames:
                frames[key] = self._frames(view, team)
            member = view.person(contact.user_id, contact.team) if contact.user_id else None
            if team is not None and not self._is_wanted(frames[key], team, member):
                continue
            reader = Reader(contact.name, team, member)
            digest = write_digest(frames[key], reader, self.about)
            yield self._letter(contact, digest)

    def _readers(self) -> Iterator[tuple[Contact, View, str | None]]:
        """Yield everybody once, with what they may see and the team whose page they get."""
        seen: set[str] = set()
        for contact, team in self._addressed():
            if contact.email.casefold() in seen:
                continue
            seen.add(contact.email.casefold())
            yield contact, self._view(contact, team), team

    def _addressed(self) -> Iterator[tuple[Contact, str | None]]:
        for address in self.mail.finance:
            yield Contact("", address, address, None), None
        if self.mail.to != "nobody":
            for contact in read_contacts(self.config.state_dir):
                if contact.team is None or not is_address(contact.email):
                    self.without_team += 1
                    continue
                yield contact, contact.team
        for team, addresses in sorted(self.mail.groups.items()):
            for address in addresses:
                yield Contact("", address, address, team), team

    def _view(self, contact: Contact, team: str | None) -> View:
        view = visible_to(self.config, contact.email, team)
        if not view.audience and contact.user_id:
            view = visible_to(self.config, contact.user_id, team)
        return view

    def _frames(self, view: View, team: str | None) -> Frames:
        with open_generation(database_of(self.generation, view)) as con:
            return Frames(
                {
                    read.key: Frame(*run_named(con, read.query, read.params))
                    for read in digest_reads(team, self.about.days)
                }
            )

    def _is_wanted(self, frames: Frames, team: str, member: str | None) -> bool:
        """Tell whether a member of a team gets a digest: by default, who cost anything."""
        if self.mail.to == "everyone" or member is None:
            return True
        rows = frames.records(people_read(team, self.about.days))
        return any(row["member"] == member and row["effective_cost"] for row in rows)

    def _letter(self, contact: Contact, digest: Digest) -> Letter:
        message = EmailMessage(policy=SMTP)
        message["Subject"] = digest.subject
        message["From"] = self.mail.from_address
        message["To"] = contact.email
        if self.mail.reply_to:
            message["Reply-To"] = self.mail.reply_to
        message["Date"] = format_datetime(datetime.now(UTC))
        message["Message-ID"] = self._message_id(contact.email)
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(digest.text)
        message.add_alternative(digest.html, subtype="html")
        return Letter(contact.email, message, digest.html, contact.user_id)

    def _message_id(self, address: str) -> str:
        key = hashlib.sha256(f"{self.report_id}\0{address.casefold()}".encode()).hexdigest()[:32]
        return f"<{key}@{self.mail.from_address.rpartition('@')[2]}>"


def restatements_since(journal: Journal, day: date) -> list[str]:
    """Return what bills that were over have changed since a day, newest first, as sentences."""
    rows = [
        row
        for row in journal.restatements()
        if row.at.date() >= day and not row.was_open and row.measure == "effective_cost"
    ]
    return [
        f"{row.source} {row.unit}, landed {row.at:%Y-%m-%d}: {row.why}"
        for row in reversed(rows[-_MOST_RESTATEMENTS:])
    ]


def _file(folder: Path, letters: Sequence[Letter]) -> None:
    """Write the letters for their owner's eyes alone."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    for old in folder.glob("[0-9]*"):
        old.unlink()
    for number, letter in enumerate(letters, 1):
        name = f"{number:04d}-{_plain(letter.recipient)}"
        for ending, data in (("eml", letter.message.as_bytes()), ("html", letter.html.encode())):
            handle = os.open(folder / f"{name}.{ending}", os.O_WRONLY | os.O_CREAT, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(data)


def _plain(address: str) -> str:
    return "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in address)[:60]


def days_of(report_id: str, newest_day: date, today: date) -> list[date]:
    """Return the days on which a report may have been mailed already."""
    first = newest_day
    if "-W" in report_id:
        first = today - timedelta(today.weekday())
    return [first + timedelta(number) for number in range((today - first).days + 1)]
