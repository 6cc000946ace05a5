"""What the night says of the demo company, held against what everything there really cost."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from queries.read import open_generation
from tests import truth
from tests.queries.bills import lines_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from queries.engines.duckdb import Connection

ROOT = Path(__file__).parents[2]
BLIND_DAY = "2026-09-09"
"""The day on which one cluster's telemetry was lost for some hours."""
CUT = Decimal("0.000001")
"""Parts are cut at 10^-12, hour by hour: months of hours may differ by less than this."""


@dataclass(frozen=True)
class Company:
    """The demo company after its night."""

    folder: Path
    con: Connection

    def truth(self, name: str) -> list[dict[str, str]]:
        """Return a file of the truth."""
        with (self.folder / "truth" / f"{name}.csv").open(encoding="utf-8") as lines:
            return list(csv.DictReader(lines))

    def rows(self, query: str) -> Sequence[tuple[object, ...]]:
        """Return what the published database answers."""
        return self.con.execute(query).fetchall()


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """Write the company and run its night, as README's command does."""
    folder = tmp_path_factory.mktemp("demo") / "company"
    subprocess.run(
        [sys.executable, "-P", "-m", "jobs.cli", "nightly", "--demo", str(folder)],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    (generation,) = (folder / "state" / "generations").glob("*.duckdb")
    with open_generation(generation) as con:
        yield Company(folder, con)


def test_every_bill_closes_to_the_truth_to_the_last_digit(company: Company) -> None:
    ours = {
        (source, period, currency, measure): billed
        for source, period, currency, measure, billed in company.rows(
            "select source, strftime(billing_period, '%Y-%m'), billing_currency, measure, "
            "sum(billed) from marts.books where dimension = 'team' group by all"
        )
    }
    truth = {
        (row["source"], row["billing_period"], row["billing_currency"], measure): Decimal(
            row[measure]
        )
        for row in company.truth("totals")
        for measure in ("effective_cost", "billed_cost")
    }
    assert ours == truth
    assert company.rows("select count(*) from marts.books where difference <> 0") == [(0,)]


CASH = {"aws": "line_item_unblended_cost", "lab": "BilledCost", "eu-lab": "BilledCost"}


def test_the_books_are_what_python_adds_up_of_every_raw_file(company: Company) -> None:
    """Line by line in decimals, by no code of ours: doubles as they print, packed text as it is."""
    wanted: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for source, column in CASH.items():
        for path in (company.folder / "state" / "raw" / source).rglob("*.*"):
            if path.suffix == ".parquet":
                found = pl.read_parquet(path, columns=[column])[column].to_list()
                costs = [repr(cost) for cost in found]
            else:
                costs = [line[column] for line in lines_of(path)]
            for cost in costs:
                wanted[source, path.parent.name] += round(Decimal(cost), 12)
    ours = {
        (source, period): billed
        for source, period, billed in company.rows(
            "select source, strftime(billing_period, '%Y-%m'), sum(billed) from marts.books "
            "where dimension = 'team' and measure = 'billed_cost' group by all"
        )
    }

    assert len(wanted) == 9
    assert ours == wanted


def test_a_run_costs_what_it_cost_unless_its_evidence_was_spoiled(company: Company) -> None:
    ours = {
        (native, currency): cost
        for native, currency, cost in company.rows(
            "select native_id, billing_currency, effective_cost from marts.runs"
        )
    }
    off = {}
    for row in company.truth("runs"):
        cost = ours.get((row["run_id"], row["billing_currency"]), Decimal(0))
        assert isinstance(cost, Decimal)
        error = cost - Decimal(row["effective_cost"])
        if abs(error) > CUT:
            off[row["run_id"]] = error
    spoiled = _spoiled_runs(company)
    assert len(spoiled) > 0
    assert off.keys() <= spoiled


def _spoiled_runs(company: Company) -> set[str]:
    """Return runs whose evidence the company has spoiled on purpose, and those beside them.

    Clocks that run back, runs that never end, the day on which telemetry was lost; and runs that
    share a day's transfers with one of the first kind.
    """
    blind = f"date '{BLIND_DAY}'"
    rows = company.rows(
        "with broken as (select * from marts.runs where status = 'lost' or duration_hours = 0) "
        "select native_id from broken union select runs.native_id from marts.runs as runs "
        "inner join broken on cast(runs.started_at as date) <= "
        "cast(broken.started_at as date) + 1 and "
        "cast(runs.ended_at as date) >= cast(broken.started_at as date) - 1 "
        f"union select native_id from marts.runs where cast(started_at as date) <= {blind} "
        f"and cast(ended_at as date) >= {blind}"
    )
    return {str(native) for (native,) in rows}


def test_detectors_find_what_they_must_and_nothing_else(company: Company) -> None:
    """Pods, machines, data and runs; snapshots, disks and addresses are another test's."""
    wanted = {
        (row["detector"], row["resource_id"], row["billing_currency"]): Decimal(
            row["monthly_waste"]
        )
        for row in company.truth("findings")
    }
    named = ", ".join(sorted({f"'{detector}'" for detector, _, _ in wanted}))
    ours = {
        (str(detector), str(resource), str(currency)): Decimal(str(waste))
        for detector, resource, currency, waste in company.rows(
            "select detector, resource_id, billing_currency, monthly_waste from marts.findings "
            f"where detector in ({named}) and state = 'open'"
        )
    }

    assert ours.keys() == wanted.keys()
    assert {detector for detector, _, _ in wanted} >= {"dead_gpus", "parked_gpus"}
    for key, waste in ours.items():
        error = abs(waste - wanted[key])
        if key[0] == "misplaced_compute":
            assert error <= wanted[key] / 100, key
        elif not key[1].endswith("lost"):
            assert error < CUT, key


WASTE_OF = {
    "orphaned_snapshot": "orphaned_snapshots",
    "unattached_volume": "unattached_volumes",
    "unattached_address": "unattached_addresses",
    "stopped_machine": "left_disks",
    "idle_balancer": "idle_balancers",
}


def test_what_the_cloud_lists_is_waste_where_the_truth_says_so(company: Company) -> None:
    """And no look-alike is: each is billed, too. The truth has 30 days, a finding a month."""
    rows = company.truth("waste")
    wanted = {
        (WASTE_OF[row["kind"]], row["resource_id"]): Decimal(row["monthly_cost"])
        for row in rows
        if row["is_waste"] == "true"
    }
    detectors = ", ".join(f"'{name}'" for name in (*WASTE_OF.values(), "forgotten_snapshots"))
    ours = {
        (str(detector), str(resource)): Decimal(str(waste))
        for detector, resource, waste in company.rows(
            "select detector, resource_id, monthly_waste from marts.findings "
            f"where detector in ({detectors}) and is_counted"
        )
    }

    assert len(rows) > len(wanted) > 0
    assert ours.keys() == wanted.keys()
    for key, waste in ours.items():
        assert abs(waste - wanted[key] * Decimal("30.4375") / 30) < CUT, key


def test_what_nobody_sampled_is_counted_as_unknown(company: Company) -> None:
    """The pod of the quiet corner that is seldom sampled, and the blind day's hours."""
    assert company.rows(
        "select count(*), min(unknown_gpu_hours) from marts.telemetry_coverage "
        "where cluster = 'forge-use1' and charge_date >= date '2026-10-21'"
    ) == [(11, Decimal(24))]


def test_slices_and_turns_are_parts_of_gpus(company: Company) -> None:
    """Eleven halves of 8 GPUs, nine quarters of 4; two more of each for the pod that moved."""
    rows = company.rows(
        "select instance_type, max(gpu_count), sum(gpu_hours_held) from marts.machines_daily "
        "where instance_id in (select instance_id from marts.machines_daily "
        "group by instance_id having count(*) = 3 and min(charge_date) = date '2026-10-29') "
        "and region_id = 'eu-west-1' and charge_date >= date '2026-10-29' group by all order by all"
    )
    hours, moved_after = 72, 36

    assert rows == [
        ("g5.12xlarge", 4, 9 * hours // 4 + 2 * (hours - moved_after) // 4),
        ("p4de.24xlarge", 8, 11 * hours // 2 + 2 * moved_after // 2),
    ]


LIMITS = {
    # dimension -> percent of all bills that may stand with another member than in truth
    "service": Decimal("0.04"),
    "model": Decimal("0.04"),
    "team": Decimal("0.04"),
    "project": Decimal("0.04"),
    "dataset": Decimal("0.04"),
    "user": Decimal("0.04"),
}


@pytest.mark.parametrize("dimension", LIMITS)
def test_the_error_of_a_dimension_stays_below_its_limit(
    company: Company, dimension: str, record_property: Callable[[str, object], None]
) -> None:
    found: dict[tuple[object, ...], Decimal] = defaultdict(Decimal)
    billed = Decimal(0)
    for row in company.truth("members"):
        if row["dimension"] == dimension:
            key = (row["billing_currency"], row["member"], row["cost_kind"])
            found[key] -= Decimal(row["effective_cost"])
            billed += abs(Decimal(row["effective_cost"]))
    for currency, member, kind, cost in company.rows(
        "select billing_currency, member, cost_kind, sum(effective_cost) from marts.spend_daily "
        f"where dimension = '{dimension}' group by all"
    ):
        assert isinstance(cost, Decimal)
        found[currency, member, kind] += cost
    moved = sum((abs(error) for error in found.values()), Decimal(0)) / 2
    percent = 100 * moved / billed
    record_property("percent", f"{percent:.4f}")
    assert percent < LIMITS[dimension]


@pytest.fixture(scope="module")
def report(company: Company) -> truth.Report:
    """What is off, by dimension and by cause."""
    return truth.compare(company.folder)


def test_the_page_of_errors_says_what_a_night_finds(report: truth.Report) -> None:
    """Else: `python -m tests.truth` on a folder that `nightly --demo` made."""
    text = truth.PAGE.read_text(encoding="utf-8")

    assert truth.page(report) in text
    assert f"{report.lost:,.2f} USD was held" in text


def test_with_complete_evidence_there_is_no_error(report: truth.Report) -> None:
    """And each way of spoiling it is there, and shows."""
    found = {
        cause: sum(abs(error) > CUT for error in errors)
        for (cause, currency), errors in report.runs.items()
        if currency == "USD"
    }

    assert found.pop(truth.COMPLETE) == 0
    assert found.keys() == {truth.CLOCK, truth.BESIDE, truth.LOST, truth.OPEN}
    assert all(found.values())
    assert len(report.runs[truth.COMPLETE, "USD"]) > 20 * sum(found.values())


def test_what_telemetry_lost_is_idle_and_nothing_else_is(report: truth.Report) -> None:
    machines = "Amazon Elastic Compute Cloud"
    idle = report.errors["service"]["USD", machines, "idle"]
    of_others = sum(
        (report.errors["service"]["USD", machines, kind] for kind in ("direct", "shared")),
        Decimal(0),
    )

    assert report.lost > 100
    assert abs(idle - report.lost) < CUT
    assert abs(of_others + report.lost) < CUT


def test_each_storage_class_of_a_bucket_is_paid_by_those_whose_bytes_are_in_it(
    report: truth.Report,
) -> None:
    assert len(report.stored) > 30
    assert not any(abs(error) > CUT for error in report.stored)
