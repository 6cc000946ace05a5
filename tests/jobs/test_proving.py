"""Bills added up a third time: what a night does by itself, and what `mlspend prove` tells."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from io import StringIO
from typing import TYPE_CHECKING

import pytest

from jobs.config import read_config
from jobs.extracting import extract
from jobs.journal import Journal
from jobs.night import open_night, raw_store_of
from jobs.nightly import build_and_publish
from jobs.progress import NoProgress, PlainProgress
from jobs.proving import print_proof
from queries import ModelError
from tests.jobs.nights import FOCUS, make_home, run, write_month

if TYPE_CHECKING:
    from pathlib import Path

UNIT = "focus 2026-10: {} 3.75 USD, as entered\n"
BOOKS = "books of focus: {} 3.75 USD, as added up plainly\n"
MEASURES = ("billed_cost", "effective_cost")


def night(home: Path) -> str:
    """Run a night; return what it told."""
    told = StringIO()
    with open_night(read_config(home / "mlspend.toml"), PlainProgress(told), "test") as opened:
        extract(opened)
        build_and_publish(opened)
        assert opened.problems == []
    return told.getvalue()


def prove(home: Path, *, is_all: bool = False) -> tuple[int, str]:
    """Return the exit code of a proof, and what it wrote."""
    config, out = read_config(home / "mlspend.toml"), StringIO()
    with Journal(config.state_dir / "journal.sqlite") as journal:
        store = raw_store_of(config, journal, NoProgress())
        code = print_proof(store, [one.name for one in config.sources], out, is_all=is_all)
    return code, out.getvalue()


def change(path: Path, before: str, after: str) -> None:
    path.chmod(0o644)
    path.write_text(path.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")


def test_prove_writes_a_line_for_each_sum_and_the_verdict(tmp_path: Path) -> None:
    """Of two sources, one that is damaged behind the journal's back."""
    home = make_home(tmp_path)
    write_month(home / "others", "2026-09", {1: "7"})
    other = '[[connectors.focus]]\nsource = "{}"\nroot = "{}"\n'
    (home / "mlspend.toml").write_text(
        other.format("focus", "bills") + other.format("theirs", "others"), encoding="utf-8"
    )
    assert prove(home) == (0, "nothing to prove: 0 units, 0 lines\n")
    night(home)
    done = run(home, "prove", "--source", "focus")

    assert (done.returncode, done.stderr) == (0, "")
    lines = [form.format(measure) for form in (UNIT, BOOKS) for measure in MEASURES]
    assert done.stdout == f"{''.join(lines)}proved: 1 unit, 2 lines\n"
    wrong = run(home, "prove", "--source", "thiers")
    assert (wrong.returncode, "there are focus, theirs" in wrong.stderr) == (2, True)

    (path,) = (home / "state" / "raw" / "theirs").rglob("*.csv")
    change(path, "7,", "6.5,")
    code, told = prove(home)
    assert code == 1
    assert "theirs 2026-09: billed_cost 6.5 USD, ENTERED AS 7\n" in told
    by = "dataset, model, project, service, team, user"
    assert f"books of theirs: billed_cost 6.5 USD, OTHERWISE BY {by}\n" in told
    assert told.endswith("4 differences: 2 units, 3 lines\n")
    path.unlink()
    code, told = prove(home)
    assert (code, "a bill cannot be added up plainly: FileNotFoundError" in told) == (1, True)
    assert UNIT.format("billed_cost") in told


def test_a_night_adds_up_what_changed_as_far_as_configured(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    assert "added up 2 lines of 1 unit plainly\n" in night(home)
    write_month(home / "bills", "2026-10", {1: "9"})
    write_month(home / "bills", "2026-11", {1: "1", 2: "2", 3: "3"})
    (home / "mlspend.toml").write_text(f"{FOCUS}[books]\nrecompute_rows = 3\n", encoding="utf-8")
    told = night(home)

    assert "added up 1 line of 1 unit plainly\n" in told
    assert "note: 1 unit not added up plainly: with more lines than [books] rec" in told
    code, told = prove(home, is_all=True)
    assert (code, "focus 2026-10 as of " in told) == (0, True)
    assert "books of focus: billed_cost 15 USD, as added up plainly\n" in told
    assert told.endswith("proved: 3 units, 6 lines\n")


def test_a_sum_that_differs_stops_the_night_before_it_publishes(tmp_path: Path) -> None:
    """What lies beyond twelve places is in no sum that the models make: nobody else would see."""
    home = make_home(tmp_path)
    with open_night(read_config(home / "mlspend.toml"), NoProgress(), "test") as opened:
        extract(opened)
        with closing(sqlite3.connect(home / "state" / "journal.sqlite")) as journal, journal:
            journal.execute("update totals set beyond = '1e-15' where measure = 'billed_cost'")
        with pytest.raises(ModelError, match=r"^3.75 USD is what the lines") as error:
            build_and_publish(opened)

    assert str(error.value).endswith("its delivery was entered with 3.750000000000001")
    assert error.value.__notes__[0] == "in:  source focus, cost_and_usage 2026-10"
    assert not list((home / "state" / "generations").glob("*.duckdb"))
