"""The cookbook: every file is a query with a title, typed parameters and an answer."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from queries import ModelError
from queries.generation import newest_generation
from queries.named import cookbook, named_query, parse_query
from queries.read import open_generation, run_named

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLE = """-- What a row is about,
-- in one sentence.
--
-- More words.
--
-- grain: one row
-- param: dimension = 'team'  -- which one
-- param: top = 5             -- how many
-- param: least = 0.25        -- a share
-- param: from_date = null    -- a day

select $dimension, $top, $least, $from_date
"""


def test_a_header_gives_title_note_and_typed_defaults() -> None:
    query = parse_query("example", EXAMPLE)

    assert query.title == "What a row is about, in one sentence."
    assert query.note == "More words."
    assert query.bind({}) == {
        "dimension": "team",
        "top": 5,
        "least": Decimal("0.25"),
        "from_date": None,
    }


def test_text_from_a_command_line_becomes_the_type_of_the_default() -> None:
    bound = parse_query("example", EXAMPLE).bind({"dimension": "7", "top": "9", "least": "0.5"})

    assert bound == {"dimension": "7", "top": 9, "least": Decimal("0.5"), "from_date": None}


def test_a_number_that_is_none_is_refused_with_the_meaning() -> None:
    with pytest.raises(ModelError, match='top of example is "many"') as refused:
        parse_query("example", EXAMPLE).bind({"top": "many"})

    assert "fix: top: how many" in refused.value.__notes__


def test_a_choice_that_would_answer_nothing_is_refused_with_the_nearest() -> None:
    query = named_query("leaderboard")
    query.check({"dimension": "team", "from_date": "2026-10-01"})
    with pytest.raises(ModelError, match='dimension of leaderboard is "teem"; did you mean "team"'):
        query.check({"dimension": "teem"})


@pytest.mark.parametrize("name", [one.name for one in cookbook().values()])
def test_a_dimension_has_its_choices_listed(name: str) -> None:
    for param in named_query(name).params:
        if param.name in {"dimension", "measure"}:
            assert len(param.choices) > 1


def test_a_parameter_that_does_not_exist_is_refused_with_the_nearest() -> None:
    with pytest.raises(ModelError, match='no parameter "tops"; did you mean "top"'):
        parse_query("example", EXAMPLE).bind({"tops": "3"})


def test_a_query_that_does_not_exist_is_refused_with_the_nearest() -> None:
    with pytest.raises(ModelError, match='no query "leaderbord"; did you mean "leaderboard"'):
        named_query("leaderbord")


@pytest.mark.parametrize("name", sorted(cookbook()))
def test_every_query_says_what_a_row_is_and_what_each_parameter_means(name: str) -> None:
    query = cookbook()[name]

    assert query.title.endswith(".")
    assert all(param.meaning for param in query.params)
    assert all(f"${param.name}" in query.sql for param in query.params)


@pytest.mark.parametrize("name", sorted(cookbook()))
def test_every_query_answers_in_a_stated_order(generation: Path, name: str) -> None:
    with open_generation(generation) as con:
        columns, rows = run_named(con, name, {})
        again = run_named(con, name, {})

    assert len(set(columns)) == len(columns)
    assert rows
    assert again == (columns, rows)


@pytest.mark.parametrize("dimension", ["user", "team", "project", "model", "dataset", "service"])
def test_a_leaderboard_adds_up_to_the_bill(generation: Path, dimension: str) -> None:
    whole = {"dimension": dimension, "from_date": "2026-08-01", "to_date": "2026-11-30"}
    with open_generation(generation) as con:
        columns, rows = run_named(con, "leaderboard", whole)
        _, books = run_named(con, "books_proof", {"dimension": dimension})

    place, cost = columns.index("billing_currency"), columns.index("effective_cost")
    for currency in ("EUR", "USD"):
        spent = sum(row[cost] for row in rows if row[place] == currency)  # type: ignore[misc]
        assert spent == sum(row[2] for row in books if row[1] == currency)  # type: ignore[misc]


def test_the_trend_adds_up_to_the_leaderboard(generation: Path) -> None:
    with open_generation(generation) as con:
        _, days = run_named(con, "trend_daily", {"top": "2"})
        columns, rows = run_named(con, "leaderboard", {"dimension": "team"})

    cost = columns.index("effective_cost")
    assert sum(row[4] for row in days) == sum(row[cost] for row in rows)  # type: ignore[misc]
    assert {row[2] for row in days} >= {"(idle)", "(others)", "unattributed"}


def test_the_pointer_names_the_newest_generation(tmp_path: Path) -> None:
    folder = tmp_path / "generations"
    folder.mkdir()
    (folder / "000007.duckdb").touch()
    (folder / "current").write_text("000007\n")

    assert newest_generation(tmp_path) == folder / "000007.duckdb"


def test_before_the_first_night_the_error_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no generation is published yet") as refused:
        newest_generation(tmp_path)

    assert any("mlspend nightly" in note for note in refused.value.__notes__)


@pytest.mark.parametrize("pointer", ["000009", "../../etc/passwd", ""])
def test_a_pointer_to_nothing_is_named(tmp_path: Path, pointer: str) -> None:
    folder = tmp_path / "generations"
    folder.mkdir()
    (folder / "current").write_text(pointer)

    with pytest.raises(ModelError, match="which is not there"):
        newest_generation(tmp_path)
