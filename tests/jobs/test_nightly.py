"""A night: what is wrong with one source stops that one, and a killed night done again is whole."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl
import pytest

from jobs.journal import Journal
from jobs.lock import locked
from queries.generation import newest_generation
from queries.publish import newest_manifest
from queries.read import open_generation
from tests.jobs.nights import FOCUS, ROOT, billed, configure, loading, run, write_month

if TYPE_CHECKING:
    from pathlib import Path

_EVERY_NIGHT = ("lock", "last-good-night")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder with a config file and a bill of 3.75."""
    write_month(tmp_path / "bills", "2026-10", {1: "1.25", 2: "2.5"})
    configure(tmp_path, FOCUS)
    return tmp_path


@pytest.fixture(scope="session")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return a folder in which one night has run, and what the night told."""
    home = tmp_path_factory.mktemp("first")
    write_month(home / "bills", "2026-10", {1: "1.25", 2: "2.5"})
    configure(home, FOCUS)
    done = run(home, "nightly", "--date", "2026-10-03")
    assert done.returncode == 0, done.stderr
    return home, done.stderr


@pytest.fixture
def lived_in(first_night: tuple[Path, str], tmp_path: Path) -> Path:
    """Return a copy of the folder in which one night has run."""
    return shutil.copytree(first_night[0], tmp_path / "home")


def contents(home: Path) -> dict[str, str]:
    """Return what a reader can come upon: figures by table, and raw and report files by digest."""
    state = home / "state"
    found = {}
    for folder in ("raw", "reports"):
        for path in sorted((state / folder).rglob("*")):
            if path.is_file():
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                found[str(path.relative_to(state))] = digest if folder == "raw" else ""
    with open_generation(newest_generation(state)) as con:
        for (table,) in con.execute(
            "select table_name from duckdb_tables() where schema_name = 'marts' order by 1"
        ).fetchall():
            if table != "freshness":  # tells when things were delivered
                rows = con.execute(f"select * from marts.{table} order by all").fetchall()
                found[table] = hashlib.sha256(repr(rows).encode()).hexdigest()
    return found


def test_the_first_night_publishes_and_reports(home: Path) -> None:
    done = run(home, "nightly", "--date", "2026-10-03")
    assert (done.returncode, done.stderr.count("error")) == (0, 0), done.stderr
    assert billed(home) == Decimal("3.75")
    assert (home / "state" / "reports" / "2026-10-03" / "index.html").exists()
    assert "USD: billed 3.75 = attributed" in done.stdout
    assert "difference 0" in done.stdout
    with Journal(home / "state" / "journal.sqlite") as journal:
        (night,) = journal.nights()
        assert (night.outcome, night.generation, night.problems) == ("published", "000001", "")


def test_a_night_in_which_nothing_changed_does_nothing_and_is_quick(lived_in: Path) -> None:
    run(lived_in)  # the folder was copied, so that its files look new once
    before = {
        path: path.stat().st_mtime_ns
        for path in (lived_in / "state").rglob("*")
        if path.is_file() and "journal" not in path.name and path.name not in _EVERY_NIGHT
    }
    start = _cpu_of_children()
    done = run(lived_in)
    seconds = _cpu_of_children() - start
    after = {
        path: path.stat().st_mtime_ns
        for path in (lived_in / "state").rglob("*")
        if path.is_file() and "journal" not in path.name and path.name not in _EVERY_NIGHT
    }
    assert done.returncode == 0
    assert "nothing changed" in done.stderr
    assert after == before
    assert seconds < 1.5  # of CPU, on a busy machine; alone it is less than one
    with Journal(lived_in / "state" / "journal.sqlite") as journal:
        assert [night.outcome for night in journal.nights()] == [
            "published",
            "unchanged",
            "unchanged",
        ]


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_a_night_without_news_loads_no_package_that_it_has_no_work_for(lived_in: Path) -> None:
    """A night loads DuckDB's engine without the package around it, which takes as long again."""
    heavy = {"duckdb", "polars", "sqlglot", "jinja2", "plotly", "boto3"}
    done = loading(lived_in, heavy, "nightly", then="import queries.build, queries.publish")
    assert "nothing changed" in done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_restated_bill_is_published_and_in_the_ledger(lived_in: Path) -> None:
    write_month(lived_in / "bills", "2026-10", {1: "1.25", 2: "2.5", 3: "100.000000000001"})
    assert run(lived_in).returncode == 0
    assert billed(lived_in) == Decimal("103.750000000001")
    with Journal(lived_in / "state" / "journal.sqlite") as journal:
        assert {(row.before, row.after) for row in journal.restatements()} == {
            (Decimal("3.75"), Decimal("103.750000000001"))
        }


def test_what_a_restated_bill_changes_is_told_by_the_files_of_the_one_before(home: Path) -> None:
    written = home / "bills" / "2026-10.csv"
    for cost, days in (("2.5", {"2026-10-01", "2026-10-02"}), ("4.75", {"2026-10-01"})):
        write_month(home / "bills", "2026-10", {1: "1.25", 2: cost})
        pl.read_csv(written).write_parquet(written.with_suffix(".parquet"))
        written.unlink()
        assert run(home).returncode == 0
        manifest = newest_manifest(home / "state" / "generations")
        assert manifest is not None
        (group,) = manifest.staged["staging.focus__cost_and_usage"].values()
        assert group.table.files[0].days == days
        assert not group.hashes, "no staged rows were compared"
    assert billed(home) == Decimal("6.00")


def test_a_source_that_cannot_be_read_stops_alone(home: Path) -> None:
    configure(
        home,
        '[connectors.focus]\nroot = "bills"\n[connectors.aws_cur]\nroot = "not there"\n',
    )
    done = run(home)
    assert done.returncode == 1
    assert "error: the folder is not there" in done.stderr
    assert str(home / "not there") in done.stderr
    assert billed(home) == Decimal("3.75")


def test_a_broken_restatement_leaves_the_last_good_bill_in_force(lived_in: Path) -> None:
    write_month(lived_in / "bills", "2026-10", {1: "1.25", 2: "two and a half"})
    done = run(lived_in)
    assert done.returncode == 1
    assert "two and a half" in done.stderr
    assert "Traceback" not in done.stderr
    assert billed(lived_in) == Decimal("3.75")
    write_month(lived_in / "bills", "2026-10", {1: "1.25", 2: "2.75"})
    assert run(lived_in).returncode == 0
    assert billed(lived_in) == 4


def test_the_same_bill_from_two_sources_counts_once_and_both_are_named(lived_in: Path) -> None:
    write_month(lived_in / "copy", "2026-10", {1: "1.25", 2: "2.5"})
    both = '[[connectors.focus]]\nroot = "bills"\n[[connectors.focus]]\nsource = "copy"\n'
    configure(lived_in, both + 'root = "copy"\n')
    for _ in range(2):  # as long as it lasts
        done = run(lived_in)
        assert done.returncode == 1
        assert 'sources "focus" and "copy" both deliver the AWS bill of account 111' in done.stderr
        assert "fix: take one of the two exports out" in done.stderr
        assert billed(lived_in) == Decimal("3.75")
    configure(lived_in, '[[connectors.focus]]\nsource = "copy"\nroot = "copy"\n')
    done = run(lived_in)
    assert done.returncode == 0
    assert 'note: source "focus" has landed data but is not in the config file' in done.stderr
    assert billed(lived_in) == Decimal("3.75")


def test_two_accounts_are_two_bills(home: Path) -> None:
    write_month(home / "other", "2026-10", {1: "10"}, account="222")
    both = '[[connectors.focus]]\nroot = "bills"\n[[connectors.focus]]\nsource = "other"\n'
    configure(home, both + 'root = "other"\n')
    assert run(home).returncode == 0
    assert billed(home) == Decimal("13.75")


def test_a_retired_source_counts_without_being_there(lived_in: Path) -> None:
    (lived_in / "bills").rename(lived_in / "gone")
    configure(lived_in, '[connectors.focus]\nroot = "bills"\nretired = true\n')
    assert run(lived_in).returncode == 0
    assert billed(lived_in) == Decimal("3.75")


def test_the_steps_done_singly_end_where_a_night_ends(home: Path) -> None:
    assert run(home, "extract").returncode == 0
    assert not (home / "state" / "generations").exists()
    assert run(home, "build").returncode == 0
    assert run(home, "check").returncode == 0
    done = run(home, "report", "--date", "2026-10-03")
    assert done.stdout.strip() == str(home / "state" / "reports" / "2026-10-03" / "index.html")
    assert billed(home) == Decimal("3.75")


def test_check_finds_a_raw_file_that_rotted(lived_in: Path) -> None:
    (raw,) = (lived_in / "state" / "raw").rglob("*.csv")
    raw.write_bytes(raw.read_bytes().replace(b"2.5", b"9.5"))
    done = run(lived_in, "check")
    assert done.returncode == 1
    assert f"in:  {raw}" in done.stderr


def test_a_second_night_at_once_steps_back(home: Path) -> None:
    with locked(home / "state"):
        done = run(home)
    assert done.returncode == 75
    assert "another mlspend is at work" in done.stderr
    assert not (home / "state" / "journal.sqlite").exists()


def test_a_question_is_answered_as_table_csv_and_json(lived_in: Path) -> None:
    query = "select sum(billed_cost) as total from marts.spend_daily where dimension = 'team'"
    assert run(lived_in, "sql", query).stdout.split()[-1] == "3.75"
    assert run(lived_in, "sql", "--csv", query).stdout.split() == ["total", "3.750000000000"]
    assert run(lived_in, "sql", "--json", query).stdout.split() == [
        "[",
        '{"total":',
        "3.750000000000}",
        "]",
    ]
    named = run(lived_in, "sql", "--named", "leaderboard", "--param", "dimension=team", "--csv")
    assert "vision" in named.stdout
    assert run(lived_in, "sql", "--named", "leaderbord").returncode == 1


def test_a_figure_is_explained_down_to_the_raw_file(lived_in: Path) -> None:
    told = run(lived_in, "explain", "team=vision").stdout
    assert "team vision, 2026-10-01 to 2026-10-02, effective_cost, USD" in told
    assert "3.75" in told
    (raw,) = (lived_in / "state" / "raw").rglob("*.csv")
    assert raw.name[:20] in told
    day = "2026-10-02"
    one_day = run(lived_in, "explain", "team=vision", "--from", day, "--to", day, "--json").stdout
    tree = json.loads(one_day)["figures"][0]
    assert tree["cost"] == "2.500000000000"
    assert tree["difference"] == "0.000000000000"
    unknown = run(lived_in, "explain", "team=visoin")
    assert unknown.returncode == 1
    assert 'did you mean "vision"?' in unknown.stderr
    too_late = run(lived_in, "explain", "team=vision", "--from", "2026-10-03")
    assert 'the team "vision" has no cost in these days\n' in too_late.stderr
    assert run(lived_in, "explain", "vision").returncode == 2
    assert 'there is no run "r1"' in run(lived_in, "explain", "run=r1").stderr
    assert run(lived_in, "explain", "run=r1", "--to", day).returncode == 2


def test_a_name_that_does_not_exist_is_refused_without_computing_anything(lived_in: Path) -> None:
    lake, aside = lived_in / "state" / "lake", lived_in / "aside"
    lake.rename(aside)
    try:
        refused = {
            asked: run(lived_in, "explain", asked).stderr.splitlines()[0]
            for asked in ("team=visoin", "tema=vision", "model_full_cost=lens", "run=r1")
        }
    finally:
        aside.rename(lake)
    assert refused == {
        "team=visoin": 'error: the team "visoin" has no cost in these days; did you mean "vision"?',
        "tema=vision": 'error: "tema" is no dimension of cost',
        "model_full_cost=lens": 'error: the model "lens" has no full cost',
        "run=r1": 'error: there is no run "r1"',
    }


def test_a_night_without_a_bill_says_that_there_is_no_site_yet(tmp_path: Path) -> None:
    (tmp_path / "ownership.toml").write_text(
        '[[rules]]\nid = "a"\nwhen = { namespace = "a-*" }\nteam = "a"\n', encoding="utf-8"
    )
    configure(tmp_path, '[connectors.ownership]\npath = "ownership.toml"\n')
    night = run(tmp_path, "nightly")
    assert night.returncode == 0, night.stderr
    assert "no bill has a day of cost yet: there is no site to write" in night.stderr
    assert "Site:" not in night.stdout
    again = run(tmp_path, "report")
    assert (again.returncode, again.stdout) == (0, "")


def test_sources_shows_what_has_landed(lived_in: Path) -> None:
    told = run(lived_in, "sources").stdout
    assert "focus" in told
    assert "2026-10" in told
    assert "good" in told
    assert "not read: focus cost_and_usage 2026-10: BillingPeriodEnd\n" in told
    (raw,) = (lived_in / "state" / "raw").rglob("*.csv")
    raw.unlink()
    assert "not looked into: focus cost_and_usage 2026-10: " in run(lived_in, "sources").stdout


def _kill_after(lived_in: Path, lines: int) -> bool:
    """Start a night, kill it when it has told `lines` lines; tell whether it was killed."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "jobs.cli", "nightly", "--date", "2026-10-03"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        cwd=lived_in,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    assert process.stderr is not None
    for _ in range(lines):
        process.stderr.readline()
    os.killpg(process.pid, signal.SIGKILL)
    process.stderr.close()
    return process.wait() == -signal.SIGKILL


def test_a_night_killed_at_any_stage_and_done_again_ends_in_the_same_state(
    first_night: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    home, told = first_night
    stages = len(told.splitlines())
    assert stages >= 6
    wanted = contents(home)
    killed = 0
    for stage in range(stages + 1):
        other = tmp_path_factory.mktemp("killed")
        write_month(other / "bills", "2026-10", {1: "1.25", 2: "2.5"})
        configure(other, '[connectors.focus]\nroot = "bills"\n')
        killed += _kill_after(other, stage)
        done = run(other, "nightly", "--date", "2026-10-03")
        assert done.returncode == 0, done.stderr
        assert contents(other) == wanted, f"killed after {stage} lines"
    assert killed >= 5
