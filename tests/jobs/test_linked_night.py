"""Nights on which one MLflow names the runs of another: what a late tag moves, and leaves."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from queries.generation import newest_generation
from queries.read import open_generation
from tests.connectors.mlflow_nights import DAY, HOUR, Store
from tests.jobs.nights import HEADER, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

THIS_MONTH = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
MONTH = (THIS_MONTH - timedelta(days=1)).replace(day=1)
"""Of the bill: the one before this, because late edits are looked for in the last days only."""
FIRST = int(MONTH.timestamp() * 1000)
CONFIG = """
[connectors.focus]
root = "bills"
[[connectors.mlflow]]
source = "lab"
root = "lab.db"
rescan_every_days = 0
rescan_days = 70
[[connectors.mlflow]]
source = "farm"
root = "farm.db"
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Four machine-days of 24 each; the farm ran on the second and third, the lab on the third."""
    lines = [
        f"24,24,24,24,USD,111,{MONTH:%Y-%m-%d}T00:00:00Z,{THIS_MONTH:%Y-%m-%d}T00:00:00Z,"
        f"{MONTH:%Y-%m}-{day:02}T00:00:00Z,{MONTH:%Y-%m}-{day + 1:02}T00:00:00Z,Usage,Usage-Based,"
        "Amazon Elastic Compute Cloud,Compute,AWS,i-0abc0abc0abc0abc0,{},BoxUsage:p4d.24xlarge\n"
        for day in range(1, 5)
    ]
    header = HEADER.replace("\n", ",SkuMeter\n")
    (tmp_path / "bills").mkdir()
    (tmp_path / "bills" / "bill.csv").write_text(header + "".join(lines), encoding="utf-8")
    (tmp_path / "mlspend.toml").write_text(CONFIG, encoding="utf-8")
    lab, farm = Store(tmp_path / "lab.db"), Store(tmp_path / "farm.db")
    with closing(lab.connection), closing(farm.connection):
        at = {"finops__instance_id": "i-0abc0abc0abc0abc0"}
        farm.run("job-1", FIRST + DAY, FIRST + 3 * DAY, finops__user="ada", **at)
        lab.run("fit", FIRST + 2 * DAY + HOUR, FIRST + 3 * DAY, finops__project="apollo")
        lab.run("other", FIRST, FIRST + HOUR)
        yield tmp_path


def tag(home: Path, value: str) -> None:
    """Say late, in the lab, what the run was on the farm."""
    with closing(sqlite3.connect(home / "lab.db", isolation_level=None)) as lab:
        lab.execute("delete from tags where key = 'finops.same.mlflow'")
        lab.execute("insert into tags values ('fit', 'finops.same.mlflow', ?)", (value,))


def night(home: Path, *args: str) -> int:
    """Run a night; return the days that it attributed."""
    done = run(home, "nightly", *args)
    assert done.returncode == 0, done.stderr
    return sum(int(days) for days in re.findall(r"attribute \S+ (\d+) days", done.stderr))


def figures(home: Path) -> list[tuple[object, ...]]:
    """Return every daily figure, and the runs with their cost."""
    with open_generation(newest_generation(home / "state")) as con:
        return con.execute(
            "select cast(charge_date as varchar), dimension, member, effective_cost "
            "from marts.spend_daily union all "
            "select source, native_id, project, effective_cost from marts.runs order by all"
        ).fetchall()


def test_a_late_tag_moves_the_days_of_its_two_runs_alone(home: Path) -> None:
    """The link is made and broken again: figures depend on nothing but what is known."""
    assert night(home) == 4
    apart = figures(home)
    tag(home, "job-1")
    assert night(home) == 2
    linked = figures(home)
    assert {row[:3]: row[3] for row in linked if row[0] in ("lab", "farm")} == {
        ("farm", "job-1", "apollo"): Decimal(48),
        ("lab", "other", None): Decimal(0),
    }

    told = json.loads(run(home, "explain", "run", "job-1", "--json").stdout)
    assert [(row["source"], row["evidence"]) for row in told["records"]] == [
        ("farm", "tag finops.same.mlflow"),
        ("lab", "tag finops.same.mlflow"),
    ]
    assert told["figures"][0]["difference"] == "0.000000000000"
    assert [place["instance_id"] for place in told["places"]] == ["i-0abc0abc0abc0abc0"]
    shown = run(home, "explain", "run=fit").stdout
    order = [
        shown.index(text)
        for text in ("records of", "places of", "cut by machine_share", "bill.csv")
    ]
    assert order == sorted(order)

    tag(home, "job-2")
    assert night(home) == 2
    assert figures(home) == apart
