"""The steps of a night after `extracting.py`, each of which may be done again.

Whatever step a night is killed in, the next one ends in the same state: a delivery has its row
or counts as absent, a generation has its name or is swept away, a report names the generation it
was made from. A night in which nothing changed builds, publishes and reports nothing.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from jobs.fetching import RefusedDeliveryError
from jobs.journal.claims import Claims
from jobs.journal.findings import Findings
from jobs.state import SITE_MARKER, reports_of
from jobs.unchanged import digest_of_inputs
from queries.generation import newest_generation

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from jobs.mailing import Tally
    from jobs.night import Night
    from jobs.settings.privacy import Audience


def build_and_publish(night: Night) -> None:
    """Build, check and publish, where anything changed."""
    enter_findings(night)
    inputs = _digest_of_inputs(night)
    if night.journal.last_inputs() == (inputs, night.generation):
        night.complain_of_quarantine()
    else:
        from jobs.building import build_and_publish  # noqa: PLC0415  (slow to import)

        night.is_published = build_and_publish(night)
    enter_findings(night)
    night.inputs = _digest_of_inputs(night)
    if not night.is_published:
        night.progress.say("nothing changed: nothing built, nothing published")


def _digest_of_inputs(night: Night) -> str:
    mutes = Findings(night.journal).mutes()
    claims = Claims(night.journal).in_force()
    return digest_of_inputs(night.config, night.journal.deliveries(), mutes, claims)


def enter_findings(night: Night) -> None:
    """Enter in the journal what the generation in force says of findings, if it is new."""
    findings = Findings(night.journal)
    if night.config.privacy.personal_days:
        from jobs.privacy import personal_from  # noqa: PLC0415  (most keep all)

        first = personal_from(night.config.privacy)
        if first is not None:
            findings.forget_before(first)
    database = night.database
    if database is None or findings.is_entered(database.stem):
        return
    from queries.findings import read_findings  # noqa: PLC0415  (slow to import)

    findings.enter(database.stem, read_findings(database))


def check(night: Night) -> None:
    """Compare every raw file that counts with its digest, and the generation with its manifest.

    Raises: ModelError where the published generation is not what was built.
    """
    entries = [entry for entry in night.journal.deliveries() if not entry.is_collected]
    files = {file.path: file.sha256 for entry in entries for file in entry.files}
    night.progress.say(f"check {len(files)} raw files")
    for path, digest in sorted(files.items()):
        problem = _check_raw(night.store.raw / path, digest)
        if problem is not None:
            night.complain(problem)
    database = night.database
    if database is not None:
        from queries.verify import verify  # noqa: PLC0415  (slow to import)

        night.progress.say(f"check generation {database.stem}")
        verify(database)


def plan_quotas(night: Night, day: date | None) -> None:
    """Enter where quotas stand, and plan who is to be stopped; nobody is stopped here."""
    from jobs.journal.quotas import Quotas  # noqa: PLC0415  (most nights have no quotas)

    quotas = Quotas(night.journal)
    if night.generation is None or not (night.config.quotas or quotas.held()):
        return
    from jobs.quotas.tonight import plan_tonight  # noqa: PLC0415

    plan_tonight(night, quotas, day)


def report(night: Night, day: date | None, *, again: bool = False) -> Path | None:
    """Write the sites of the newest generation that are not there; return its first page."""
    if night.database is None:
        return None
    for audience in night.config.privacy.audiences:
        _report_to(night, audience, day, again=again)
    return _report_to(night, None, day, again=again)


def mail(night: Night, day: date | None, *, is_sent: bool) -> Tally | None:
    """Write the digests that are due, and mail them where asked; what fails is a problem."""
    if not night.config.mail.is_on:
        return None
    from jobs.mail import MailError  # noqa: PLC0415  (most nights mail nothing)
    from jobs.mailing import mail_of_the_night  # noqa: PLC0415

    try:
        return mail_of_the_night(night, day, is_sent=is_sent)
    except MailError as error:
        night.complain(error)
        return None


def _report_to(
    night: Night, audience: Audience | None, day: date | None, *, again: bool
) -> Path | None:
    """Write an audience's site, or everybody's, unless there is one; return its first page."""
    name = "" if audience is None else audience.name
    generation = newest_generation(night.config.state_dir, name)
    reports = reports_of(night.config.state_dir, name)
    there = _site_of(reports, generation)
    if there is not None and not again:
        return there
    from jobs.site import file_site  # noqa: PLC0415  (slow to import)

    night.progress.say(f"report to {name}" if name else "report")
    page = file_site(night.config, generation, day, audience)
    if page is None:
        night.progress.say("  no bill has a day of cost yet: there is no site to write")
    return page


def _check_raw(path: Path, digest: str) -> RefusedDeliveryError | None:
    if not path.exists():
        what = "a raw file has gone"
    else:
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == digest:
                return None
        what = "a raw file is not what was landed"
    return RefusedDeliveryError(
        what,
        where=str(path),
        fix="delete it if it is there: the next extract fetches it again, if the source has it",
    )


def _site_of(reports: Path, generation: Path) -> Path | None:
    """Return the first page of the newest site that shows a generation, none where none does."""
    for marker in sorted(reports.glob(f"[0-9]*/{SITE_MARKER}"), reverse=True):
        if marker.read_text(encoding="ascii").split()[0] == generation.stem.partition(".")[0]:
            return marker.with_name("index.html")
    return None
