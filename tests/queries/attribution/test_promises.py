"""Models that promise to conserve sums keep it, by other arithmetic than the night's, and break it.

The night proves each promise by SQL; here plain Python adds up the rows of both tables, for any
world, and a promise that was broken on purpose, by the least amount that money has, must be seen.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings

from queries import ModelError
from queries.catalog import models
from queries.checks import check_model
from tests.queries.attribution.conftest import Warehouse
from tests.queries.attribution.test_conservation import CASES
from tests.queries.attribution.worlds import policies, tables_of, worlds
from tests.queries.bills import EXACT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from queries.catalog import Conserves, Model
    from tests.queries.attribution.conftest import Build, Draw

PROMISES = [
    (model, promise)
    for model in models()
    if model.layer != "staging"
    for promise in model.conserves
]
LEAST = "0.000000000001"


def sums(built: Warehouse, table: str, promise: Conserves) -> dict[tuple[Any, ...], list[Decimal]]:
    """Add up a table's rows one by one; keys whose sums are all 0 count for nothing."""
    columns = ", ".join((*promise.keys, *promise.columns))
    width = len(promise.keys)
    found: dict[tuple[Any, ...], list[Decimal]] = defaultdict(
        lambda: [Decimal(0)] * len(promise.columns)
    )
    for row in built.rows(f"select {columns} from {table}"):
        before = found[row[:width]]
        found[row[:width]] = [
            EXACT.add(total, cost or Decimal(0))
            for total, cost in zip(before, row[width:], strict=True)
        ]
    return {key: totals for key, totals in found.items() if any(totals)}


@settings(CASES, max_examples=5)
@given(world=worlds, policy=policies)
def test_every_promise_is_kept_to_the_last_digit(
    build: Build, draw: type[Draw], world: dict[str, Any], policy: dict[str, Any]
) -> None:
    built = build(tables_of(world, draw), **policy)
    for model, promise in PROMISES:
        ours, theirs = sums(built, model.name, promise), sums(built, promise.table, promise)
        assert ours == theirs, model.name


@pytest.fixture(scope="module")
def closed(draw: type[Draw]) -> Iterator[Warehouse]:
    """Return a warehouse of its own, with a reporting currency, in which every promise is kept."""
    warehouse = Warehouse(threads=1)
    lines = [draw.machine(7, tags={"team": "vision"}), draw.line(3)]
    rate = {"rate_date": draw.day, "from_currency": "EUR", "to_currency": "USD", "rate": "1.25"}
    reporting = [{"currency": "EUR"}]
    warehouse.fill({"cost_lines": lines, "exchange_rates": [rate], "raw.reporting": reporting})
    warehouse.build()
    yield warehouse
    warehouse.con.close()


@pytest.mark.parametrize(("model", "promise"), PROMISES, ids=[model.name for model, _ in PROMISES])
def test_a_promise_broken_by_the_least_amount_is_seen(
    closed: Warehouse, model: Model, promise: Conserves
) -> None:
    for column in promise.columns:
        of_first_row = f"where rowid = (select min(rowid) from {model.name})"
        check_model(closed.con, model)
        closed.con.execute(f"update {model.name} set {column} = {column} + {LEAST} {of_first_row}")
        with pytest.raises(ModelError, match=f"{column} of {model.name} is"):
            check_model(closed.con, model)
        closed.con.execute(f"update {model.name} set {column} = {column} - {LEAST} {of_first_row}")


def test_a_key_that_two_rows_have_is_seen(closed: Warehouse) -> None:
    """Of any model with rows, also where a part of the key is null."""
    seen: set[bool] = set()
    for model in models():
        is_looked_at = model.key and not (model.unique and model.unique <= set(model.key))
        if model.layer == "staging" or not is_looked_at or not closed.rows(f"from {model.name}"):
            continue
        first, last = f"select min(rowid) from {model.name}", f"select max(rowid) from {model.name}"
        has_null = " or ".join(f"{column} is null" for column in model.key)
        seen |= {row[0] for row in closed.rows(f"select {has_null} from {model.name}")}
        closed.con.execute(
            f"insert into {model.name} select * from {model.name} where rowid = ({first})"
        )
        with pytest.raises(ModelError, match=f"{model.name} has 2 rows for one key"):
            check_model(closed.con, model)
        closed.con.execute(f"delete from {model.name} where rowid = ({last})")
        check_model(closed.con, model)
    assert seen == {True, False}
