"""What the night says of the demo company, held against what everything there really cost."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests import truth, truth_causes
from tests.jobs.demo_bills import CASH, costs_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.jobs.told_company import Company

BLIND_DAY = "2026-09-10"
"""The day on which one cluster's telemetry was lost for some hours."""
CUT = Decimal("0.000001")
"""Parts are cut at 10^-12, hour by hour: months of hours may differ by less than this."""


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


def test_the_books_are_what_python_adds_up_of_every_raw_file(company: Company) -> None:
    """Line by line in decimals, by no code of ours: doubles as they print, packed text as it is."""
    wanted: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for source in CASH:
        for path in (company.folder / "state" / "raw" / source).rglob("*.*"):
            for cost in costs_in(source, path):
                wanted[source, path.parent.name] += round(Decimal(cost), 12)
    ours = {
        (source, period): billed
        for source, period, billed in company.rows(
            "select source, strftime(billing_period, '%Y-%m'), sum(billed) from marts.books "
            "where dimension = 'team' and measure = 'billed_cost' group by all"
        )
    }

    assert len(wanted) == 12
    assert ours == wanted


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


def test_what_gpus_did_adds_up_to_what_gpu_machines_cost(company: Company) -> None:
    """Of the newest 14 days, bill by bill, whoever held them and whatever was seen."""
    uses = company.rows(
        "select billing_currency, sum(effective_cost) from marts.gpu_uses group by all order by all"
    )
    billed = company.rows(
        "select billing_currency, sum(effective_cost) from marts.machines_daily "
        "where gpu_count > 0 and charge_date > date '2026-10-17' group by all order by all"
    )

    assert uses == billed
    assert len(uses) == 2


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


LIMIT = Decimal("0.0001")
"""Percent of all bills that may stand with a member that it is not in truth: cents."""


@pytest.mark.parametrize("dimension", truth.DIMENSIONS)
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
    # what is not known is said to be unattributed: it is another test's
    wrong = sum(
        (error for (*_, kind), error in found.items() if kind != "unattributed" and error > 0)
    )
    percent = 100 * wrong / billed
    record_property("percent", f"{percent:.4f}")
    assert percent < LIMIT


def test_the_page_of_errors_says_what_a_night_finds(report: truth.Report) -> None:
    """Else: `python -m tests.truth` on a folder that `nightly --demo` made."""
    text = truth.PAGE.read_text(encoding="utf-8")

    assert truth.page(report) in text
    assert f"{report.lost:,.2f} USD in the two lost hours" in text
    assert f"{report.lost_held:,.2f} USD was held" in text


def test_with_complete_evidence_there_is_no_error(report: truth.Report) -> None:
    """And each way of spoiling it is there, and shows."""
    found = {
        cause: sum(abs(error) > CUT for error in errors)
        for (cause, currency), errors in report.runs.items()
        if currency == "USD"
    }

    assert found.pop(truth_causes.COMPLETE) == 0
    assert found.keys() == {
        truth_causes.CLOCK,
        truth_causes.BESIDE,
        truth_causes.LOST,
        truth_causes.OPEN,
    }
    assert all(found.values())
    assert len(report.runs[truth_causes.COMPLETE, "USD"]) > 20 * sum(found.values())


def test_a_run_whose_clock_ran_back_costs_what_it_cost_until_its_last_metric(
    report: truth.Report,
) -> None:
    """Which is 20 seconds before its end. What it moved is shared with others of the day."""
    runs, beside = (
        report.runs[cause, "USD"] for cause in (truth_causes.CLOCK, truth_causes.BESIDE)
    )

    assert len(runs) == 3
    assert max(abs(error) for error in (*runs, *beside)) < Decimal("0.02")


def test_nobody_else_pays_for_runs_of_strangers_and_without_tags(report: truth.Report) -> None:
    """There are such runs, and their owners are those that anything tells."""
    wanted = {truth_causes.STRANGER, truth_causes.NO_USER, truth_causes.NO_TEAM}
    errors = [error for found in report.owners.values() for error in found]

    assert {cause for cause, _ in report.owners} == wanted
    assert len(errors) > 500
    assert not any(errors)


def test_what_telemetry_lost_is_unattributed_and_nothing_else_is(
    company: Company, report: truth.Report
) -> None:
    machines = "Amazon Elastic Compute Cloud"
    errors = {
        kind: report.errors["service"]["USD", machines, kind]
        for kind in ("direct", "shared", "idle", "unattributed")
    }

    lost = report.lost + report.lost_disks

    assert lost > report.lost > report.lost_held > 100
    assert abs(errors["unattributed"] - lost) < CUT
    assert abs(errors["direct"] + errors["shared"] + report.lost_held) < CUT
    assert abs(errors["idle"] + lost - report.lost_held) < CUT
    ((cost, days, first),) = company.rows(
        "select sum(lost_cost), count(distinct charge_date), cast(min(charge_date) as varchar) "
        "from marts.machines_daily where lost_hours > 0"
    )
    assert abs(Decimal(str(cost)) - report.lost) < CUT
    assert (days, first) == (1, BLIND_DAY)


def test_pods_that_only_the_bill_knows_share_their_machines(company: Company) -> None:
    """Three GPUs of four on the one machine, all of them on the other, for two weeks."""
    rows = company.rows(
        "select sum(gpu_hours_held) from marts.machines_daily where instance_id in "
        "(select instance_id from marts.machines_daily where instance_type = 'g4dn.12xlarge' "
        "group by instance_id having count(*) = 14) group by instance_id order by all"
    )

    assert rows == [(3 * 14 * 24,), (4 * 14 * 24,)]


@pytest.mark.parametrize("dimension", ["model", "dataset"])
def test_a_full_cost_is_exact_where_all_evidence_is_complete(
    report: truth.Report, dimension: str
) -> None:
    """However far back the data go, of which some were answers of other models."""
    assert report.depths[dimension] >= 2
    assert len(report.full[dimension, "USD", True]) > 20
    assert not any(abs(error) > CUT for error in report.full[dimension, "USD", True])


def test_a_model_may_be_made_from_the_answers_of_another(company: Company) -> None:
    (found,) = company.rows(
        "select count(*), max(depth) from marts.model_full_cost "
        "where model = 'translation-distilled' and lineage_path like 'back-translations%'"
    )

    assert int(str(found[0])) > 1


def test_a_bare_machine_is_unattributed_on_a_day_without_runs(report: truth.Report) -> None:
    """And idle on no other: Slurm and trackers tell of a machine what they ran on it."""
    errors = report.errors["service"]
    missing = sum(report.unwatched["USD"], Decimal(0))

    assert missing < 0
    assert errors["USD", "GPU machines", "unattributed"] == -missing
    assert abs(errors["USD", "GPU machines", "idle"] - missing) < 1


def test_jobs_of_slurm_share_their_nodes_with_pods_and_with_others(company: Company) -> None:
    """Each try is a run of its own, and one that told the tracker is one run in both."""
    rows = company.rows(
        "select system, count(*), count(distinct run_id) from marts.run_records "
        "where run_id in (select run_id from marts.run_records where system = 'slurm') "
        "and relation = 'same' group by all"
    )
    found = {system: (int(str(records)), runs) for system, records, runs in rows}
    costs = truth.costs_of_runs(company.con)
    tries = {run_id for run_id, _ in costs if run_id.endswith("/2")}

    assert found.keys() == {"slurm", "mlflow"}
    assert found["slurm"][0] == found["slurm"][1]
    assert found["slurm"][0] > 100
    assert found["mlflow"][0] == found["mlflow"][1]
    assert found["mlflow"][0] > 20
    assert len(tries) > 5


def test_each_storage_class_of_a_bucket_is_paid_by_those_whose_bytes_are_in_it(
    report: truth.Report,
) -> None:
    assert len(report.stored) > 30
    assert not any(abs(error) > CUT for error in report.stored)
