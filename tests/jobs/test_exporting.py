"""What was attributed leaves as FOCUS: it conforms, and adds up to the bill."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from queries.engines.duckdb import Limits, connect
from queries.focus.validation import validate
from tests.jobs.nights import make_home, run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = make_home(tmp_path_factory.mktemp("home"))
    assert run(home).returncode == 0
    return home


@pytest.mark.parametrize("version", ["1.4", "1.2"])
@pytest.mark.parametrize("suffix", ["parquet", "csv", "csv.gz"])
def test_the_file_conforms_and_adds_up(home: Path, version: str, suffix: str) -> None:
    out = home / f"out-{version}.{suffix}"
    done = run(home, "export", "focus", "--version", version, str(out))

    assert done.returncode == 0, done.stderr
    assert validate(out, version).conforms
    reader = "read_parquet" if suffix == "parquet" else "read_csv"
    con = connect(Limits(threads=1))
    rows = con.execute(
        f"select x_Team, sum(cast(BilledCost as decimal(38, 12))), count(*) "
        f"from {reader}('{out}') group by all"
    ).fetchall()
    assert rows == [("vision", Decimal("3.75"), 2)]
    assert not list(home.glob(".*"))


def test_days_may_be_chosen(home: Path) -> None:
    done = run(home, "export", "focus", "--from", "2026-10-02", "one.csv")

    assert done.returncode == 0, done.stderr
    assert (home / "one.csv").read_text().splitlines()[1].startswith("2.5")


def test_a_name_must_tell_the_format(home: Path) -> None:
    done = run(home, "export", "focus", "out.xlsx")

    assert done.returncode == 1
    assert "does not tell how to write" in done.stderr
    assert ".csv.gz" in done.stderr
