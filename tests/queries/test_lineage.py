"""Where columns come from: read out of the SQL, down to what sources deliver."""

from __future__ import annotations

import json
from io import StringIO

import pytest

from jobs.tracing import lineage_of, print_lineage
from queries import ModelError
from queries.catalog import SEEN_BESIDE
from queries.lineage import Column, Lineage, columns_of, schema_of, scope_of

TABLES = {"a.t": {"x": "int", "y": "int"}, "a.u": {"x": "int", "z": "int"}}


@pytest.fixture(scope="module")
def lineage() -> Lineage:
    """Return the lineage of the whole warehouse."""
    return lineage_of()


def origins(sql: str, name: str) -> set[str]:
    """Return what a column of a select over two small tables is computed from."""
    schema = schema_of(TABLES)
    return {str(column) for column in columns_of(name, scope_of(sql, schema), schema)}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select x + y as n from a.t", {"a.t.x", "a.t.y"}),
        ("select t.x as n from a.t inner join a.u using (x) where u.z > 0", {"a.t.x"}),
        ("with s as (select * from a.u) select max(z) as n from s", {"a.u.z"}),
        ("select 1 as n from a.t", set()),
        ("select x as n from a.t union all select z as n from a.u", {"a.t.x", "a.u.z"}),
        (
            "select 1 as m, x as n from a.t union all by name select z as n from a.u",
            {"a.t.x", "a.u.z"},
        ),
        (
            "from ((select y, x as n from a.t) union all by name select 2 as n, z as y from a.u)",
            {"a.t.x"},
        ),
        ("select cut(x, 0, y) as n from a.t", {"a.t.x", "a.t.y"}),
    ],
)
def test_a_column_comes_from_what_its_value_is_computed_from(sql: str, expected: set[str]) -> None:
    assert origins(sql, "n") == expected


def test_every_column_of_every_model_can_be_followed(lineage: Lineage) -> None:
    for model in lineage.models:
        for name in lineage.shapes.get(model.name, ()):
            for origin in lineage.origins(Column(model.name, name)):
                known = lineage.shapes.get(origin.table, {origin.name: ""})
                assert origin.name in {**known, **SEEN_BESIDE}, origin


def test_every_column_of_the_marts_comes_from_something_but_constants_and_counts(
    lineage: Lineage,
) -> None:
    columns = [
        Column(model.name, name)
        for model in lineage.models
        if model.layer == "marts"
        for name in lineage.shapes.get(model.name, ())
    ]
    from_nothing = {column for column in columns if not lineage.sources(column)}
    of_many = {column for column in from_nothing if column.name in ("dimension", "depth")}
    assert {str(column) for column in from_nothing - of_many} == {
        "marts.list_prices.provider",
        "marts.run_records.relation",
        "marts.runs.model_rule",
        "marts.training_jobs.run_count",
        "marts.unknown_names.run_count",
    }
    assert len(columns) > 20 * len(of_many)


@pytest.mark.parametrize(
    "text",
    [
        "marts.books.attributed",
        "marts.findings.monthly_waste",
        "marts.quotas.used_amount",
        "marts.runs.effective_cost",
        "marts.spend_daily.effective_cost",
        "marts.training_jobs.effective_cost",
    ],
)
def test_every_cost_that_is_shown_comes_from_the_columns_of_bills(
    lineage: Lineage, text: str
) -> None:
    found = {str(column) for column in lineage.sources(lineage.of(text))}
    assert "raw.aws_cur__line_items.line_item_unblended_cost" in found
    assert "raw.focus__cost_and_usage.effective_cost" in found


def test_what_the_books_call_billed_shares_nothing_with_attribution(lineage: Lineage) -> None:
    tables = {column.table for column in lineage.sources(lineage.of("marts.books.billed"))}
    assert tables == {"raw.totals"}


def test_other_sources_are_left_out_where_a_company_does_not_have_them() -> None:
    out = StringIO()
    print_lineage("staging.cost_lines.effective_cost", {"focus"}, 3, out, as_json=False)
    assert out.getvalue() == (
        "staging.cost_lines.effective_cost"
        "  -- amortised: commitments spread over what they cover\n"
        "  staging.focus__cost_and_usage.effective_cost\n"
        "    raw.focus__cost_and_usage.effective_cost\n"
        "\n"
        "in the end from\n"
        "  raw.focus__cost_and_usage: effective_cost\n"
    )

    out = StringIO()
    print_lineage("staging.cost_lines.effective_cost", {"focus"}, 0, out, as_json=True)
    assert json.loads(out.getvalue())["from"] == {
        "staging.cost_lines.effective_cost": ["staging.focus__cost_and_usage.effective_cost"],
        "staging.focus__cost_and_usage.effective_cost": [
            "raw.focus__cost_and_usage.effective_cost"
        ],
        "raw.focus__cost_and_usage.effective_cost": [],
    }


def test_a_column_that_is_not_there_is_told_with_those_that_are(lineage: Lineage) -> None:
    with pytest.raises(ModelError, match=r"marts\.runs has no column cost") as error:
        lineage.of("marts.runs.cost")
    assert any("effective_cost" in note for note in error.value.__notes__)
    with pytest.raises(ModelError, match=r"there is no table marts\.run"):
        lineage.of("marts.run.cost")
    with pytest.raises(ModelError, match="runs is no column of a table"):
        lineage.of("runs")
    assert lineage.of("runs.effective_cost") == lineage.of("marts.runs.effective_cost")
