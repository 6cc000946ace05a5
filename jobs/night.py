"""A night under way: what its steps share, and how it begins and ends.

The steps are functions of it, in `nightly.py` and beside it. Whatever is wrong with one source is
told and kept; the night goes on for the others.
"""

from __future__ import annotations

import errno
import shutil
import sqlite3
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jobs.errors import describe, kept_problem
from jobs.faults import explained
from jobs.fetching import RefusedDeliveryError
from jobs.journal import Journal, JournalError
from jobs.journal.backup import FOLDER, back_up_tonight
from jobs.leaving_out import LEFT_OUT
from jobs.lock import locked
from jobs.progress import size_text
from jobs.raw_store import RawStore
from queries import ModelError
from queries.generation import newest_generation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from jobs.config import Config
    from jobs.ledger import Entry, LedgerTotal, Outcome
    from jobs.progress import Progress

_SPARE = 100_000_000
_GENERATIONS_OF_SPACE = 3
_FIX_DUPLICATE = (
    "take one of the two exports out of the config file; they may hand over at a month's edge"
)
_FIX_UNREADABLE = "have the source write it again; the last good delivery stays in force"


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

    def complain_of_quarantine(self) -> None:
        """Complain of every unit whose newest version does not count, though it should."""
        names = {source.name for source in self.config.sources}
        entries = [entry for entry in self.journal.deliveries() if entry.source in names]
        newest_of: dict[tuple[str, str, str], Entry] = {}
        for entry in entries:
            best = newest_of.get(entry.unit_key)
            if best is None or best.order < entry.order:
                newest_of[entry.unit_key] = entry
        told = {str(problem) for problem in self.problems}
        for entry in newest_of.values():
            is_told = entry.refused_by == LEFT_OUT or entry.reason in told
            if entry.state == "quarantined" and not is_told:
                self.complain(
                    RefusedDeliveryError(
                        entry.reason,
                        where=f"source {entry.source}, {entry.table} {entry.unit}",
                        fix=_FIX_UNREADABLE if entry.refused_by else _FIX_DUPLICATE,
                    )
                )


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
                told = [kept_problem(each) for each in (*night.problems, error)]
                journal.end_night(run, "stopped", night.generation, told)
            raise
        outcome: Outcome = "published" if night.is_published else "unchanged"
        problems = [kept_problem(problem) for problem in night.problems]
        journal.end_night(run, outcome, night.generation, problems, night.inputs)
        _keep_backup(night)
        _tell_end(night, command, outcome, time.monotonic() - began)


def raw_store_of(config: Config, journal: Journal, progress: Progress) -> RawStore:
    """Return the raw store of a state folder."""
    return RawStore(config.state_dir, journal, _sum_bill, progress)


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
