"""Shared cost that teams are to carry: who gets what, in which order, and that nothing is lost."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from queries.catalog import models
from tests.queries.attribution.conftest import DAY

MODEL = next(model for model in models() if model.name == "marts.loaded_spend")

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.queries.attribution.conftest import Build, Draw, Row


def world(draw: type[Draw], costs: Mapping[str, str]) -> list[Row]:
    """Return bill lines: a cost for each team; `(tax)` is a tax line, '' is nobody's."""
    return [
        draw.line(Decimal(cost), tags={"team": team} if team else {}, resource_id=f"r-{team}")
        if team != "(tax)"
        else draw.line(Decimal(cost), charge_category="Tax", x_line_class="tax", resource_id=None)
        for team, cost in costs.items()
    ]


def rule(
    position: int,
    members: Sequence[str],
    split: str,
    to: Sequence[str] = (),
    shares: Mapping[str, str] | None = None,
) -> list[Row]:
    """Return the rows of a rule, as the config file's are entered."""
    return [
        {
            "position": position,
            "rule": f"rule {position}",
            "from_member": member,
            "split": split,
            "to_member": team,
            "share": Decimal((shares or {}).get(team or "", "0")) if shares else None,
        }
        for member in members
        for team in (*(shares or to),) or (None,)
    ]


def loaded(build: Build, lines: list[Row], rules: list[Row]) -> dict[str, Decimal]:
    """Return member -> its cost with all that was loaded onto it, where there is any."""
    rows = build({"cost_lines": lines, "raw.shared_costs": rules}).rows(
        "select member, sum(effective_cost) as cost from marts.loaded_spend "
        "group by member having cost <> 0"
    )
    return dict(rows)


COSTS = {"a": "10", "b": "30", "platform": "5", "(tax)": "8", "": "4"}


def test_without_rules_everybody_has_their_own(build: Build, draw: type[Draw]) -> None:
    assert loaded(build, world(draw, COSTS), []) == {
        "a": 10,
        "b": 30,
        "platform": 5,
        "(tax)": 8,
        "unattributed": 4,
    }


def test_rules_are_worked_off_in_their_order(build: Build, draw: type[Draw]) -> None:
    """Tax goes to three teams alike; then the platform's 5 + 8 / 3 by what a and b cost so far."""
    rules = [*rule(1, ["(tax)"], "even"), *rule(2, ["platform"], "proportional")]
    found = loaded(build, world(draw, COSTS), rules)

    third = Decimal(8) / 3
    a, b, platform = 10 + third, 30 + third, 5 + third
    assert found.keys() == {"a", "b", "unattributed"}
    assert abs(found["a"] - (a + platform * a / (a + b))) < Decimal("1e-11")
    assert sum(found.values()) == 57

    steps = build.kept[1].rows(
        "select step_no, step from marts.loaded_spend where member = 'a' order by step_no"
    )
    assert steps == [(0, "own cost"), (1, "rule 1"), (2, "rule 2")]


def test_the_other_way_round_the_platform_keeps_its_tax(build: Build, draw: type[Draw]) -> None:
    """What a rule has emptied gets nothing more."""
    rules = [*rule(1, ["platform"], "even"), *rule(2, ["(tax)"], "even")]
    assert loaded(build, world(draw, COSTS), rules) == {
        "a": Decimal("16.5"),
        "b": Decimal("36.5"),
        "unattributed": 4,
    }


def test_fixed_shares_leave_the_rest_where_it_was(build: Build, draw: type[Draw]) -> None:
    rules = rule(1, ["(tax)", "unattributed"], "fixed", shares={"a": "0.5", "b": "0.25"})
    assert loaded(build, world(draw, COSTS), rules) == {
        "a": 16,
        "b": 33,
        "platform": 5,
        "(tax)": 2,
        "unattributed": 1,
    }


def test_only_the_teams_named_carry(build: Build, draw: type[Draw]) -> None:
    rules = rule(1, ["(tax)"], "proportional", to=["b"])
    assert loaded(build, world(draw, COSTS), rules)["b"] == 38


def dec(text: str) -> Decimal:
    return Decimal(text)


def test_proportional_is_by_what_each_team_costs(build: Build, draw: type[Draw]) -> None:
    """Two members at once, each cut by the same shares: 10, 30 and 60 of 100."""
    costs = {"a": "10", "b": "30", "c": "60", "(tax)": "7.77", "": "2"}
    rules = rule(1, ["(tax)", "unattributed"], "proportional")

    assert loaded(build, world(draw, costs), rules) == {
        "a": dec("10.977"),
        "b": dec("32.931"),
        "c": dec("65.862"),
    }


def test_parts_that_do_not_end_add_up_to_the_last_digit(build: Build, draw: type[Draw]) -> None:
    """Thirds, cut where a share of 1/3 and one of 2/3 lie: the middle one has the odd unit."""
    costs = {"a": "1", "b": "1", "c": "1", "(tax)": "1"}

    assert loaded(build, world(draw, costs), rule(1, ["(tax)"], "proportional")) == {
        "a": dec("1.333333333333"),
        "b": dec("1.333333333334"),
        "c": dec("1.333333333333"),
    }


def test_a_team_that_costs_less_than_nothing_takes_nothing(build: Build, draw: type[Draw]) -> None:
    costs = {"a": "-3", "b": "30", "c": "10", "(tax)": "8"}

    assert loaded(build, world(draw, costs), rule(1, ["(tax)"], "proportional")) == {
        "a": -3,
        "b": 36,
        "c": 12,
    }


def test_a_chain_steps_down_from_team_to_team(build: Build, draw: type[Draw]) -> None:
    """Tax onto all five; what IT then costs onto the other three; at last the platform's."""
    costs = {"a": "10", "b": "30", "it": "20", "platform": "40", "(tax)": "10"}
    chain = [
        *rule(1, ["(tax)"], "proportional"),
        *rule(2, ["it"], "proportional"),
        *rule(3, ["platform"], "proportional"),
    ]

    assert loaded(build, world(draw, costs), chain) == {"a": dec("27.5"), "b": dec("82.5")}
    assert build.kept[1].rows(
        "select step_no, member, effective_cost from marts.loaded_spend "
        "where step_no > 0 order by all"
    ) == [
        *((1, "(tax)", dec("-10")), (1, "a", dec("1")), (1, "b", dec("3"))),
        *((1, "it", dec("2")), (1, "platform", dec("4"))),
        *((2, "a", dec("2.75")), (2, "b", dec("8.25"))),
        *((2, "it", dec("-22")), (2, "platform", dec("11"))),
        *((3, "a", dec("13.75")), (3, "b", dec("41.25")), (3, "platform", dec("-55"))),
    ]


def test_a_chain_may_split_each_step_in_another_way(build: Build, draw: type[Draw]) -> None:
    """Of what the platform costs after two steps, 55 + 3, a quarter stays with it."""
    costs = {"a": "10", "b": "30", "it": "20", "platform": "40", "(tax)": "10", "": "9"}
    chain = [
        *rule(1, ["(tax)"], "proportional"),
        *rule(2, ["it"], "proportional"),
        *rule(3, ["unattributed"], "even", to=["a", "b", "platform"]),
        *rule(4, ["platform"], "fixed", shares={"a": "0.25", "b": "0.5"}),
    ]

    assert loaded(build, world(draw, costs), chain) == {
        "a": dec("31.25"),  # 13.75 + 3 + 14.5
        "b": dec("73.25"),  # 41.25 + 3 + 29
        "platform": dec("14.5"),
    }


def test_a_team_takes_what_a_rule_gives_it_in_a_month_in_which_it_costs_nothing(
    build: Build, draw: type[Draw]
) -> None:
    """Costs of b are in another currency, which has months of its own."""
    lines = world(draw, {"a": "10", "(tax)": "40"})
    lines += [line | {"billing_currency": "EUR"} for line in world(draw, {"b": "1"})]
    named = [
        rule(1, ["(tax)"], "fixed", shares={"a": "0.5", "b": "0.5"}),
        rule(1, ["(tax)"], "even", to=["a", "b"]),
    ]
    for rules in named:
        assert loaded(build, lines, rules) == {"a": Decimal(30), "b": Decimal(21)}
    assert loaded(build, lines, rule(1, ["(tax)"], "even")) == {"a": Decimal(50), "b": Decimal(1)}


def test_what_nobody_could_take_stays(build: Build, draw: type[Draw]) -> None:
    rules = [*rule(1, ["(tax)"], "even", to=["nobody"]), *rule(2, ["unattributed"], "even")]
    lines = world(draw, {"(tax)": "8", "": "4"})
    assert loaded(build, lines, rules) == {"(tax)": 8, "unattributed": 4}


def test_a_month_and_a_currency_keep_to_themselves(build: Build, draw: type[Draw]) -> None:
    lines = world(draw, {"a": "1", "b": "1"})
    lines += [line | {"billing_currency": "EUR"} for line in world(draw, {"a": "1", "(tax)": "6"})]
    build({"cost_lines": lines, "raw.shared_costs": rule(1, ["(tax)"], "even")})
    assert build.kept[1].rows(
        "select charge_month, billing_currency, member, sum(effective_cost) "
        "from marts.loaded_spend group by all having sum(effective_cost) <> 0 order by all"
    ) == [
        (DAY.replace(day=1), "EUR", "a", 7),
        (DAY.replace(day=1), "USD", "a", 1),
        (DAY.replace(day=1), "USD", "b", 1),
    ]


amounts = st.decimals("-50", "2000", places=12, allow_nan=False)
splits = st.sampled_from(["even", "proportional"])
members = st.sampled_from(["a", "b", "c", "platform", "(tax)", "unattributed"])


@given(
    st.dictionaries(members, amounts, min_size=1),
    st.lists(st.tuples(members.filter("c".__ne__), splits), max_size=5),
)
def test_nothing_is_lost_whatever_the_rules(
    build: Build, costs: dict[str, Decimal], chosen: list[tuple[str, str]]
) -> None:
    """The model alone, on months as the ones before it would give them."""
    rules = [
        row
        for position, (member, split) in enumerate(chosen, 1)
        for row in rule(position, [member], split)
    ]
    con = (build.kept or {1: build({})})[1].con
    for table, rows in (
        ("attribution.team_months", [(DAY.replace(day=1), "USD", *each) for each in costs.items()]),
        ("raw.shared_costs", [tuple(row.values()) for row in rules]),
    ):
        con.execute(f"delete from {table}")
        for row in rows:
            con.execute(f"insert into {table} values ({', '.join('?' * len(row))})", row)

    total = con.execute(f"select sum(effective_cost) from ({MODEL.sql})").fetchone()
    assert total == (sum(costs.values()),)
