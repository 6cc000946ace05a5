"""One night: extract, build, check, publish, report, each of which may be done again.

Whatever stage a night is killed in, the next one ends in the same state: a delivery has its row
or counts as absent, a generation has its name or is swept away, a report names the generation it
was made from. A night in which nothing changed builds, publishes and reports nothing.
"""

from __future__ import annotations

import errno
import hashlib
import shutil
import sqlite3
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from connectors.base import SourceError
from jobs.backfill import first_month, is_too_old
from jobs.errors import describe
from jobs.faults import explained
from jobs.fetching import RefusedDeliveryError
from jobs.journal import Journal, JournalError
from jobs.journal.backup import FOLDER, back_up_tonight
from jobs.journal.claims import Claims
from jobs.journal.findings import Findings
from jobs.lock import locked
from jobs.progress import size_text
from jobs.raw_store import RawStore, known_deliveries
from jobs.state import reports_of
from jobs.unchanged import digest_of_inputs
from queries import ModelError
from queries.generation import newest_generation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date
    from pathlib import Path

    from jobs.config import Config, Source
    from jobs.ledger import Entry, LedgerTotal, Outcome
    from jobs.mailing import Tally
    from jobs.progress import Progress
    from jobs.settings.privacy import Audience

SITE_MARKER = "generation"
"""The file of a site that names the generation it shows; it is written last."""
_SPARE = 100_000_000
_GENERATIONS_OF_SPACE = 3


@dataclass(slots=True)
class Night:
    """A night under way; the state folder is locked."""

    config: Config
    journal: Journal
    store: RawStore
    progress: Progress
    problems: list[BaseException] = field(default_factory=list)
    """What went wrong without stopping the night."""
    is_published: bool = False
    inputs: str = ""
    """Digest of all that the generation in force was built from; empty where nobody looked."""

    @property
    def database(self) -> Path | None:
        """The newest generation's file, none before the first."""
        pointer = self.generations / "current"
        return newest_generation(self.config.state_dir) if pointer.exists() else None

    @property
    def generation(self) -> str | None:
        """The newest generation's number, none before the first."""
        database = self.database
        return None if database is None else database.stem

    @property
    def generations(self) -> Path:
        """Where generations lie."""
        return self.config.state_dir / "generations"

    @property
    def lake(self) -> Path:
        """Where staged and attributed rows lie."""
        return self.config.state_dir / "lake"

    def complain(self, problem: BaseException) -> None:
        """Tell a problem at once, and keep it for the exit code."""
        self.problems.append(problem)
        self.progress.say(describe(problem), "problem", level="error")

    def extract(self) -> None:
        """Land what is new of every source; what is wrong with one stops that one alone."""
        entries = self.journal.deliveries()
        for source in self.config.sources:
            if source.is_retired:
                continue
            self.progress.say(f"extract {source.name}", "extract", source=source.name)
            try:
                self._extract_source(source, entries)
            except SourceError as error:
                self.complain(error)
        configured = {source.name for source in self.config.sources}
        for name in sorted({entry.source for entry in entries} - configured):
            self.progress.say(
                f'note: source "{name}" has landed data but is not in the config file: it is left '
                "out (to count it and fetch no more, configure it with retired = true)"
            )

    def _extract_source(self, source: Source, entries: list[Entry]) -> None:
        tables = {table.name: table for table in source.connector.tables}
        known = known_deliveries(source.name, entries, self.store.raw)
        first = first_month(self.config.operations.backfill_months, datetime.now(UTC).date())
        own = [entry for entry in entries if entry.source == source.name] if first else []
        for delivery in source.connector.deliveries(known):
            if is_too_old(delivery, first, own):
                self.progress.say(f"  {delivery.unit} is before {first}: backfill_months leaves it")
                continue
            table = tables[delivery.table]
            try:
                self.store.land(source.name, source.kind, table, delivery)
            except (RefusedDeliveryError, ModelError) as error:
                self.complain(error)
                if delivery.cursor is not None:
                    return  # a later delivery's cursor would leap over this one for good

    def complain_of_quarantine(self) -> None:
        """Complain of every unit whose newest version does not count."""
        names = {source.name for source in self.config.sources}
        entries = [entry for entry in self.journal.deliveries() if entry.source in names]
        newest_of: dict[tuple[str, str, str], Entry] = {}
        for entry in entries:
            best = newest_of.get(entry.unit_key)
            if best is None or best.order < entry.order:
                newest_of[entry.unit_key] = entry
        told = {str(problem) for problem in self.problems}
        for entry in newest_of.values():
            if entry.state == "quarantined" and entry.reason not in told:
                self.complain(
                    RefusedDeliveryError(
                        entry.reason,
                        where=f"source {entry.source}, {entry.table} {entry.unit}",
                        fix=_FIX_UNREADABLE if entry.refused_by else _FIX_DUPLICATE,
                    )
                )

    def build_and_publish(self) -> None:
        """Build, check and publish, where anything changed."""
        self.enter_findings()
        inputs = self._digest_of_inputs()
        if self.journal.last_inputs() == (inputs, self.generation):
            self.complain_of_quarantine()
        else:
            from jobs.building import build_and_publish  # noqa: PLC0415  (slow to import)

            self.is_published = build_and_publish(self)
        self.enter_findings()
        self.inputs = self._digest_of_inputs()
        if not self.is_published:
            self.progress.say("nothing changed: nothing built, nothing published")

    def _digest_of_inputs(self) -> str:
        mutes = Findings(self.journal).mutes()
        claims = Claims(self.journal).in_force()
        return digest_of_inputs(self.config, self.journal.deliveries(), mutes, claims)

    def enter_findings(self) -> None:
        """Enter in the journal what the generation in force says of findings, if it is new."""
        findings = Findings(self.journal)
        if self.config.privacy.personal_days:
            from jobs.privacy import personal_from  # noqa: PLC0415  (it imports this file)

            first = personal_from(self.config.privacy)
            if first is not None:
                findings.forget_before(first)
        database = self.database
        if database is None or findings.is_entered(database.stem):
            return
        from queries.findings import read_findings  # noqa: PLC0415  (slow to import)

        findings.enter(database.stem, read_findings(database))

    def check(self) -> None:
        """Compare every raw file that counts with its digest, and the generation with its manifest.

        Raises: ModelError where the published generation is not what was built.
        """
        entries = [entry for entry in self.journal.deliveries() if not entry.is_collected]
        files = {file.path: file.sha256 for entry in entries for file in entry.files}
        self.progress.say(f"check {len(files)} raw files")
        for path, digest in sorted(files.items()):
            problem = _check_raw(self.store.raw / path, digest)
            if problem is not None:
                self.complain(problem)
        database = self.database
        if database is not None:
            from queries.verify import verify  # noqa: PLC0415  (slow to import)

            self.progress.say(f"check generation {database.stem}")
            verify(database)

    def plan_quotas(self, day: date | None) -> None:
        """Enter where quotas stand, and plan who is to be stopped; nobody is stopped here."""
        from jobs.journal.quotas import Quotas  # noqa: PLC0415  (most nights have no quotas)

        quotas = Quotas(self.journal)
        if self.generation is None or not (self.config.quotas or quotas.held()):
            return
        from jobs.quotas.tonight import plan_tonight  # noqa: PLC0415

        plan_tonight(self, quotas, day)

    def report(self, day: date | None, *, again: bool = False) -> Path | None:
        """Write the sites of the newest generation that are not there; return its first page."""
        if self.database is None:
            return None
        for audience in self.config.privacy.audiences:
            self._report_to(audience, day, again=again)
        return self._report_to(None, day, again=again)

    def mail(self, day: date | None, *, is_sent: bool) -> Tally | None:
        """Write the digests that are due, and mail them where asked; what fails is a problem."""
        if not self.config.mail.is_on:
            return None
        from jobs.mail import MailError  # noqa: PLC0415  (most nights mail nothing)
        from jobs.mailing import mail_of_the_night  # noqa: PLC0415

        try:
            return mail_of_the_night(self, day, is_sent=is_sent)
        except MailError as error:
            self.complain(error)
            return None

    def _report_to(
        self, audience: Audience | None, day: date | None, *, again: bool
    ) -> Path | None:
        """Write an audience's site, or everybody's, unless there is one; return its first page."""
        name = "" if audience is None else audience.name
        generation = newest_generation(self.config.state_dir, name)
        reports = reports_of(self.config.state_dir, name)
        there = _site_of(reports, generation)
        if there is not None and not again:
            return there
        from jobs.site import file_site  # noqa: PLC0415  (slow to import)

        self.progress.say(f"report to {name}" if name else "report")
        page = file_site(self.config, generation, day, audience)
        if page is None:
            self.progress.say("  no bill has a day of cost yet: there is no site to write")
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


_FIX_DUPLICATE = (
    "take one of the two exports out of the config file; they may hand over at a month's edge"
)
_FIX_UNREADABLE = "have the source write it again; the last good delivery stays in force"


@contextmanager
def open_night(config: Config, progress: Progress, command: str) -> Iterator[Night]:
    """Lock the state folder, see that a night fits on the disk, and enter how it ends.

    Raises: BusyError where another one is at work.
    """
    with (
        explained(config.state_dir),
        locked(config.state_dir),
        Journal(config.state_dir / "journal.sqlite") as journal,
    ):
        shutil.rmtree(config.state_dir / "tmp", ignore_errors=True)
        store = raw_store_of(config, journal, progress)
        night = Night(config, journal, store, progress)
        run = journal.begin_night(command)
        began = time.monotonic()
        try:
            _check_space(night)
            yield night
        except BaseException as error:
            with suppress(sqlite3.Error, ModelError, OSError):
                told = [str(each) for each in (*night.problems, error)]
                journal.end_night(run, "stopped", night.generation, told)
            raise
        outcome: Outcome = "published" if night.is_published else "unchanged"
        problems = [str(problem) for problem in night.problems]
        journal.end_night(run, outcome, night.generation, problems, night.inputs)
        _keep_backup(night)
        _tell_end(night, command, outcome, time.monotonic() - began)


def _tell_end(night: Night, command: str, outcome: Outcome, seconds: float) -> None:
    night.progress.say(
        f"{command} {outcome} after {seconds:.1f} s",
        "end",
        command=command,
        outcome=outcome,
        generation=night.generation,
        seconds=round(seconds, 3),
        problems=len(night.problems),
    )


def raw_store_of(config: Config, journal: Journal, progress: Progress) -> RawStore:
    """Return the raw store of a state folder."""
    return RawStore(config.state_dir, journal, _sum_bill, progress)


def _keep_backup(night: Night) -> None:
    """Leave a copy of the journal, which nothing but a copy can replace."""
    backups = night.config.state_dir / FOLDER
    try:
        back_up_tonight(night.journal.con, backups, keep=night.config.operations.journal_backups)
    except (sqlite3.Error, OSError) as error:
        night.complain(
            JournalError(
                f"no backup of the journal could be made: {error}",
                where=str(backups),
                fix="make room there; where the journal is damaged, `mlspend restore` puts the "
                "newest good backup in its place",
            )
        )


def _sum_bill(raw_name: str, paths: Sequence[Path], names: Sequence[str]) -> Iterable[LedgerTotal]:
    """Sum a bill by the code that shares nothing with the models."""
    from queries.totals import raw_totals  # noqa: PLC0415  (slow to import; most nights land little)

    return raw_totals(raw_name, paths, names)


def _site_of(reports: Path, generation: Path) -> Path | None:
    """Return the first page of the newest site that shows a generation, none where none does."""
    for marker in sorted(reports.glob(f"[0-9]*/{SITE_MARKER}"), reverse=True):
        if marker.read_text(encoding="ascii").split()[0] == generation.stem.partition(".")[0]:
            return marker.with_name("index.html")
    return None


def space_needed(database: Path | None) -> int:
    """Return the bytes that must be free for a night after the generation in force."""
    size = database.stat().st_size if database is not None else 0
    return _SPARE + _GENERATIONS_OF_SPACE * size


def _check_space(night: Night) -> None:
    """See that a night fits on the disk.

    Raises: OSError
    """
    needed = space_needed(night.database)
    free = shutil.disk_usage(night.config.state_dir).free
    if free < needed:
        raise OSError(
            errno.ENOSPC,
            f"a night needs {size_text(needed)} of free disk, there are {size_text(free)}",
        )
