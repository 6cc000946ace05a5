"""A bill that moves: the ledger is published, and the figures end the same whatever came first."""

from __future__ import annotations

import csv
import gzip
import io
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Delivery
from connectors.focus import Focus
from jobs.config import read_config
from jobs.night import Night, open_night
from jobs.nightly import build_and_publish
from jobs.progress import NoProgress
from queries.generation import newest_generation
from queries.read import open_generation
from tests.jobs.folder_source import FolderFile
from tests.jobs.nights import FOCUS, billed, configure, make_home, run, write_month


def restated(home: Path) -> list[dict[str, str]]:
    done = run(home, "sql", "--csv", "select * from marts.restatements order by restatement_no")
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))


def test_the_first_delivery_restates_nothing(home: Path) -> None:
    assert restated(home) == []
    assert "What was restated" not in page_of(home)


def page_of(home: Path) -> str:
    (page,) = (home / "state" / "reports").glob("*/books.html")
    return page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("costs", "change", "cause", "lines"),
    [
        ({1: "1.25", 2: "2.5", 3: "4.125"}, "4.125", "late_lines", ("2", "3")),
        ({1: "1.25", 2: "2.5", 3: "-0.5"}, "-0.5", "credits", ("2", "3")),
        ({1: "1.25"}, "-2.5", "fewer_lines", ("2", "1")),
        ({1: "1.25", 2: "2.75"}, "0.25", "finalised", ("2", "2")),
    ],
)
def test_what_a_newer_delivery_changes_is_published_with_what_happened(
    home: Path, costs: dict[int, str], change: str, cause: str, lines: tuple[str, str]
) -> None:
    write_month(home / "bills", "2026-10", costs)
    assert run(home).returncode == 0
    rows = restated(home)
    assert {row["measure"] for row in rows} == {"billed_cost", "effective_cost"}
    for row in rows:
        assert Decimal(row["cost_change"]) == Decimal(change)
        assert Decimal(row["cost_before"]) == Decimal("3.75")
        assert (row["cause"], row["was_open"]) == (cause, "False")
        assert (row["lines_before"], row["lines_after"]) == lines
        assert (row["source"], row["unit"], row["charge_month"]) == (
            "focus",
            "2026-10",
            "2026-10-01",
        )
    assert billed(home) == Decimal("3.75") + Decimal(change)
    assert "What was restated" in page_of(home)


@pytest.mark.parametrize(
    "lost", ["BilledCost", "EffectiveCost", "BillingCurrency", "BillingAccountId"]
)
def test_a_bill_that_lost_a_column_by_which_it_counts_is_refused(home: Path, lost: str) -> None:
    path = home / "bills" / "2026-10.csv"
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(
            file, [name for name in rows[0] if name != lost], lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows({key: row[key] for key in row if key != lost} for row in rows)
    done = run(home)
    assert done.returncode == 1
    assert f"it has no column {lost} any more" in done.stderr
    assert "in:  focus cost_and_usage 2026-10" in done.stderr
    assert "what it delivered before stays in force" in done.stderr
    assert billed(home) == Decimal("3.75")


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet"])
def test_a_cost_that_is_no_number_is_told_with_its_row(home: Path, kind: str) -> None:
    path = home / "bills" / "2026-10.csv"
    write_month(home / "bills", "2026-10", {1: "1.25", 2: "2.5", 3: "nan"})
    if kind == "csv.gz":
        path.with_suffix(".csv.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    elif kind == "parquet":
        pl.read_csv(path, infer_schema=False).write_parquet(path.with_suffix(".parquet"))
        path.unlink()
    done = run(home)
    assert done.returncode == 1
    assert "BilledCost holds 'nan', which is not a number" in done.stderr
    assert f"in:  2026-10.{kind}, row 3 after the header (" in done.stderr
    assert billed(home) == Decimal("3.75")


def test_an_emptied_bill_is_refused(home: Path) -> None:
    write_month(home / "bills", "2026-10", {})
    done = run(home)
    assert done.returncode == 1
    assert "the bill has no lines, and had 2: that is no data, not no cost" in done.stderr
    assert billed(home) == Decimal("3.75")


def test_the_same_file_twice_in_a_month_counts_once(home: Path) -> None:
    content = (home / "bills" / "2026-10.csv").read_bytes()
    (home / "bills" / "2026-10-copy.csv").write_bytes(content)
    done = run(home)
    assert done.returncode == 1
    assert "2026-10-copy.csv and 2026-10.csv hold the same" in done.stderr
    assert billed(home) == Decimal("3.75")


@pytest.mark.parametrize("name", ["2026-10-03.csv", "bill.csv"])
def test_an_export_that_holds_another_one_is_refused(home: Path, name: str) -> None:
    whole = home / "bills" / "2026-10.csv"
    begun = whole.read_bytes()
    write_month(home / "bills", "2026-10", {1: "1.25", 2: "2.5", 3: "4.125", 4: "8"})
    whole.rename(whole.with_name(name))
    whole.write_bytes(begun)
    done = run(home)
    assert done.returncode == 1
    one, other = sorted(["2026-10.csv", name])
    assert f"{one} and {other} hold the same lines, at least half of one" in done.stderr
    assert billed(home) == Decimal("3.75")

    whole.unlink()
    configure(home, FOCUS.replace("[connectors.focus]", '[connectors.focus]\nsource = "aws"'))
    assert run(home).returncode == 0
    assert billed(home) == Decimal("15.875")


def test_a_month_that_was_closed_is_not_added_to_what_it_was_while_it_was_open(home: Path) -> None:
    header, *lines = (home / "bills" / "2026-10.csv").read_text("utf-8").splitlines()
    for name, invoice in [("2026-10.csv", ""), ("2026-10-final.csv", "7001")]:
        said = [f"InvoiceId,{header}", *(f"{invoice},{line}" for line in lines), ""]
        (home / "bills" / name).write_text("\n".join(said), encoding="utf-8")
    done = run(home)
    assert done.returncode == 1
    assert "2026-10-final.csv and 2026-10.csv hold the same lines, at least half" in done.stderr
    assert billed(home) == Decimal("3.75")


def test_exports_that_share_no_lines_are_added_up(home: Path) -> None:
    whole = home / "bills" / "2026-10.csv"
    for name, costs in [("bill.csv", {3: "1"}), ("2026-10-04.csv", {4: "1", 5: "1.25"})]:
        begun = whole.read_bytes()
        write_month(home / "bills", "2026-10", costs)
        whole.rename(whole.with_name(name))
        whole.write_bytes(begun)
    assert run(home).returncode == 0
    assert billed(home) == Decimal("7.00")


def test_a_change_while_the_period_is_open_is_told_as_one(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    (home / "bills" / "2026-10.csv").unlink()
    write_month(home / "bills", "2099-10", {1: "1"})
    assert run(home).returncode == 0
    write_month(home / "bills", "2099-10", {1: "2"})
    assert run(home).returncode == 0
    assert {(row["was_open"], row["cause"]) for row in restated(home)} == {("True", "repriced")}


@dataclass(frozen=True)
class Version:
    """One state of a month's bill."""

    month: str
    hours: int
    """How late the provider wrote it; the latest of a month is its truth."""
    costs: tuple[tuple[int, str], ...]

    def land(self, night: Night, number: int) -> None:
        """Deliver it, under a name of its own."""
        folder = night.config.state_dir.parent / "arrived" / str(number)
        write_month(folder, self.month, dict(self.costs))
        written_at = datetime(2026, 12, 1) + timedelta(hours=self.hours)  # noqa: DTZ001 - UTC
        file = FolderFile(folder / f"{self.month}.csv")
        delivery = Delivery("cost_and_usage", self.month, f"v{number}", written_at, [file])
        night.store.land("focus", "focus", Focus.tables[0], delivery)


VERSIONS = (
    Version("2026-10", 1, ((1, "1.25"), (2, "2.5"))),
    Version("2026-10", 2, ((1, "1.25"), (2, "2.5"), (5, "0.000000000001"))),
    Version("2026-10", 3, ((1, "1.5"), (2, "2.5"), (9, "-0.75"))),
    Version("2026-11", 1, ((3, "7"),)),
    Version("2026-11", 4, ((3, "7"), (4, "0.333333333333"))),
)
FIGURES = (
    "from marts.spend_daily order by all",
    "from marts.books order by all",
    "select * exclude (built) from (select *, 0 as built from marts.coverage) order by all",
)


def figures_after(arrivals: list[tuple[Version, bool]]) -> list[list[tuple[object, ...]]]:
    """Return what is published after deliveries; True: a night is built right after that one."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        (home / "bills").mkdir()
        (home / "mlspend.toml").write_text(FOCUS, encoding="utf-8")
        config = read_config(home / "mlspend.toml")
        with open_night(config, NoProgress(), "test") as night:
            for number, (version, is_built) in enumerate(arrivals):
                version.land(night, number)
                if is_built:
                    build_and_publish(night)
            build_and_publish(night)
        with open_generation(newest_generation(config.state_dir)) as con:
            return [con.execute(query).fetchall() for query in FIGURES]


@settings(max_examples=8, deadline=None)
@given(
    order=st.permutations([*VERSIONS, VERSIONS[0], VERSIONS[4]]),
    nights=st.lists(st.booleans(), min_size=7, max_size=7),
)
def test_any_order_of_deliveries_ends_in_the_same_figures(
    order: list[Version], nights: list[bool]
) -> None:
    """Late, restated and delivered twice, with a night after any of them or none."""
    newest = [(VERSIONS[2], False), (VERSIONS[4], False)]
    wanted = figures_after(newest)
    assert sum(row[8] for row in wanted[0] if "user" in row) == Decimal("10.583333333333")  # type: ignore[misc]
    assert figures_after(list(zip(order, nights, strict=True))) == wanted
