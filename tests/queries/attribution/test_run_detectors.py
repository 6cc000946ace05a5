"""What failed, what was stopped, and what reads across a paid border."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.queries.attribution.conftest import DAY

if TYPE_CHECKING:
    from tests.queries.attribution.conftest import Build, Draw, Row

GIB = 2**30
DATA = "s3://pictures/all"


def failures(draw: type[Draw], **statuses: str) -> dict[str, list[Row]]:
    """Return a machine of 30 an hour and runs on it, an hour each; run -> status."""
    runs = [
        draw.run(
            name,
            hour,
            hour + 1,
            experiment="e",
            team_raw="vision",
            user_raw="ada",
            status=status,
            last_seen_at=draw.at(hour + 1),
        )
        for hour, (name, status) in enumerate(statuses.items())
    ]
    return {
        "cost_lines": [draw.machine(30, hour) for hour in range(len(runs))],
        "runs": runs,
        "run_places": [{"run_key": run["run_key"], "instance_id": "i-1"} for run in runs],
    }


def found(build: Build, tables: dict[str, list[Row]]) -> list[tuple[Any, ...]]:
    """Return resource, waste and whether it counts."""
    return build(tables).rows(
        "select resource_id, monthly_waste, is_counted from marts.findings "
        "where detector in ('failed_runs', 'cancelled_runs') order by all"
    )


def test_failed_runs_are_added_up_by_team_experiment_and_reason(
    build: Build, draw: type[Draw]
) -> None:
    tables = failures(draw, a="failed", b="failed", c="preempted", d="succeeded", e="failed")
    tables["runs"][4]["status_raw"] = "OUT_OF_MEMORY"

    assert found(build, tables) == [
        ("vision / e / error", Decimal("60.875"), True),
        ("vision / e / out of memory", Decimal("30.4375"), True),
        ("vision / e / preempted", Decimal("30.4375"), True),
    ]


def test_early_failures_are_a_reason_of_their_own(build: Build, draw: type[Draw]) -> None:
    tables = failures(draw, a="failed")
    tables["cost_lines"][0] |= {"effective_cost": Decimal(480)}
    tables["runs"][0] |= {"ended_at": draw.at(1 / 16), "gpu_count": 1}

    assert found(build, tables) == [("vision / e / early", Decimal("30.4375"), True)]


def test_what_somebody_stopped_is_reported_and_not_counted(build: Build, draw: type[Draw]) -> None:
    assert found(build, failures(draw, a="cancelled")) == [
        ("vision / e / cancelled", Decimal("30.4375"), False)
    ]


def test_a_run_without_a_sign_of_life_is_lost_only_once_the_bill_is_past_it(
    build: Build, draw: type[Draw]
) -> None:
    tables = failures(draw, a="lost")
    assert found(build, tables) == []

    later = draw.line(1) | {"charge_date": DAY.replace(day=DAY.day + 1)}
    tables["cost_lines"].append(later)
    assert found(build, tables) == [("vision / e / lost", Decimal("30.4375"), True)]


def crossing(draw: type[Draw], **more: Any) -> dict[str, list[Row]]:
    """Return a run in us-east-1 that reads 1,000 GiB of a dataset of 4,000 GiB in eu-west-1.

    The transfer is billed at 200; storage costs 4 a day.
    """
    return {
        "cost_lines": [
            draw.machine(10, 0, region_id="us-east-1", x_instance_type="g5.12xlarge"),
            draw.line(
                4, resource_id="pictures", x_line_class="object_storage", region_id="eu-west-1"
            ),
            draw.line(
                200,
                resource_id="pictures",
                x_line_class="transfer",
                region_id="eu-west-1",
                x_from_region="eu-west-1",
                x_to_region="us-east-1",
            ),
        ],
        "runs": [draw.run("r", user_raw="ada", team_raw="vision")],
        "run_places": [{"run_key": "r", "instance_id": "i-1"}],
        "run_inputs": [{"run_key": "r", "dataset_uri": DATA, "bytes_read": 1000 * GIB}],
        "datasets": [{"dataset": "pictures", "uri": DATA, "region_id": "eu-west-1"}],
        "stored_bytes": [
            {
                "charge_date": DAY,
                "container": "pictures",
                "prefix": "all",
                "size_bytes": 4000 * GIB,
                "object_count": 1,
            }
        ],
        "raw.totals": [{"source": "aws", "provider": "AWS"}],
    } | more


def crossings(build: Build, tables: dict[str, list[Row]]) -> list[tuple[Any, ...]]:
    """Return resource, owner, waste and evidence."""
    return build(tables).rows(
        "select resource_id, owner_team, monthly_waste, evidence from marts.findings "
        "where detector = 'misplaced_compute'"
    )


def test_reading_across_a_border_is_weighed_against_what_else_could_be_done(
    build: Build, draw: type[Draw]
) -> None:
    """By hand: 200 in 30 days are 202.916667 a month; storage of the day is 4.058333 a month.

    A copy: 4.058333 + 800 / 12; a cache of 1,000 GiB: a quarter of the storage + 200.
    """
    ((resource, team, waste, evidence),) = crossings(build, crossing(draw))

    assert (resource, team) == ("pictures from eu-west-1 to us-east-1", "vision")
    transfer = Decimal(200) * 304375 / 300000
    storage = Decimal(4) * 304375 / 300000
    assert abs(waste - (transfer - storage - Decimal(800) / 12)) < Decimal("1e-9")
    assert evidence == (
        "1 run in us-east-1 read 1000 GiB of it from eu-west-1 in 30 days: 202.92 a month; "
        "moving the runs: price not on the bill; a copy of 4000 GiB: 4.06 and once 800.00, "
        "paid back in 123 days; a cache of 1000 GiB: 201.01; cheapest: replicate"
    )


def test_runs_that_no_region_of_the_cloud_has_are_told_of_in_plain_words(
    build: Build, draw: type[Draw]
) -> None:
    tables = crossing(draw)
    tables["cost_lines"][0] |= {"region_id": "room-1", "source": "lab"}
    tables["cost_lines"][2]["x_to_region"] = "internet"

    ((_, _, _, evidence),) = crossings(build, tables)
    assert evidence.startswith("1 run outside of the cloud read 1000 GiB of it from eu-west-1 ")


def test_moving_the_runs_is_priced_where_the_bill_has_both_regions(
    build: Build, draw: type[Draw]
) -> None:
    tables = crossing(draw)
    there = draw.machine(
        12, 0, "i-west", region_id="eu-west-1", x_instance_type="g5.12xlarge", consumed_quantity=1
    )
    tables["cost_lines"].append(there)
    ((_, _, waste, evidence),) = crossings(build, tables)

    dearer = Decimal(2) * 304375 / 300000
    assert abs(waste - (Decimal(200) * 304375 / 300000 - dearer)) < Decimal("1e-9")
    assert "moving the runs: 2.03;" in evidence
    assert evidence.endswith("cheapest: move the runs")


def test_storage_that_the_bill_does_not_show_is_taken_at_list_price(
    build: Build, draw: type[Draw]
) -> None:
    tables = crossing(draw)
    del tables["cost_lines"][1]
    ((_, _, _, evidence),) = crossings(build, tables)

    assert "a copy of 4000 GiB: 92.00 and once 800.00" in evidence
    assert "storage at list price" in evidence


def test_reading_at_home_or_little_is_no_finding(build: Build, draw: type[Draw]) -> None:
    at_home = crossing(draw)
    at_home["cost_lines"][0]["region_id"] = "eu-west-1"
    assert crossings(build, at_home) == []

    little = crossing(draw)
    little["cost_lines"][2] |= {"effective_cost": 20, "billed_cost": 20}
    assert crossings(build, little) == []
