"""What a view shows of the marts, on small drawn tables: whom, from when, and how it adds up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queries import ModelError
from queries.catalog import Model, models
from queries.privacy.columns import is_declared, is_text
from queries.privacy.masks import Masks, masks
from queries.privacy.people import create_people, find_everybody, mart_columns
from queries.privacy.pseudonyms import pseudonym
from queries.privacy.texts import Scrubber
from queries.privacy.views import NOT_SHOWN, View
from tests.queries.attribution.conftest import DAY

if TYPE_CHECKING:
    from tests.queries.attribution.conftest import Build, Draw, Row, Warehouse

KEY = b"a key of a test, long enough to be one"
HIDDEN = View(people="pseudonyms", key=KEY)
MODES = (HIDDEN, View(people="teams"))


def model_of(mart: str) -> Model:
    """Return a mart's model."""
    return next(model for model in models() if model.name == mart)


def shown(built: Warehouse, view: View, mart: str, columns: str) -> list[tuple[Any, ...]]:
    """Return what a view shows of a mart, having proved that it adds up."""
    masked, model = masks(built.con, view), model_of(mart)
    built.con.execute(f"create or replace temp table seen as {masked.query_of(model)}")
    masked.check(model, "seen")
    return built.rows(f"select {columns} from seen order by all")


def company(draw: type[Draw], service_name: str = "EC2") -> dict[str, list[Row]]:
    """Return two teams' people, each with a day's cost; one is known by an alias, one unknown."""
    tags = [("ada", "10"), ("B.Lee", "7"), ("cy", "3"), ("stranger", "1")]
    return {
        "cost_lines": [
            draw.line(cost, resource_id=f"r-{user}", tags={"user": user}, service_name=service_name)
            for user, cost in tags
        ],
        "people": [
            {"user_id": "ada", "user_name": "Ada Winter", "email": "ada.w@acme.example"},
            {"user_id": "bob", "user_name": "Bob Lee"},
            {"user_id": "cy", "user_name": "Cy Dot"},
        ],
        "aliases": [{"alias": "b.lee", "user_id": "bob"}],
        "memberships": [
            {"user_id": "ada", "team": "vision"},
            {"user_id": "bob", "team": "vision"},
            {"user_id": "cy", "team": "search"},
        ],
    }


def users(built: Warehouse, view: View) -> dict[str, Decimal]:
    """Return the cost of every member of the user dimension."""
    rows = shown(built, view, "marts.spend_daily", "dimension, member, effective_cost")
    costs: dict[str, Decimal] = {}
    for dimension, member, cost in rows:
        if dimension == "user":
            costs[member] = costs.get(member, Decimal()) + cost
    return costs


def test_a_view_of_everything_is_the_mart_as_it_is(build: Build, draw: type[Draw]) -> None:
    built = build(company(draw))
    built.con.execute("drop schema if exists privacy cascade")
    assert View().is_open
    assert masks(built.con, View()).query_of(model_of("marts.runs")) == "select * from marts.runs"
    assert built.rows("select * from duckdb_tables() where schema_name = 'privacy'") == []


def test_people_have_pseudonyms_or_are_their_team(build: Build, draw: type[Draw]) -> None:
    built = build(company(draw))
    assert users(built, HIDDEN) == {
        pseudonym(KEY, "ada"): 10,
        pseudonym(KEY, "bob"): 7,
        pseudonym(KEY, "cy"): 3,
        pseudonym(KEY, "stranger"): 1,
    }
    assert users(built, View(people="teams")) == {
        "(someone in vision)": 17,
        "(someone in search)": 3,
        "(someone)": 1,
    }
    names = shown(built, HIDDEN, "marts.members", "member, member_name, team, dimension")
    ada = pseudonym(KEY, "ada")
    assert (ada, ada, "vision", "user") in names
    assert ("vision", "vision", "vision", "team") in names


def test_an_audience_sees_its_teams_people_and_totals_of_the_others(
    build: Build, draw: type[Draw]
) -> None:
    built = build(company(draw, service_name="S3"))
    view = View(audience="a", teams=frozenset(("vision",)))
    assert users(built, view) == {
        "ada": 10,
        "bob": 7,
        "(someone in search)": 3,
        "(someone)": 1,
    }
    rows = shown(built, view, "marts.spend_daily", "dimension, member, service_name")
    assert ("team", "search", NOT_SHOWN) in rows
    assert ("team", "vision", "S3") in rows
    assert ("service", NOT_SHOWN, "S3") in rows
    alone = replace(view, others="nothing")
    assert users(built, alone) == {"ada": 10, "bob": 7}
    assert shown(built, alone, "marts.spend_daily", "distinct dimension, member") == [
        ("team", "vision"),
        ("user", "ada"),
        ("user", "bob"),
    ]


def test_members_that_are_listed_are_the_only_ones_of_their_dimension(
    build: Build, draw: type[Draw]
) -> None:
    lines = [
        draw.line(5, resource_id="a", tags={"project": "p", "team": "vision"}),
        draw.line(3, resource_id="b", tags={"project": "q", "team": "vision"}),
        draw.line(2, resource_id="c", tags={"project": "q", "team": "search"}),
    ]
    built = build({"cost_lines": lines})

    def projects(view: View) -> list[tuple[Any, ...]]:
        rows = shown(built, view, "marts.spend_daily", "dimension, member, effective_cost")
        return [row[1:] for row in rows if row[0] == "project"]

    vision = View(audience="a", teams=frozenset(("vision",)))
    assert projects(vision) == [(NOT_SHOWN, 5), ("p", 5)]
    assert projects(replace(vision, members={"project": frozenset("q")})) == [
        (NOT_SHOWN, 5),
        ("q", 5),
    ]
    assert projects(View(audience="a", members={"project": frozenset("p")})) == [
        (NOT_SHOWN, 5),
        ("p", 5),
    ]


def old_and_new(draw: type[Draw]) -> dict[str, list[Row]]:
    """Return three days of Ada, the last being the day of the drawn lines, and one of Bob."""
    days = [draw.day - timedelta(age) for age in (0, 1, 2)]
    lines = [
        draw.line(
            cost,
            resource_id="r",
            tags={"user": user},
            charge_date=day,
            charge_period_start=draw.at(0, day),
            charge_period_end=draw.at(24, day),
        )
        for day, cost, user in zip(
            (*days, days[2]), (1, 2, 4, 8), ("ada",) * 3 + ("bob",), strict=True
        )
    ]
    return company(draw) | {
        "cost_lines": lines,
        "runs": [
            draw.run(
                f"run-{age}",
                started_at=draw.at(0, day),
                ended_at=draw.at(1, day),
                user_raw="ada",
                run_name="sweep of Ada Winter, with b.lee",
            )
            for age, day in enumerate(days)
        ],
    }


@pytest.mark.parametrize(
    ("age", "ada", "former"),
    [(0, 1, 14), (1, 3, 12), (2, 7, 0), (3, 7, 0)],
)
def test_rows_older_than_the_first_personal_day_name_nobody(
    build: Build, draw: type[Draw], age: int, ada: int, former: int
) -> None:
    built = build(old_and_new(draw))
    view = View(personal_from=draw.day - timedelta(age))
    expected = {"ada": ada, "(someone in vision)": former}
    if age >= 2:
        expected = {"ada": ada, "bob": 8}
    assert users(built, view) == expected


def test_runs_and_texts_lose_their_people_with_age(build: Build, draw: type[Draw]) -> None:
    built = build(old_and_new(draw))
    view = View(personal_from=draw.day - timedelta(1))
    assert shown(built, view, "marts.runs", "run_id, user_id, user_name, run_name") == [
        ("run-0", "ada", "Ada Winter", "sweep of Ada Winter, with someone"),
        ("run-1", "ada", "Ada Winter", "sweep of Ada Winter, with someone"),
        ("run-2", *("(someone in vision)",) * 2, "sweep of someone, with someone"),
    ]
    members = shown(built, view, "marts.members", "dimension, member, member_name")
    assert ("user", "ada", "Ada Winter") in members
    assert not any("bob" in str(row).lower() for row in members)


def test_every_text_of_a_mart_is_declared(build: Build) -> None:
    built = build({})
    undeclared = [
        f"{mart}.{column}"
        for mart, columns in mart_columns(built.con).items()
        for column, kind in columns.items()
        if is_text(kind, mart) and not is_declared(column)
    ]
    assert undeclared == [], (
        "may these hold a person? name the column user_id, owner_user or as it is, and list it in "
        "queries/privacy/columns.py"
    )


def test_a_type_in_which_a_person_may_hide_is_refused() -> None:
    for kind in ("VARCHAR[]", "STRUCT(a VARCHAR)", "MAP(VARCHAR, INTEGER)", "JSON", "BLOB"):
        with pytest.raises(ModelError, match="in which a person may hide"):
            is_text(kind, "marts.new.column")
    assert not is_text("DECIMAL(38,12)", "")
    assert not is_text("TIMESTAMP WITH TIME ZONE", "")


def test_a_mart_nobody_thought_of_is_covered_and_shows_nothing_to_a_limited_audience(
    build: Build, draw: type[Draw]
) -> None:
    built = build(company(draw))
    built.con.execute(
        "create or replace table marts.novel as select 'ada' as owner_user, 'x' as thing, "
        "'asked by ADA.W@acme.example' as remark, 1 as n"
    )
    novel = replace(model_of("marts.runs"), name="marts.novel", conserves=())
    marts = {
        **mart_columns(built.con),
        "marts.novel": {
            "owner_user": "VARCHAR",
            "thing": "VARCHAR",
            "remark": "VARCHAR",
            "n": "INTEGER",
        },
    }
    everybody = find_everybody(built.con, marts)
    create_people(built.con, everybody, HIDDEN)
    query = Masks(built.con, HIDDEN, marts).query_of(novel)
    ada = pseudonym(KEY, "ada")
    assert built.rows(query) == [(ada, "x", f"asked by {ada}", 1)]
    limited = View(audience="a", teams=frozenset(("vision",)))
    create_people(built.con, everybody, limited)
    assert built.rows(Masks(built.con, limited, marts).query_of(novel)) == []
    built.con.execute("drop table marts.novel")


COSTS = st.lists(
    st.tuples(
        st.sampled_from(["ada", "bob", "B.LEE", "cy", "stranger", None]),
        st.decimals(-1000, 1000, places=6),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=8,
)


VIEWS = st.builds(
    View,
    people=st.sampled_from(["names", "pseudonyms", "teams"]),
    teams=st.sampled_from([None, frozenset(("vision",)), frozenset(("vision", "search"))]),
    personal_from=st.sampled_from([None, DAY, DAY - timedelta(1), DAY - timedelta(2)]),
    key=st.just(KEY),
)


@settings(deadline=None, max_examples=25)
@given(costs=COSTS, view=VIEWS)
def test_sums_are_those_of_the_mart_in_every_view(
    build: Build,
    draw: type[Draw],
    costs: list[tuple[str | None, Decimal, int]],
    view: View,
) -> None:
    """Whoever may see whom, each day and dimension adds up to what it is."""
    lines = [
        draw.line(
            cost,
            resource_id="r",
            tags={"user": user} if user else {},
            charge_date=day,
            charge_period_start=draw.at(0, day),
            charge_period_end=draw.at(24, day),
        )
        for user, cost, back in costs
        for day in [draw.day - timedelta(back)]
    ]
    built = build(company(draw) | {"cost_lines": lines})
    sums = "charge_date, dimension, sum(effective_cost), sum(billed_cost)"
    of_mart = f"select {sums} from marts.spend_daily group by all order by all"
    masked, model = masks(built.con, view), model_of("marts.spend_daily")
    query = masked.query_of(model)
    assert built.rows(f"select {sums} from ({query}) group by all order by all") == built.rows(
        of_mart
    )
    keys = ", ".join(model.key)
    assert built.rows(f"select {keys} from ({query}) group by all having count(*) > 1") == []


def test_a_sum_that_is_off_is_told(build: Build, draw: type[Draw]) -> None:
    built = build(company(draw))
    masked, model = masks(built.con, HIDDEN), model_of("marts.spend_daily")
    query = masked.query_of(model)
    built.con.execute(f"create or replace temp table seen as {query} limit 3")
    with pytest.raises(ModelError, match=r"effective_cost of marts\.spend_daily is off"):
        masked.check(model, "seen")


def test_texts_lose_whole_words_only_and_the_longest_first() -> None:
    scrubber = Scrubber({"ada": "A", "ada.winter": "W", "Ada Winter": "W", "li": "L", "77": "N"})
    assert scrubber.clean("notebooks/ada") == "notebooks/A"
    assert scrubber.clean("ADA.WINTER-run ada2_x Ada Winter") == "W-run A2_x W"
    assert scrubber.clean("adamant canada li 77") == "adamant canada li 77"
    assert scrubber.changes(["plain", "of ada"]) == {"of ada": "of A"}


def test_a_pseudonym_needs_its_key() -> None:
    assert pseudonym(KEY, "ada") == pseudonym(KEY, "ada")
    assert pseudonym(KEY, "ada") != pseudonym(b"another", "ada")
    assert len({pseudonym(KEY, str(number)) for number in range(20_000)}) == 20_000
    assert KEY.decode() not in repr(View(key=KEY))
