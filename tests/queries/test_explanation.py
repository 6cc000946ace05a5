"""A figure is walked back to the bill, and every level adds up to the one above."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from queries import ModelError
from queries.engines.duckdb import Limits, connect, create_macros
from queries.explanation import Node, Question, as_text, explain
from queries.figures import Asked, figures_of
from queries.run_records import places_of, records_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from queries.engines.duckdb import Connection

DAY = date(2026, 10, 1)
QUESTION = Question("user", "ada", DAY, date(2026, 10, 31), "USD")
KEY = (
    "charge_date date, source varchar, billing_period date, billing_currency varchar, "
    "sub_account_id varchar, service_name varchar, region_id varchar, resource_id varchar, "
    "x_line_class varchar, x_from_region varchar, x_to_region varchar, "
)
TABLES = {
    "attribution.postings": KEY + "tag_user varchar, tag_team varchar, tag_project varchar, "
    "cost_kind varchar, method varchar, confidence varchar, run_id varchar, pod_id varchar, "
    "dataset varchar, dataset_version varchar, served_model varchar, model_version varchar, "
    "model varchar, user_raw varchar, user_rule varchar, team varchar, team_rule varchar, "
    "is_team_of_user boolean, project varchar, project_rule varchar, "
    "effective_cost decimal(38, 12), billed_cost decimal(38, 12)",
    "attribution.user_days": "charge_date date, user_raw varchar, user_id varchar, team varchar",
    "attribution.run_members": "charge_date date, run_id varchar, dimension varchar, "
    "member varchar, share_from double, share_to double, rule varchar",
    "attribution.run_versions": "charge_date date, run_id varchar, dimension varchar, "
    "member varchar, version varchar, share_from double, share_to double",
    "attribution.dataset_versions": "charge_date date, run_id varchar, dataset varchar, "
    "version varchar, share_from double, share_to double",
    "staging.cost_lines": KEY + "tags map(varchar, varchar), charge_description varchar, "
    "sku_meter varchar, effective_cost decimal(38, 12), billed_cost decimal(38, 12)",
    "marts.run_records": "run_id varchar, run_key varchar, system varchar, source varchar, "
    "native_id varchar, relation varchar, rule varchar, evidence varchar, confidence varchar",
    "attribution.run_stays": "run_id varchar, charge_date date, cluster varchar, "
    "namespace varchar, pod varchar, node varchar, instance_id varchar, "
    "gpu_count decimal(18, 6), started_at timestamp, ended_at timestamp",
    "published.marts.runs": "run_id varchar, native_id varchar, billing_currency varchar, "
    "effective_cost decimal(38, 12), billed_cost decimal(38, 12)",
    "published.marts.version_spend": "charge_date date, dimension varchar, member varchar, "
    "version varchar, billing_currency varchar, effective_cost decimal(38, 12), "
    "billed_cost decimal(38, 12)",
    "published.marts.spend_daily": "charge_date date, dimension varchar, member varchar, "
    "billing_currency varchar, effective_cost decimal(38, 12), billed_cost decimal(38, 12)",
}
COMMON = {
    "charge_date": DAY,
    "source": "aws",
    "billing_period": DAY,
    "billing_currency": "USD",
    "service_name": "Amazon Elastic Compute Cloud",
    "resource_id": "i-1",
    "x_line_class": "instance",
}
HELD = {
    **COMMON,
    "cost_kind": "direct",
    "method": "machine_share",
    "confidence": "high",
    "user_raw": "ada@acme",
    "user_rule": "run_tag",
    "is_team_of_user": True,
}


def insert(con: Connection, table: str, **row: Any) -> None:
    costs = {"effective_cost", "billed_cost"} & row.keys()
    if costs == {"effective_cost"}:
        row["billed_cost"] = row["effective_cost"]
    marks = ", ".join("?" for _ in row)
    con.execute(f"insert into {table} ({', '.join(row)}) values ({marks})", list(row.values()))


@pytest.fixture
def books() -> Iterator[Connection]:
    """One machine-day of 10: ada's two runs, one of them for two models, bob's, and idle."""
    con = connect(Limits(threads=1))
    create_macros(con, {key: [key] for key in ("user", "team", "project")})
    con.execute("attach ':memory:' as published")
    for schema in ("attribution", "staging", "marts", "published.marts"):
        con.execute(f"create schema {schema}")
    for table, columns in TABLES.items():
        con.execute(f"create table {table} ({columns})")
    insert(con, "attribution.user_days", charge_date=DAY, user_raw="ada@acme", user_id="ada")
    postings = "attribution.postings"
    insert(con, postings, **HELD, run_id="r1", effective_cost="3.000000000001")
    insert(con, postings, **HELD, run_id="r2", effective_cost="2")
    bobs = HELD | {"user_raw": "bob", "run_id": "r3"}
    insert(con, postings, **bobs, effective_cost="1")
    insert(
        con,
        postings,
        **COMMON,
        cost_kind="idle",
        method="machine_share",
        confidence="high",
        is_team_of_user=False,
        effective_cost="3.999999999999",
    )
    for model, share_from, share_to in (("a", 0.0, 0.333333333333), ("b", 0.333333333333, 1.0)):
        insert(
            con,
            "attribution.run_members",
            charge_date=DAY,
            run_id="r1",
            dimension="model",
            member=model,
            share_from=share_from,
            share_to=share_to,
            rule="registered",
        )
    for _ in range(4):
        insert(
            con,
            "staging.cost_lines",
            **COMMON,
            charge_description="p4d by the hour",
            effective_cost="2.5",
        )
    for dimension, member, cost in (
        ("user", "ada", "5.000000000001"),
        ("user", "bob", "1"),
        ("user", "(idle)", "3.999999999999"),
        ("model", "a", "0.999999999999"),
        ("model", "b", "2.000000000002"),
        ("model", "not a model's", "3"),
    ):
        insert(
            con,
            "published.marts.spend_daily",
            charge_date=DAY,
            dimension=dimension,
            member=member,
            billing_currency="USD",
            effective_cost=cost,
        )
    for run_id, native_id, cost in (
        ("r1", "abc-1", "3.000000000001"),
        ("r2", "abc-2", "2"),
        ("r3", "again", "1"),
        ("r4", "again", "0"),
    ):
        currency = None if run_id == "r4" else "USD"
        row = {"run_id": run_id, "native_id": native_id, "billing_currency": currency}
        insert(con, "published.marts.runs", **row, effective_cost=cost)
        record = {"run_id": run_id, "run_key": run_id, "system": "mlflow", "relation": "same"}
        insert(con, "marts.run_records", **record, native_id=native_id)
    record = {"run_id": "r1", "run_key": "s1", "system": "slurm", "relation": "same"}
    insert(con, "marts.run_records", **record, native_id="77", evidence="tag slurm_job_id")
    record = {"run_id": "r1", "run_key": "r2", "system": "airflow", "relation": "parent"}
    insert(con, "marts.run_records", **record, native_id="task")
    yield con
    con.close()


def levels(node: Node) -> list[tuple[str, Decimal]]:
    """Return labels and costs from the figure to the bill, along the dearest."""
    found = [(node.label, node.cost)]
    while node.children:
        node = node.children[0]
        found.append((node.label, node.cost))
    return found


def test_a_figure_goes_by_rules_runs_and_resources_to_the_bill_lines(books: Connection) -> None:
    tree = explain(books, QUESTION)

    assert tree.closes()
    assert levels(tree) == [
        (
            "user ada, 2026-10-01 to 2026-10-31, effective_cost, USD",
            Decimal("5.000000000001"),
        ),
        (
            "direct: owner by run_tag, cut by machine_share (confidence high)",
            Decimal("5.000000000001"),
        ),
        ("run r1", Decimal("3.000000000001")),
        ("i-1, Amazon Elastic Compute Cloud, instance", Decimal("3.000000000001")),
        ("p4d by the hour (4 lines, 2026-10-01)", Decimal(10)),
    ]


@pytest.mark.parametrize(
    ("dimension", "member"),
    [
        ("user", "ada"),
        ("user", "bob"),
        ("user", "(idle)"),
        ("model", "a"),
        ("model", "b"),
        ("model", "not a model's"),
    ],
)
@pytest.mark.parametrize("measure", ["effective_cost", "billed_cost"])
def test_every_figure_closes_at_every_level(
    books: Connection, dimension: str, member: str, measure: Any
) -> None:
    question = replace(QUESTION, dimension=dimension, member=member, measure=measure)

    assert explain(books, question).closes()


def test_a_share_of_a_run_is_shown_as_part_of_the_whole_run(books: Connection) -> None:
    tree = explain(books, replace(QUESTION, dimension="model", member="a"))

    run = tree.children[0].children[0]
    assert (run.label, run.cost, run.whole) == (
        "run r1, 33.3333% of it",
        Decimal("0.999999999999"),
        Decimal("3.000000000001"),
    )


def test_a_published_figure_that_postings_do_not_give_is_shown(books: Connection) -> None:
    books.execute("update published.marts.spend_daily set effective_cost = 6 where member = 'ada'")

    tree = explain(books, QUESTION)

    assert tree.difference == Decimal("0.999999999999")
    assert not tree.closes()
    assert "DIFFERENCE 0.999999999999" in as_text(tree).splitlines()[0]


def test_a_bill_line_that_was_lost_is_shown(books: Connection) -> None:
    books.execute("delete from staging.cost_lines where rowid = 0")

    tree = explain(books, QUESTION)

    assert not tree.closes()
    assert "part of 10.00 ≠ 3 bill lines: DIFFERENCE 2.5" in as_text(tree)


def test_what_is_not_shown_is_summed_so_that_levels_still_add_up(books: Connection) -> None:
    tree = explain(books, replace(QUESTION, top=1))

    runs = tree.children[0]
    assert [child.label for child in runs.children] == ["run r1", "1 more"]
    assert runs.count == 2
    assert tree.closes()


def test_the_text_shows_the_check_of_every_level(books: Connection) -> None:
    lines = as_text(explain(books, replace(QUESTION, top=1))).splitlines()

    assert lines == [
        (
            "5.000000000001  user ada, 2026-10-01 to 2026-10-31, effective_cost, USD"
            "  [= 1 rule, difference 0]"
        ),
        (
            "└─ 5.000000000001  direct: owner by run_tag, cut by machine_share (confidence high)"
            "  [= 2 runs, difference 0]"
        ),
        "   ├─ 3.000000000001  run r1  [= 1 resource, difference 0]",
        (
            "   │  └─ 3.000000000001  i-1, Amazon Elastic Compute Cloud, instance"
            "  [part of 10.00 = 4 bill lines, difference 0]"
        ),
        "   │     └─ 10.00  p4d by the hour (4 lines, 2026-10-01)",
        "   └─ 2.00  1 more",
    ]


def test_the_json_keeps_every_digit(books: Connection) -> None:
    tree = json.loads(json.dumps(explain(books, QUESTION).as_json()))

    assert tree["cost"] == "5.000000000001"
    assert tree["difference"] == "0.000000000000"
    assert tree["children"][0]["children"][0]["children"][0]["of"] == "10.000000000000"


def test_a_hostile_name_does_not_reach_the_terminal(books: Connection) -> None:
    books.execute("update attribution.postings set run_id = 'r\x1b[2J' where run_id = 'r1'")

    assert "\x1b" not in as_text(explain(books, QUESTION))


def test_a_member_without_cost_is_an_error_with_the_next_step(books: Connection) -> None:
    with pytest.raises(ModelError, match='user "eve" has no cost in USD') as refused:
        explain(books, replace(QUESTION, member="eve"))

    assert any("--named leaderboard" in note for note in refused.value.__notes__)


@pytest.mark.parametrize("given", ["r1", "abc-1", "77", "slurm:77"])
def test_a_run_is_walked_to_its_bill_lines_by_any_of_its_ids(given: str, books: Connection) -> None:
    (figure,) = figures_of(books, Asked("run", given))
    tree = explain(
        books,
        Question("run", figure.member, figure.from_date, figure.to_date, figure.billing_currency),
    )

    assert figure.bills == [("aws", "2026-10")]
    assert tree.closes()
    assert [cost for _, cost in levels(tree)] == [
        *[Decimal("3.000000000001")] * 4,
        Decimal(10),
    ]
    assert "owner by run_tag, cut by machine_share (confidence high)" in as_text(tree)
    assert "part of 10.00 = 4 bill lines, difference 0" in as_text(tree)


def test_a_run_whose_postings_are_not_its_figure_is_shown(books: Connection) -> None:
    books.execute("update published.marts.runs set effective_cost = 4 where run_id = 'r1'")
    tree = explain(books, replace(QUESTION, dimension="run", member="r1"))

    assert not tree.closes()
    assert tree.difference == Decimal("0.999999999999")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("abc-3", 'there is no run "abc-3"; did you mean "abc-1"?'),
        ("zzzzzz", 'there is no run "zzzzzz"\nin:'),
        ("again", '2 runs are called "again"'),
        ("r4", 'no bill shows the run "r4"'),
    ],
)
def test_a_run_that_cannot_be_explained_says_why(given: str, said: str, books: Connection) -> None:
    with pytest.raises(ModelError, match=re.escape(said)) as refused:
        figures_of(books, Asked("run", given))

    assert any(note.startswith("fix:") for note in refused.value.__notes__)


def test_a_run_is_told_with_its_records_and_places(books: Connection) -> None:
    """Its own records come first, then what started it; a place is one row for all its days."""
    for day, hour in ((DAY, 23), (date(2026, 10, 2), 0)):
        start = datetime(day.year, day.month, day.day, hour)  # noqa: DTZ001 - UTC, as stored
        stay = {"run_id": "r1", "charge_date": day, "pod": "p", "gpu_count": 8}
        end = start + timedelta(hours=1)
        insert(books, "attribution.run_stays", **stay, started_at=start, ended_at=end)

    records = records_of(books, "r1").as_json()
    assert [(row["relation"], row["system"]) for row in records] == [
        ("same", "mlflow"),
        ("same", "slurm"),
        ("parent", "airflow"),
    ]
    assert records[1]["evidence"] == "tag slurm_job_id"
    (place,) = places_of(books, "r1").as_json()
    assert (place["pod"], place["first_at"], place["last_at"]) == (
        "p",
        "2026-10-01 23:00:00",
        "2026-10-02 01:00:00",
    )
