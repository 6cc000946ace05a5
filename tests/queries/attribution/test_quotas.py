"""What is used of a quota, where its window lies, and what is expected by its end."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.queries.attribution.conftest import Build, Draw, Row

MONDAY = date(2026, 10, 5)


def quota(limit: str = "100", **more: object) -> list[Row]:
    """Return a team's quota with thresholds at 80 and 100 %."""
    row = {
        "quota": "q",
        "dimension": "team",
        "member": "*",
        "measure": "effective_cost",
        "window_kind": "month",
        "window_days": 0,
        "limit_amount": Decimal(limit),
        "billing_currency": "USD",
    } | more
    if row["measure"] == "gpu_hours":
        row["billing_currency"] = None
    return [row | {"threshold": Decimal(share)} for share in ("0.8", "1")]


def spend(draw: type[Draw], costs: dict[date, str], team: str = "vision") -> list[Row]:
    """Return a line a day, tagged with a team."""
    return [
        draw.line(cost, charge_date=day, tags={"team": team}, invoice_id="final")
        for day, cost in costs.items()
    ]


def days(first: date, count: int, cost: str = "10") -> dict[date, str]:
    """Return the same cost on some days in a row."""
    return {first + timedelta(days=number): cost for number in range(count)}


@pytest.mark.parametrize(
    "case",
    [
        ("day", 0, date(2026, 10, 21), date(2026, 10, 22), 10),
        ("week", 0, date(2026, 10, 19), date(2026, 10, 26), 30),
        ("month", 0, date(2026, 10, 1), date(2026, 11, 1), 210),
        ("quarter", 0, date(2026, 10, 1), date(2027, 1, 1), 210),
        ("days", 30, date(2026, 9, 22), date(2026, 10, 22), 300),
    ],
)
def test_a_window_holds_the_newest_day(
    build: Build, draw: type[Draw], case: tuple[str, int, date, date, int]
) -> None:
    kind, length, start, end, used = case
    built = build(
        {
            "cost_lines": spend(draw, days(date(2026, 9, 1), 51)),
            "raw.quotas": quota(window_kind=kind, window_days=length),
        }
    )
    assert built.rows(
        "select member, window_start, window_end, as_of_date, used_amount from marts.quotas"
    ) == [("vision", start, end, date(2026, 10, 21), Decimal(used))]


@pytest.mark.parametrize(
    ("limit", "threshold", "state"),
    [
        ("300", None, "ok"),
        ("262.500000000001", None, "ok"),
        ("262.5", 0.8, "warned"),
        ("210.000000000001", 0.8, "warned"),
        ("210", 1.0, "over"),
        ("1", 1.0, "over"),
    ],
)
def test_a_threshold_is_reached_to_the_last_digit(
    build: Build, draw: type[Draw], limit: str, threshold: float | None, state: str
) -> None:
    built = build(
        {
            "cost_lines": spend(draw, days(date(2026, 10, 1), 21)),
            "raw.quotas": quota(limit),
        }
    )
    assert built.rows("select threshold, state from marts.quotas") == [(threshold, state)]


def test_every_member_has_a_row_of_its_own_and_nobodys_have_none(
    build: Build, draw: type[Draw]
) -> None:
    lines = [
        *spend(draw, {MONDAY: "90"}),
        *spend(draw, {MONDAY: "10"}, "speech"),
        draw.line(1000, x_line_class="tax"),
        draw.line(1000),
        draw.line(1000, billing_currency="EUR", tags={"team": "vision"}),
    ]
    built = build({"cost_lines": lines, "raw.quotas": quota()})
    assert built.rows("select member, used_amount, state from marts.quotas order by 1") == [
        ("speech", Decimal(10), "ok"),
        ("vision", Decimal(90), "warned"),
    ]


def test_a_member_that_is_named_has_a_row_though_it_used_nothing(
    build: Build, draw: type[Draw]
) -> None:
    built = build(
        {
            "cost_lines": spend(draw, {MONDAY: "90"}),
            "raw.quotas": [
                *quota(member="robotics", quota="a"),
                *quota(member="(idle)", quota="b"),
                *quota(member="unattributed", quota="c"),
            ],
        }
    )
    assert built.rows("select quota, member, used_amount from marts.quotas order by 1") == [
        ("a", "robotics", Decimal(0)),
        ("b", "(idle)", Decimal(0)),
        ("c", "unattributed", Decimal(0)),
    ]


def test_without_any_cost_there_is_no_window(build: Build) -> None:
    assert build({"raw.quotas": quota(member="vision")}).rows("from marts.quotas") == []


def test_gpu_hours_are_counted_in_all_currencies(build: Build, draw: type[Draw]) -> None:
    run = draw.run("r", 0, 2, team_raw="vision")
    built = build(
        {
            "cost_lines": [
                draw.machine(6, 0, x_gpu_count=Decimal(8)),
                draw.machine(6, 1, x_gpu_count=Decimal(8), billing_currency="EUR"),
            ],
            "runs": [run],
            "run_places": [{"run_key": "r", "instance_id": "i-1", "gpu_count": 8}],
            "raw.quotas": quota("16", measure="gpu_hours"),
        }
    )
    assert built.rows("select member, used_amount, billing_currency, state from marts.quotas") == [
        ("vision", Decimal(16), None, "over")
    ]
    assert built.rows(
        "select team, billing_currency, gpu_hours, effective_cost from marts.gpu_prices order by 2"
    ) == [("vision", "EUR", Decimal(8), Decimal(6)), ("vision", "USD", Decimal(8), Decimal(6))]


def test_a_quota_counts_what_a_member_holds_under_the_idle_policy(
    build: Build, draw: type[Draw]
) -> None:
    tables = {
        "cost_lines": [draw.machine(8, 0, x_gpu_count=Decimal(8))],
        "node_hours": [draw.node(0, gpu=8, cpu=8, memory=8)],
        "pod_hours": [draw.pod("p", 0, gpu=2, cpu=2, memory=2, team_raw="vision")],
        "raw.quotas": quota(),
    }
    used = "select used_amount from marts.quotas where member = 'vision'"
    assert build(tables).rows(used) == [(Decimal(2),)]
    assert build(tables, idle_policy="by_node").rows(used) == [(Decimal(8),)]
    build({})


def test_what_has_no_final_invoice_is_told_apart(build: Build, draw: type[Draw]) -> None:
    lines = spend(draw, days(date(2026, 10, 1), 3))
    lines[2]["invoice_id"] = None
    built = build({"cost_lines": lines, "raw.quotas": quota()})
    assert built.rows("select used_amount, provisional_amount from marts.quotas") == [
        (Decimal(30), Decimal(10))
    ]


def test_a_steady_member_is_expected_to_go_on_so(build: Build, draw: type[Draw]) -> None:
    built = build({"cost_lines": spend(draw, days(date(2026, 10, 1), 21)), "raw.quotas": quota()})
    assert built.rows("select forecast_amount from marts.quotas") == [(Decimal(310),)]


def test_weekends_are_expected_to_be_as_weekends_were(build: Build, draw: type[Draw]) -> None:
    costs = {
        day: "1" if day.isoweekday() > 5 else "10"
        for day in days(date(2026, 10, 1), 22)  # the newest day is Thursday, the 22nd
    }
    built = build({"cost_lines": spend(draw, costs), "raw.quotas": quota()})
    workdays, weekends = 22, 9
    assert built.rows("select forecast_amount from marts.quotas") == [
        (Decimal(10 * workdays + weekends),)
    ]


def test_the_newest_day_counts_as_expected_or_as_it_is_whichever_is_more(
    build: Build, draw: type[Draw]
) -> None:
    for newest, forecast in (("3", 310), ("40", 340)):
        costs = days(date(2026, 10, 1), 20) | {date(2026, 10, 21): newest}
        built = build({"cost_lines": spend(draw, costs), "raw.quotas": quota()})
        assert built.rows("select forecast_amount from marts.quotas") == [(Decimal(forecast),)]


def test_one_complete_day_is_too_little_to_tell(build: Build, draw: type[Draw]) -> None:
    built = build({"cost_lines": spend(draw, days(date(2026, 10, 1), 2)), "raw.quotas": quota()})
    assert built.rows("select used_amount, forecast_amount from marts.quotas") == [
        (Decimal(20), None)
    ]


@settings(max_examples=15, deadline=None)
@given(
    costs=st.dictionaries(
        st.dates(date(2026, 8, 1), date(2026, 10, 31)),
        st.decimals(-1_000_000, 10_000_000, places=12),
        min_size=1,
        max_size=12,
    ),
    teams=st.lists(st.sampled_from(["vision", "speech"]), min_size=12, max_size=12),
)
def test_what_members_used_adds_up_to_what_was_billed_in_the_window(
    build: Build, draw: type[Draw], costs: dict[date, Decimal], teams: list[str]
) -> None:
    """Used is the sum by hand, whatever the days; no member's is lost or counted twice."""
    lines: list[Row] = []
    for (day, cost), team in zip(costs.items(), teams, strict=False):
        lines += spend(draw, {day: str(cost)}, team)
    rolling = quota(quota="rolling", window_kind="days", window_days=30)
    built = build({"cost_lines": lines, "raw.quotas": [*quota(), *rolling]})
    newest = max(costs)
    starts = {"q": newest.replace(day=1), "rolling": newest - timedelta(days=29)}
    wanted: dict[tuple[str, str], Decimal] = {}
    for (day, cost), team in zip(costs.items(), teams, strict=False):
        for name, start in starts.items():
            if day >= start:
                wanted[name, team] = wanted.get((name, team), Decimal(0)) + cost
    rows = built.rows("select quota, member, used_amount, state from marts.quotas")
    assert {row[:2]: row[2] for row in rows} == wanted
    for row in rows:
        state = "over" if row[2] >= 100 else "warned" if row[2] >= 80 else "ok"
        assert row[3] == state
