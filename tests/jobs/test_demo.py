"""The fictitious company: whole, the same every time, and its truth adds up to its bills."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import tomllib
from collections import defaultdict
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from jobs.demo import write_company
from jobs.demo.fleet import FORGOTTEN
from jobs.demo.holding import Holder
from jobs.demo.runs import found_company
from jobs.demo.truth import cuts
from tests.jobs.demo_bills import (
    MONEY,
    Bill,
    Sums,
    azure_bill,
    cloud_bill,
    exact,
    google_bill,
    newest_parts,
    renters_bills,
    rows_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobs.demo.world import World

ROOT = Path(__file__).parents[2]
WRITE = """
import sys
from datetime import date
from pathlib import Path
from jobs.demo import write_company
write_company(Path(sys.argv[1]), seed=int(sys.argv[2]), until=date(2026, 10, 9), months=1)
"""


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The company of the default arguments, written."""
    folder = tmp_path_factory.mktemp("company")
    said: list[str] = []
    written = write_company(folder, progress=said.append)
    assert written.config.is_file()
    assert len(said) > 4
    return folder


@pytest.fixture(scope="session")
def world() -> World:
    """The same company, in memory."""
    return found_company(7, date(2026, 11, 1), 3)


def written_elsewhere(folder: Path, seed: int, **environment: str) -> dict[str, str]:
    """Write a small company in a process of its own; return the digest of each file."""
    subprocess.run(
        [sys.executable, "-c", WRITE, str(folder), str(seed)],
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )
    return digests(folder)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def told(company: Path, name: str, **wanted: str) -> Sums:
    """Add up a file of the truth by bill, the rows that have the wanted values alone."""
    sums: dict[Bill, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for row in rows_of(company / "truth" / name):
        if all(row[column] == value for column, value in wanted.items()):
            of_bill = sums[row["source"], row["billing_period"], row["billing_currency"]]
            of_bill[0] += Decimal(row["effective_cost"])
            of_bill[1] += Decimal(row["billed_cost"])
    return {bill: (both[0], both[1]) for bill, both in sums.items()}


def ask(company: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(company / "mlflow.db")) as connection:
        return connection.execute(sql).fetchall()


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    """Whatever the hash seed, the time zone and the locale; another seed is another company."""
    here = written_elsewhere(tmp_path / "a", 7, PYTHONHASHSEED="1", TZ="UTC", LC_ALL="C")
    there = written_elsewhere(
        tmp_path / "b", 7, PYTHONHASHSEED="2", TZ="Asia/Tokyo", LC_ALL="C.UTF-8"
    )
    other = written_elsewhere(tmp_path / "c", 8)

    assert here == there
    assert here["mlflow.db"] != other["mlflow.db"]


def test_the_company_is_of_the_size_it_claims(company: Path) -> None:
    people = list(rows_of(company / "identities" / "people.csv"))
    stays = list(rows_of(company / "identities" / "memberships.csv"))
    owned = tomllib.loads((company / "ownership.toml").read_text())
    lines = sum(pl.scan_parquet(p).select(pl.len()).collect().item() for p in newest_parts(company))

    assert len(people) >= 40
    assert len({stay["team"] for stay in stays}) == 8
    assert len(owned["datasets"]) >= 50
    assert ask(company, "select count(distinct name) >= 60 from model_versions") == [(1,)]
    assert ask(company, "select count(*) between 1500 and 4500 from runs") == [(1,)]
    assert 150_000 <= lines <= 400_000
    assert len({path.parts[-3] for path in newest_parts(company)}) == 3
    total = sum(both[0] for both in told(company, "totals.csv").values())
    assert 500_000 < total < 2_000_000


def test_the_truth_adds_up_to_every_bill(company: Path) -> None:
    """To the last digit, for every bill, period, currency and measure, summed from its files."""
    bills = cloud_bill(company) | renters_bills(company)
    bills |= google_bill(company) | azure_bill(company)

    assert len(bills) == 12
    assert {currency for _, _, currency in bills} == {"USD", "EUR"}
    assert told(company, "totals.csv") == bills
    assert told(company, "kinds.csv") == bills


@pytest.mark.parametrize("dimension", ["user", "team", "project", "model", "dataset", "service"])
def test_every_dimension_adds_up_to_every_bill(company: Path, dimension: str) -> None:
    assert told(company, "members.csv", dimension=dimension) == told(company, "totals.csv")


def test_runs_cost_what_their_part_of_the_bill_is(company: Path) -> None:
    """No run costs less than nothing, and together they are part of what is direct."""
    runs = list(rows_of(company / "truth" / "runs.csv"))
    known = {row[0] for row in ask(company, "select run_uuid from runs")}
    direct = sum(both[0] for both in told(company, "kinds.csv", cost_kind="direct").values())
    total = sum(Decimal(run["effective_cost"]) for run in runs)

    of_tracker = {run["run_id"] for run in runs if "/" not in run["run_id"]}
    assert of_tracker <= known
    assert len(of_tracker) < len(runs)
    assert all(Decimal(run["effective_cost"]) >= 0 for run in runs)
    assert direct / 3 < total < direct


@pytest.mark.parametrize("kind", ["idle", "shared", "commitment_unused", "tax", "unattributed"])
def test_every_kind_of_cost_is_there(company: Path, kind: str) -> None:
    sums = told(company, "kinds.csv", cost_kind=kind)

    assert sum(both[0] for both in sums.values()) > 0


def test_cuts_add_up_to_the_cost_and_leave_the_rest() -> None:
    holder = Holder(run="a")

    assert cuts(10, [(holder, 1), (holder, 1), (holder, 1)], 3) == [3, 3, 4, 0]
    assert cuts(-10, [(holder, 1)], 3) == [-4, -6]


def test_what_a_savings_plan_covers_is_taken_back(company: Path) -> None:
    """Covered use and its negation come to nothing, for each account and period."""
    frame = pl.concat([pl.read_parquet(path, columns=MONEY) for path in newest_parts(company)])
    kinds = ("SavingsPlanCoveredUsage", "SavingsPlanNegation")
    lines = frame.filter(pl.col("line_item_line_item_type").is_in(kinds))
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    used: Decimal = Decimal(0)
    for line in lines.iter_rows(named=True):
        key = (
            line["line_item_usage_account_id"],
            f"{line['bill_billing_period_start_date']:%Y-%m}",
        )
        sums[key] += exact(line["line_item_unblended_cost"])
        used += exact(line["savings_plan_savings_plan_effective_cost"])
    fees = frame.filter(pl.col("line_item_line_item_type") == "SavingsPlanRecurringFee")

    assert lines.height > 10_000
    assert set(sums.values()) == {Decimal(0)}
    assert used == sum(exact(value) for value in fees["savings_plan_used_commitment"])


def test_each_manifest_names_exactly_the_files_of_its_version(company: Path) -> None:
    export = company / "aws"
    manifests = sorted((export / "metadata").rglob("*-Manifest.json"))
    named: list[str] = []
    for path in manifests:
        content = json.loads(path.read_text())
        files = [name.split("/cur/lumenfold-cur2/")[1] for name in content["dataFiles"]]
        assert {Path(name).parent.name for name in files} == {path.parent.name}
        columns = [column["name"] for column in content["columns"]]
        assert list(pl.read_parquet_schema(export / files[0])) == columns
        named += files

    assert len(manifests) == 4  # the first period was refreshed once
    there = {str(path.relative_to(export)) for path in (export / "data").rglob("*.parquet")}
    assert sorted(there) == sorted(named)


def test_the_cloud_bill_has_the_types_of_the_report(company: Path) -> None:
    schema = pl.read_parquet_schema(newest_parts(company)[0])

    assert schema["resource_tags"] == pl.Map(pl.String(), pl.String())
    assert schema["product"] == pl.Map(pl.String(), pl.String())
    assert schema["line_item_unblended_cost"] == pl.Float64()
    assert schema["line_item_usage_start_date"] == pl.Datetime("ms")


def test_an_open_month_has_no_invoice(tmp_path: Path) -> None:
    write_company(tmp_path, until=date(2026, 10, 9), months=1)
    frame = pl.concat([pl.read_parquet(path) for path in newest_parts(tmp_path)])

    assert frame["bill_invoice_id"].null_count() == frame.height
    assert str(frame["line_item_usage_start_date"].max()) == "2026-10-08 23:00:00"


def test_the_config_names_what_is_there(company: Path) -> None:
    config = tomllib.loads((company / "config.toml").read_text())
    tables = [
        table
        for value in config["connectors"].values()
        for table in (value if isinstance(value, list) else [value])
    ]

    assert len(tables) == 13
    for table in tables:
        places = [value for key, value in table.items() if key == "path" or key.endswith("root")]
        assert places
        assert all((company / place).exists() for place in places)


def test_pods_name_runs_that_the_tracker_knows(company: Path) -> None:
    known = {row[0] for row in ask(company, "select run_uuid from runs")}
    labelled: set[str | None] = set()
    for path in (company / "prometheus").rglob("pod_labels.json.gz"):
        for series in json.loads(gzip.decompress(path.read_bytes()))["data"]["result"]:
            labelled.add(series["metric"].get("label_mlflow_run_id"))
    labelled.discard(None)

    assert len(labelled) > 2000
    assert labelled <= known


def test_the_tracker_holds_what_trackers_get_wrong(company: Path) -> None:
    assert ask(company, "select count(*) >= 6 from runs where status = 'RUNNING'") == [(1,)]
    assert ask(company, "select count(*) from runs where end_time < start_time") == [(3,)]
    assert ask(company, "select count(*) > 50 from runs where user_id = 'root'") == [(1,)]
    orphans = "select count(*) from tags where key = 'mlflow.parentRunId' and value not in "
    assert ask(company, f"{orphans} (select run_uuid from runs)") == [(0,)]


def test_machines_never_promise_more_than_they_have(world: World) -> None:
    for machine in world.machines:
        kind = machine.kind
        for at in {pod.start for pod in machine.pods}:
            pods = [pod for pod in machine.pods if pod.start <= at < pod.end]
            assert sum(pod.gpus for pod in pods) <= kind.gpus
            assert sum(pod.weight for pod in pods) <= kind.weight
            assert all(machine.start <= pod.start <= pod.end <= machine.end for pod in pods)


def test_the_planted_stories_are_told(company: Path, world: World) -> None:
    """A forgotten pool, a night of failures, an orphan, far data, and a team above the others."""
    forgotten = [machine for machine in world.machines if machine.pool == FORGOTTEN]
    assert {pod.purpose for machine in forgotten for pod in machine.pods} == {"system"}

    storm = "select count(*) >= 150 from runs where name like 'nightly-retrain-retry%'"
    assert ask(company, f"{storm} and status = 'FAILED'") == [(1,)]

    teams = dearest(company, "team")
    named = {team: cost for team, cost in teams.items() if team.isalpha()}
    assert max(named, key=lambda team: named[team]) == "language"

    frame = pl.concat([pl.read_parquet(path) for path in newest_parts(company)])
    usage = pl.col("line_item_usage_type")
    assert frame.filter(usage == "EU-USE1-AWS-Out-Bytes")["line_item_unblended_cost"].sum() > 1000
    untagged = frame.filter(
        usage.str.contains("Snapshot") & (pl.col("resource_tags").map.len() == 0)
    )
    assert untagged["line_item_resource_id"].n_unique() == 1


def dearest(company: Path, dimension: str) -> Mapping[str, Decimal]:
    costs: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows_of(company / "truth" / "members.csv"):
        if row["dimension"] == dimension and row["billing_currency"] == "USD":
            costs[row["member"]] += Decimal(row["effective_cost"])
    return costs


def test_somebody_elses_files_are_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "mlflow.db"
    theirs.write_text("mine")

    with pytest.raises(FileExistsError, match=r"mlflow\.db is there already"):
        write_company(tmp_path)
    assert theirs.read_text() == "mine"
    theirs.unlink()
    (tmp_path / "state").mkdir()
    with pytest.raises(FileExistsError, match="state is there already"):
        write_company(tmp_path)
    assert not (tmp_path / "config.toml").exists()
