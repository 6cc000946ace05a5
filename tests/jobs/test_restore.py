"""A journal that is damaged is put back with all that has landed; nothing is done twice."""

from __future__ import annotations

import shutil
import sqlite3
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from jobs.journal import VERSION, Journal
from jobs.journal.backup import nightly_backups
from jobs.journal.restores import Restores
from tests.jobs.nights import billed, run, write_month

if TYPE_CHECKING:
    from pathlib import Path


def damage(journal: Path) -> None:
    """Overwrite pages in the midst of a file, and forget what SQLite keeps beside it."""
    for beside in ("-wal", "-shm"):
        journal.with_name(journal.name + beside).unlink(missing_ok=True)
    with journal.open("rb+") as file:
        file.seek(4096)
        file.write(b"\xa5" * 20_000)


def test_every_night_leaves_a_sound_copy_and_as_many_stay_as_configured(home: Path) -> None:
    backups = home / "state" / "backups"
    (copy,) = nightly_backups(backups)
    for age in range(1, 5):
        shutil.copy(copy, backups / f"journal-2026-01-0{age}.sqlite")
    (home / "mlspend.toml").write_text(
        '[connectors.focus]\nroot = "bills"\n[operations]\njournal_backups = 3\n', encoding="utf-8"
    )
    assert run(home).returncode == 0
    assert [path.name for path in nightly_backups(backups)] == [
        "journal-2026-01-03.sqlite",
        "journal-2026-01-04.sqlite",
        copy.name,
    ]
    with sqlite3.connect(copy) as con:
        assert con.execute("pragma integrity_check").fetchall() == [("ok",)]
        assert con.execute("select outcome from night_runs").fetchall()[-1] == ("unchanged",)
    con.close()


def test_a_damaged_journal_stops_the_night_and_is_put_back(home: Path) -> None:
    journal = home / "state" / "journal.sqlite"
    damage(journal)
    stopped = run(home)
    assert stopped.returncode == 1
    assert "the journal cannot be read" in stopped.stderr
    assert "mlspend restore" in stopped.stderr
    broken = journal.read_bytes()
    told = run(home, "status")
    assert told.returncode == 1
    assert "the journal cannot be read" in told.stdout
    assert journal.read_bytes() == broken

    restored = run(home, "restore")
    assert restored.returncode == 0, restored.stderr
    (aside,) = (home / "state" / "set-aside").iterdir()
    assert (aside / "journal.sqlite").read_bytes() == broken
    again = run(home)
    assert again.returncode == 0, again.stderr
    assert billed(home) == 3.75
    today = datetime.now(UTC).date()
    with Journal(journal) as opened:
        restores = Restores(opened)
        assert restores.is_unknown(today)
        assert not restores.is_unknown(today + timedelta(days=1))
        assert not restores.is_unknown(today - timedelta(days=1))


def test_what_landed_after_the_copy_is_entered_again_even_if_its_source_is_gone(
    home: Path,
) -> None:
    (copy,) = nightly_backups(home / "state" / "backups")
    older = home / "older.sqlite"
    shutil.copy(copy, older)
    write_month(home / "bills", "2026-09", {3: "10.000000000001"})
    write_month(home / "bills", "2026-10", {1: "1.25", 2: "3.5"})
    assert run(home).returncode == 0
    total = billed(home)
    with Journal(home / "state" / "journal.sqlite") as journal:
        wanted = [
            (e.source, e.unit, e.version, e.version_at, e.files) for e in journal.deliveries()
        ]
        totals, restated = journal.totals(), [row.why for row in journal.restatements()]
    damage(home / "state" / "journal.sqlite")
    (home / "bills" / "2026-09.csv").unlink()  # what no source can give again

    done = run(home, "restore", "--from", str(older))
    assert done.returncode == 0, done.stderr
    assert "2 deliveries entered again" in done.stderr
    with Journal(home / "state" / "journal.sqlite") as journal:
        found = [(e.source, e.unit, e.version, e.version_at, e.files) for e in journal.deliveries()]
        assert found == wanted
        assert journal.totals() == totals
        assert [row.why for row in journal.restatements()] == restated
    assert run(home).returncode == 0
    assert billed(home) == total


def test_raw_files_that_nothing_knows_are_set_aside_and_fetched_anew(home: Path) -> None:
    state = home / "state"
    (copy,) = nightly_backups(state / "backups")
    older = shutil.copy(copy, home / "older.sqlite")
    write_month(home / "bills", "2026-11", {1: "7"})
    assert run(home).returncode == 0
    for log in (state / "backups").glob("landed*"):
        log.unlink()
    done = run(home, "restore", "--from", str(older))
    assert "1 raw files without a row set aside" in done.stderr
    assert len(list((state / "set-aside").rglob("*.csv"))) == 1
    assert run(home).returncode == 0
    assert billed(home) == 10.75


def test_a_copy_that_is_damaged_or_newer_is_not_put_back(home: Path) -> None:
    backups = home / "state" / "backups"
    (good,) = nightly_backups(backups)
    newest = backups / "journal-2099-01-01.sqlite"
    shutil.copy(good, newest)
    damage(newest)
    newer = backups / "journal-2098-01-01.sqlite"
    shutil.copy(good, newer)
    with sqlite3.connect(newer) as con:
        con.execute(f"pragma user_version = {VERSION + 1}")
    con.close()
    refused = run(home, "restore", "--from", str(newest))
    assert refused.returncode == 1
    assert "fix: choose another" in refused.stderr
    assert not (home / "state" / "set-aside").exists()
    done = run(home, "restore")
    assert done.returncode == 0, done.stderr
    assert f"this mlspend knows 1 to {VERSION}" in done.stderr
    assert f"restored {good}" in done.stderr


def test_readers_are_pointed_back_until_the_next_night_publishes(home: Path) -> None:
    write_month(home / "bills", "2026-10", {1: "1.25", 2: "99"})
    assert run(home).returncode == 0
    assert billed(home) == 100.25
    done = run(home, "restore", "--generation", "1")
    assert done.returncode == 0, done.stderr
    assert billed(home) == 3.75
    assert run(home).returncode == 0
    assert billed(home) == 100.25
    assert (home / "state" / "generations" / "current").read_text(encoding="ascii") == "000003"
    missing = run(home, "restore", "--generation", "9")
    assert missing.returncode == 1
    assert "kept are 000001, 000002, 000003" in missing.stderr
    assert run(home, "restore", "--generation", "1", "--from", "x").returncode == 2


def test_a_generation_that_is_damaged_is_not_pointed_to(home: Path) -> None:
    write_month(home / "bills", "2026-10", {1: "5"})
    assert run(home).returncode == 0
    first = home / "state" / "generations" / "000001.duckdb"
    first.chmod(0o644)
    data = bytearray(first.read_bytes())
    for place in range(20_000, len(data), 4096):
        data[place] ^= 0xFF
    first.write_bytes(data)
    done = run(home, "restore", "--generation", "1")
    assert done.returncode == 1
    assert billed(home) == 5


def test_the_days_between_copy_and_restore_are_unknown(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.sqlite") as journal:
        restores = Restores(journal)
        assert not restores.is_unknown(date(2026, 10, 3))
        restores.enter("a", datetime(2026, 10, 1, 4), 0)  # noqa: DTZ001  (UTC without a zone)
        assert restores.is_unknown(date(2026, 10, 1))
        assert restores.is_unknown(date(2026, 10, 3))
        assert not restores.is_unknown(date(2026, 9, 30))
