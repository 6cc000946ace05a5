"""Is the state whole: the journal and its backups, the generations, who holds the lock."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.journal import VERSION
from jobs.journal.backup import FOLDER, faults_of_file, nightly_backups
from jobs.journal.reading import holder_of, open_to_read
from jobs.operations.checks import Finding, ok, warning, wrong
from queries import ModelError
from queries.generation import generations_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.config import Config

_OLD_BACKUP = 3 * 86_400
_RESTORE = "run `mlspend restore`: it puts back the newest sound backup"


def check_lock(config: Config) -> Iterator[Finding]:
    """Tell who is at work."""
    holder = holder_of(config.state_dir / "lock")
    if holder is None:
        yield ok("lock", "nobody is at work on state_dir")
        return
    command = "a process of another machine or container"
    with suppress(OSError):
        command = Path(f"/proc/{holder}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    yield ok("lock", f"process {holder} is at work: {command.strip()}")


def check_journal(config: Config) -> Iterator[Finding]:
    """See that the journal is whole, of a version that is known, and backed up."""
    path = config.state_dir / "journal.sqlite"
    if not path.exists():
        yield ok("journal", "there is none yet: no night has run")
        return
    fault = faults_of_file(path)
    if fault:
        yield wrong("journal", f"it is damaged: {fault}", _RESTORE)
    else:
        yield _version_finding(path)
    backups = nightly_backups(config.state_dir / FOLDER)
    damaged = [copy.name for copy in backups if faults_of_file(copy)]
    if damaged:
        names = ", ".join(damaged)
        yield wrong("backups", f"damaged: {names}", "check the disk, then delete them")
    elif not backups:
        yield warning("backups", "there is none of the journal", "the next night makes one")
    else:
        age = datetime.now(UTC).timestamp() - backups[-1].stat().st_mtime
        told = f"{len(backups)} sound, the newest {age / 3600:.0f} h old"
        fix = "run `mlspend nightly`; every night leaves one"
        yield warning("backups", told, fix) if age > _OLD_BACKUP else ok("backups", told)


def _version_finding(path: Path) -> Finding:
    try:
        with closing(open_to_read(path)) as con:
            (version,) = con.execute("pragma user_version").fetchone()
    except sqlite3.Error as error:
        return wrong("journal", f"it cannot be read: {error}", _RESTORE)
    if version > VERSION:
        told = f"it is of version {version}, this mlspend knows {VERSION}"
        return wrong("journal", told, "run the newer mlspend that wrote it")
    later = "" if version == VERSION else f"; the next night brings it from {version} to {VERSION}"
    return ok("journal", f"whole{later}")


def check_generations(config: Config) -> Iterator[Finding]:
    """Read every kept generation again, as it was verified when it was published."""
    from queries.engines.duckdb import Error  # noqa: PLC0415  (loads the warehouse)
    from queries.verify import verify  # noqa: PLC0415

    generations = config.state_dir / "generations"
    kept = generations_of(config.state_dir)
    pointer = generations / "current"
    current = pointer.read_text(encoding="ascii").strip() if pointer.exists() else ""
    if not kept:
        yield ok("generations", "there is none yet: no night has published")
        return
    if current not in {path.stem for path in kept}:
        told = f"the pointer names {current or 'none'}, which is not there"
        yield wrong("generations", told, f"run `mlspend restore --generation {int(kept[-1].stem)}`")
    for path in kept:
        try:
            verify(path)
        except (ModelError, Error, OSError, ValueError) as error:
            told = f"{path.stem} does not verify: {str(error).splitlines()[0]}"
            fix = "run `mlspend restore --generation N` with a sound one, and check the disk"
            if path.stem == current:
                yield wrong("generations", told, fix)
            else:
                yield warning("generations", told, f"delete {path.name}, and check the disk")
        else:
            seen = ", which readers see" if path.stem == current else ""
            yield ok("generations", f"{path.stem} verifies{seen}")
