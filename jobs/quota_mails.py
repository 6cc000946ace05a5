"""Mails about thresholds of quotas, as soon as one is reached: to whom it is about, and finance.

A threshold whose `do` is `warn` is shown in digests and on the site alone.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING

from jobs.contacts import read_contacts
from jobs.journal.quotas import Quotas
from jobs.settings.mail import is_address
from reports.figures import digits, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.config import Config
    from jobs.journal import Journal
    from jobs.journal.quotas import Event

MAILED = ("mail", "enforce")
"""What a threshold may say it does, that somebody is told of."""
_FRESH = timedelta(days=7)
"""An event older than this is no news: mail was not configured when it happened."""


def quota_mails(
    config: Config, journal: Journal, today: date
) -> Iterator[tuple[str, str, EmailMessage]]:
    """Yield (report id, recipient, mail) for every threshold that was reached of late."""
    for event in Quotas(journal).events():
        if event.action not in MAILED or date.fromisoformat(event.at[:10]) < today - _FRESH:
            continue
        window = event.window_start or event.at[:10]
        report = f"quota {event.quota} {event.member} {window} {event.threshold}"
        for recipient in sorted(set(_recipients(config, event))):
            yield report, recipient, _compose(config, event, report, recipient)


def _recipients(config: Config, event: Event) -> Iterator[str]:
    yield from config.mail.finance
    if event.dimension == "team":
        yield from config.mail.groups.get(event.member, ())
    if event.dimension == "user":
        for contact in read_contacts(config.state_dir):
            if contact.user_id == event.member and is_address(contact.email):
                yield contact.email


def _compose(config: Config, event: Event, report: str, recipient: str) -> EmailMessage:
    share = f"{100 * float(event.threshold):g} %"
    unit = event.billing_currency or "GPU-hours"
    member = visible(event.member)
    key = hashlib.sha256(f"{report}\0{recipient.casefold()}".encode()).hexdigest()[:32]
    message = EmailMessage(policy=SMTP)
    message["Subject"] = f"{member[:60]} has reached {share} of {visible(event.quota)[:60]}"
    message["From"] = config.mail.from_address
    message["To"] = recipient
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<{key}@{config.mail.from_address.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    used = digits(event.used_amount, event.billing_currency or "")
    limit = digits(event.limit_amount, event.billing_currency or "")
    lines = [
        f"{event.dimension} {member} has reached {share} of the quota {visible(event.quota)}:",
        f"{used} of {limit} {unit}.",
        "",
        f"Its window ends on {event.window_end} (UTC, that day not included)."
        if event.window_end
        else "Its window moves with the days.",
        "New work may be held back until then; running work is never stopped."
        if event.action == "enforce"
        else "Nothing is held back by this threshold.",
        "",
        "$ mlspend sql --named quotas",
    ]
    message.set_content("\n".join(lines) + "\n")
    return message
