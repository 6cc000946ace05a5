"""A state of an older mlspend is brought up to date, and its next night works."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from jobs.journal import STEPS, VERSION, Journal
from queries.manifest import FORMAT, FormatError, Manifest
from queries.publish import newest_manifest
from tests.jobs.nights import billed, run, write_month

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(after_one: Path, tmp_path: Path) -> Path:
    """Return a copy of it, as the first release would have left it."""
    home = shutil.copytree(after_one, tmp_path / "home")
    state = home / "state"
    _to_version_1(state / "journal.sqlite")
    shutil.rmtree(state / "backups")
    (state / "last-good-night").unlink()
    (manifest,) = (state / "generations").glob("*.json")
    row = json.loads(manifest.read_text(encoding="utf-8"))
    del row["format"]  # the first release wrote none
    manifest.write_text(json.dumps(row), encoding="utf-8")
    return home


def _to_version_1(path: Path) -> None:
    """Write a journal anew with the tables of the first release, and its rows."""
    older = path.with_name("older.sqlite")
    with closing(sqlite3.connect(older)) as con:
        con.executescript(STEPS[0].read_text(encoding="utf-8"))
        con.execute("pragma user_version = 1")
        con.execute("attach ? as now", (str(path),))
        tables = con.execute(
            "select name from main.sqlite_master where type = 'table' and name not like 'sqlite%'"
        ).fetchall()
        assert {"night_runs", "deliveries", "totals", "restatements"} == {row[0] for row in tables}
        for (table,) in tables:
            rows = con.execute(f"pragma main.table_info({table})").fetchall()
            columns = ", ".join(row[1] for row in rows)
            con.execute(f"insert into main.{table} select {columns} from now.{table}")
        con.commit()
    for beside in ("-wal", "-shm"):
        path.with_name(path.name + beside).unlink(missing_ok=True)
    older.replace(path)


def test_a_state_of_the_first_release_goes_on(home: Path) -> None:
    before = (home / "state" / "journal.sqlite").read_bytes()
    assert run(home, "sources").returncode == 0  # reading is enough to bring it up to date
    copy = home / "state" / "backups" / f"before-version-{VERSION}-of-1.sqlite"
    with closing(sqlite3.connect(copy)) as con:
        assert con.execute("pragma user_version").fetchone() == (1,)
        assert con.execute("select count(*) from deliveries").fetchone() == (1,)
    assert len(before) > 0
    write_month(home / "bills", "2026-10", {1: "1.25", 2: "3.5"})
    done = run(home)
    assert done.returncode == 0, done.stderr
    assert billed(home) == 4.75
    with Journal(home / "state" / "journal.sqlite") as journal:
        assert len(journal.deliveries()) == 2
        assert [row.outcome for row in journal.nights()] == ["published", "published"]
        assert len(journal.restatements()) == 2
    shutil.copy(copy, home / "older.sqlite")
    assert run(home, "restore", "--from", str(home / "older.sqlite")).returncode == 0
    assert run(home).returncode == 0
    assert billed(home) == 4.75


def test_a_lake_of_another_format_is_built_anew_from_raw(home: Path) -> None:
    state = home / "state"
    (path,) = (state / "generations").glob("*.json")
    row = json.loads(path.read_text(encoding="utf-8")) | {"format": FORMAT + 1, "staged": "?"}
    path.write_text(json.dumps(row), encoding="utf-8")
    with pytest.raises(FormatError) as caught:
        Manifest.read(path)
    assert f"of format {FORMAT + 1}, this mlspend knows {FORMAT}" in str(caught.value)
    assert newest_manifest(state / "generations") is None
    shutil.rmtree(state / "lake")
    write_month(home / "bills", "2026-09", {1: "10"})
    told = run(home, "explain", "team=vision")
    assert told.returncode == 1
    assert "Traceback" not in told.stderr, told.stderr
    done = run(home)
    assert done.returncode == 0, done.stderr
    assert billed(home) == 13.75
    assert (state / "generations" / "000001.duckdb").exists()
    assert run(home, "explain", "team=vision").returncode == 0


def test_a_state_of_a_newer_mlspend_is_refused_by_every_command_that_writes(home: Path) -> None:
    with closing(sqlite3.connect(home / "state" / "journal.sqlite")) as con:
        con.execute(f"pragma user_version = {VERSION + 1}")
    for command in ("nightly", "extract", "build", "check", "report"):
        done = run(home, command)
        assert done.returncode == 1
        assert "run the newer mlspend that wrote it" in done.stderr
    assert billed(home) == 3.75
    assert not (home / "state" / "backups").exists()
