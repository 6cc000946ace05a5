"""`mlspend restore`: a copy of the journal, or an older generation, put back into force.

Nothing is deleted. The journal that was there is set aside, with its log; so are raw files that no
row of the restored journal names, and the next night fetches them again. Mails and enforcement
between the copy and now are unknown: they are never repeated.
"""

from __future__ import annotations

import os
import shutil
from contextlib import closing, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jobs.fetching import RefusedDeliveryError
from jobs.journal import VERSION, Journal, JournalError
from jobs.journal.backup import FOLDER, faults_of_file, landed_since, nightly_backups
from jobs.journal.reading import open_to_read
from jobs.journal.restores import Restores
from jobs.lock import locked
from jobs.night import raw_store_of
from queries import ModelError
from queries.generation import generations_of

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.config import Config
    from jobs.progress import Progress
    from jobs.raw_store import RawStore

_ASIDE = "set-aside"


def restore_journal(config: Config, backup: Path | None, progress: Progress) -> None:
    """Put a copy of the journal back, by default the newest that is sound.

    Raises: JournalError where there is none, BusyError where mlspend is at work.
    """
    state_dir = config.state_dir
    with locked(state_dir):
        chosen = _sound(backup) if backup is not None else _newest_sound(state_dir, progress)
        made_at = _last_known(chosen)
        aside = state_dir / _ASIDE / f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}"
        half = _copy(chosen, state_dir / "journal.half")
        _set_aside(state_dir, aside)
        half.replace(state_dir / "journal.sqlite")
        with Journal(state_dir / "journal.sqlite") as journal:
            store = raw_store_of(config, journal, progress)
            entered = _reenter(config, store, progress)
            _forget_collected(store)
            moved = _move_strangers(store, aside / "raw")
            Restores(journal).enter(chosen.name, made_at, entered)
    progress.say(f"restored {chosen}", "restore", backup=str(chosen), entered=entered, moved=moved)
    progress.say(f"  what was there lies in {aside}")
    progress.say(f"  {entered} deliveries entered again that had landed since")
    if moved:
        progress.say(f"  {moved} raw files without a row set aside; the next night fetches anew")
    progress.say(
        f"  nothing is mailed or enforced for report days from {made_at:%Y-%m-%d} to today: it may "
        "have been already"
    )


def _newest_sound(state_dir: Path, progress: Progress) -> Path:
    for path in reversed(nightly_backups(state_dir / FOLDER)):
        try:
            return _sound(path)
        except JournalError as error:
            progress.say(f"note: {path.name} is left out: {error}")
    raise JournalError(
        "there is no sound backup of the journal",
        where=str(state_dir / FOLDER),
        fix="give one with --from; without any, move journal.sqlite away: everything is then "
        "fetched again, and what was mailed is forgotten",
    )


def _sound(path: Path) -> Path:
    """Return a copy that can be put back.

    Raises: JournalError
    """
    fault = "it is not there" if not path.is_file() else faults_of_file(path)
    if not fault:
        with closing(open_to_read(path)) as con:
            (version,) = con.execute("pragma user_version").fetchone()
        if not 0 < version <= VERSION:
            fault = f"it is of version {version}, this mlspend knows 1 to {VERSION}"
    if fault:
        raise JournalError(
            f"the backup cannot be put back: {fault}",
            where=str(path),
            fix=f"choose another of {path.parent}",
        )
    return path


def _last_known(backup: Path) -> datetime:
    """Return the time up to which a copy knows what happened; the file's own may be another."""
    with closing(open_to_read(backup)) as con:
        (at,) = con.execute("select max(coalesce(ended_at, started_at)) from night_runs").fetchone()
    return datetime.fromisoformat(at) if at else datetime(1, 1, 1)  # noqa: DTZ001  (UTC)


def _copy(source: Path, target: Path) -> Path:
    shutil.copyfile(source, target)
    with target.open("rb+") as file:
        os.fsync(file.fileno())
    return target


def _set_aside(state_dir: Path, aside: Path) -> None:
    """Move the journal that is there away, with what SQLite keeps beside it."""
    aside.mkdir(parents=True)
    for name in ("journal.sqlite-wal", "journal.sqlite-shm", "journal.sqlite"):
        with suppress(FileNotFoundError):
            (state_dir / name).replace(aside / name)


def _reenter(config: Config, store: RawStore, progress: Progress) -> int:
    """Enter what the log knows to have landed since the copy was made; return how many."""
    tables = {
        (source.name, table.name): table
        for source in config.sources
        for table in source.connector.tables
    }
    count = 0
    for new in landed_since(store.state_dir / FOLDER):
        table = tables.get((new.source, new.table))
        there = all((store.raw / file.path).is_file() for file in new.files)
        if table is None or not there:
            continue
        try:
            count += store.reenter(new, is_bill=table.is_bill)
        except (RefusedDeliveryError, ModelError) as error:
            progress.say(f"note: {new.source} {new.table} {new.unit} is left out: {error}")
    return count


def _forget_collected(store: RawStore) -> None:
    """Enter what was collected since the copy: older versions whose files are gone."""
    newest: dict[tuple[str, str, str], int] = {}
    entries = sorted(store.journal.deliveries(), key=lambda entry: entry.order)
    for entry in entries:
        newest[entry.unit_key] = entry.id
    store.journal.mark_collected(
        entry.id
        for entry in entries
        if newest[entry.unit_key] != entry.id
        and not entry.is_collected
        and not all((store.raw / file.path).is_file() for file in entry.files)
    )


def _move_strangers(store: RawStore, aside: Path) -> int:
    """Set aside raw files that no row names: the next collection would delete them."""
    named = {file.path for entry in store.journal.deliveries() for file in entry.files}
    count = 0
    for path in list(store.raw.rglob("*")):
        name = str(path.relative_to(store.raw))
        if path.is_file() and name not in named:
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            path.replace(aside / name)
            count += 1
    return count


def restore_generation(config: Config, number: int, progress: Progress) -> None:
    """Point readers to an older generation, once it is proven whole.

    Raises: ModelError for one that is not there, or is not as it was built.
    """
    from queries.publish import point_to  # noqa: PLC0415  (loads the warehouse)
    from queries.verify import verify  # noqa: PLC0415

    generations = config.state_dir / "generations"
    target = generations / f"{number:06d}.duckdb"
    if not target.is_file() or not target.with_suffix(".json").is_file():
        kept = ", ".join(path.stem for path in generations_of(config.state_dir)) or "none"
        raise ModelError(
            f"there is no generation {number:06d}",
            where=str(generations),
            fix=f"kept are {kept}; [keep] generations says how many",
        )
    with locked(config.state_dir):
        progress.say(f"check generation {target.stem}")
        verify(target)
        point_to(generations, target)
    progress.say(f"readers see generation {target.stem}", "restore", generation=target.stem)
    progress.say(
        "  until the next night: it builds from all that has landed and publishes a newer one; if "
        "that is not wanted, put the cause right or stop the schedule first"
    )
    progress.say("  `mlspend report` writes its site again")
