"""What readers open: runs, jobs, leaderboards, freshness, members."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.queries.attribution.conftest import Build, Draw, Row


def two_jobs(draw: type[Draw]) -> dict[str, list[Row]]:
    """Return a good and a failed run of one experiment on one machine, and a notebook."""
    runs = [
        draw.run("good", 0, 2, experiment="e", user_raw="ada", team_raw="vision"),
        draw.run("bad", 2, 3, experiment="e", user_raw="ada", team_raw="vision", status="failed"),
        draw.run("notes", 3, 4, experiment="e", kind="notebook"),
    ]
    return {
        "cost_lines": [draw.machine(6, hour) for hour in range(3)],
        "runs": runs,
        "run_places": [{"run_key": run["run_key"], "instance_id": "i-1"} for run in runs],
        "people": [{"user_id": "ada", "user_name": "Ada"}],
    }


def test_training_jobs_tell_cost_failures_and_length(build: Build, draw: type[Draw]) -> None:
    built = build(two_jobs(draw))

    assert built.rows(
        "select experiment, team, run_count, failed_count, failure_rate, effective_cost, "
        "failed_cost, longest_hours, mean_hours, dearest_run_id, dearest_run_cost "
        "from marts.training_jobs"
    ) == [("e", "vision", 2, 1, 0.5, Decimal(18), Decimal(6), 2.0, 1.5, "good", Decimal(12))]


def test_a_run_has_a_row_per_currency_and_one_without_where_no_bill_shows_it(
    build: Build, draw: type[Draw]
) -> None:
    tables = two_jobs(draw)
    tables["cost_lines"].append(draw.machine(5, 0, billing_currency="EUR"))
    built = build(tables)

    assert built.rows(
        "select run_id, billing_currency, user_name, effective_cost from marts.runs order by all"
    ) == [
        ("bad", "USD", "Ada", Decimal(6)),
        ("good", "EUR", "Ada", Decimal(5)),
        ("good", "USD", "Ada", Decimal(12)),
        ("notes", None, None, Decimal(0)),
    ]


def test_a_leaderboard_counts_from_its_first_day_to_before_its_last(
    build: Build, draw: type[Draw]
) -> None:
    built = build(two_jobs(draw))
    day = "date '2026-10-05'"

    rows = built.rows(f"from marts.leaderboard('user', {day}, {day} + 1)")
    assert [row[:3] for row in rows] == [("ada", "USD", Decimal(18))]
    assert rows[0][5] == 1.0
    assert built.rows(f"from marts.leaderboard('user', {day} - 1, {day})") == []


def test_a_table_behind_the_newest_delivery_is_stale(build: Build, draw: type[Draw]) -> None:
    def delivery(source: str, version_at: float, landed_at: float) -> Row:
        return {
            "source": source,
            "connector": source,
            "table_name": "t",
            "unit": "2026-10",
            "version_at": draw.at(version_at),
            "landed_at": draw.at(landed_at),
            "is_bill": True,
        }

    built = build({"raw.deliveries": [delivery("new", 48, 50), delivery("old", 2, 3)]})

    assert built.rows("select source, is_stale, note from marts.freshness order by 1") == [
        ("new", False, "up to date, the newest is 2026-10"),
        ("old", True, "nothing newer than 2026-10-05 02:00 UTC; the newest is 2026-10"),
    ]


def test_members_are_named_as_readers_know_them(build: Build, draw: type[Draw]) -> None:
    tables = two_jobs(draw)
    tables["memberships"] = [{"user_id": "ada", "team": "vision"}]
    built = build(tables)

    assert built.rows(
        "select dimension, member, member_name, team from marts.members "
        "where dimension in ('user', 'team') order by all"
    ) == [("team", "vision", "vision", "vision"), ("user", "ada", "Ada", "vision")]
