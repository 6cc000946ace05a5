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
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connectors.base import SourceError
from jobs.duplicates import find_duplicates
from jobs.errors import describe
from jobs.fetching import RefusedDeliveryError
from jobs.inputs import build_input, superseding_tables
from jobs.journal import Journal
from jobs.lock import locked
from jobs.progress import size_text
from jobs.raw_store import RawStore, known_deliveries
from jobs.site import file_site, site_of
from queries import ModelError
from queries.build import build
from queries.catalog import code_fingerprint
from queries.publish import collect, newest, publish
from queries.stage import DeliveryError
from queries.totals import raw_totals
from queries.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from jobs.config import Config, Source
    from jobs.ledger import Entry, Outcome, State
    from jobs.progress import Progress
    from queries.build import Built

_SPARE = 100_000_000
_GENERATIONS_OF_SPACE = 3
_FULL = (errno.ENOSPC, errno.EDQUOT)


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
        self.progress.say(describe(problem))

    def extract(self) -> None:
        """Land what is new of every source; what is wrong with one stops that one alone."""
        entries = self.journal.deliveries()
        for source in self.config.sources:
            if source.is_retired:
                continue
            self.progress.say(f"extract {source.name}")
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
        for delivery in source.connector.deliveries(known):
            table = tables[delivery.table]
            try:
                self.store.land(source.name, source.kind, table, delivery)
            except (RefusedDeliveryError, ModelError) as error:
                self.complain(error)
                if delivery.cursor is not None:
                    return  # a later delivery's cursor would leap over this one for good

    def build(self) -> Built | None:
        """Bring the warehouse up to date and check it; none where nothing changed.

        Raises: ModelError for a check that fails: nothing may be published then.
        """
        while True:
            counted = self._judge()
            try:
                return build(build_input(self.config, self.store, counted))
            except DeliveryError as error:
                self._refuse(error)

    def _judge(self) -> list[Entry]:
        """Decide which deliveries count, enter what changed in that, and return them."""
        names = {source.name for source in self.config.sources}
        entries = [entry for entry in self.journal.deliveries() if entry.source in names]
        code = code_fingerprint()
        unreadable = {
            entry.id for entry in entries if entry.refused_by and entry.refused_by == code
        }
        readable = [entry for entry in entries if entry.id not in unreadable]
        duplicates = find_duplicates(readable, self.journal.totals())
        verdicts: list[tuple[int, State, str, str]] = []
        for entry in readable:
            state: State = "quarantined" if entry.id in duplicates else "landed"
            reason = duplicates.get(entry.id, "")
            if (entry.state, entry.reason) != (state, reason):
                verdicts.append((entry.id, state, reason, ""))
        self.journal.judge(verdicts)
        entries = [entry for entry in self.journal.deliveries() if entry.source in names]
        self._complain_of_quarantine(entries)
        return self.store.counted(names, superseding_tables())

    def _complain_of_quarantine(self, entries: list[Entry]) -> None:
        """Complain of every unit whose newest version does not count."""
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

    def _refuse(self, error: DeliveryError) -> None:
        """Quarantine a delivery that cannot be read, and every version with the same bytes."""
        bad = error.delivery
        digests = tuple(sorted(file.sha256 for file in bad.files))
        verdicts: list[tuple[int, State, str, str]] = [
            (entry.id, "quarantined", str(error), code_fingerprint())
            for entry in self.journal.versions(bad.source, bad.table, bad.unit)
            if entry.content == digests and entry.state == "landed"
        ]
        if not verdicts:
            raise error.error
        self.journal.judge(verdicts)
        self.complain(error.error)

    def publish(self, built: Built) -> None:
        """Publish a checked build, then delete what nothing needs any more."""
        try:
            self.progress.say("publish")
            target = publish(built, self.generations)
        finally:
            built.con.close()
        self.is_published = True
        self.progress.say(f"  generation {target.stem}, {size_text(target.stat().st_size)}")
        needed = collect(self.generations, self.lake, keep=self.config.keep.generations)
        self.store.collect(superseding_tables(), needed, keep=self.config.keep.open_versions)

    def build_and_publish(self) -> None:
        """Build, check and publish, where anything changed."""
        built = self.build()
        if built is None:
            self.progress.say("nothing changed: nothing built, nothing published")
        else:
            self.publish(built)

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
        database = newest(self.generations)
        if database is not None:
            self.progress.say(f"check generation {database.stem}")
            verify(database)

    def report(self, day: date | None, *, again: bool = False) -> Path | None:
        """Write the site of the newest generation, unless there is one; return its first page."""
        generation = newest(self.generations)
        if generation is None:
            return None
        there = site_of(self.config.state_dir / "reports", generation)
        if there is not None and not again:
            return there
        self.progress.say("report")
        return file_site(self.config, generation, day)


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
    with locked(config.state_dir), Journal(config.state_dir / "journal.sqlite") as journal:
        shutil.rmtree(config.state_dir / "tmp", ignore_errors=True)
        store = RawStore(config.state_dir, journal, raw_totals, progress)
        night = Night(config, journal, store, progress)
        run = journal.begin_night(command)
        try:
            _check_space(night)
            yield night
        except BaseException as error:
            with suppress(sqlite3.Error):
                told = [str(each) for each in (*night.problems, error)]
                journal.end_night(run, "stopped", _generation_of(night), told)
            if isinstance(error, OSError) and error.errno in _FULL:
                error.add_note(f"in:  {config.state_dir}")
                error.add_note("fix: make room there; the last good generation stays in force")
            raise
        outcome: Outcome = "published" if night.is_published else "unchanged"
        problems = [str(problem) for problem in night.problems]
        journal.end_night(run, outcome, _generation_of(night), problems)


def _generation_of(night: Night) -> str | None:
    database = newest(night.generations)
    return None if database is None else database.stem


def _check_space(night: Night) -> None:
    database = newest(night.generations)
    size = database.stat().st_size if database is not None and database.exists() else 0
    needed = _SPARE + _GENERATIONS_OF_SPACE * size
    free = shutil.disk_usage(night.config.state_dir).free
    if free < needed:
        raise OSError(
            errno.ENOSPC,
            f"a night needs {size_text(needed)} of free disk, there are {size_text(free)}",
        )
