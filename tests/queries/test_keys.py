"""A key that two rows share is found, whatever it is made of, and one that none share passes."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queries import ModelError
from queries.catalog import models
from queries.checks import check_model
from queries.engines.duckdb import Limits, connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from queries.engines.duckdb import Connection

RECORDS = next(model for model in models() if model.name == "marts.run_records")
TEXTS = st.none() | st.sampled_from(("", "a", "b", "ab", "\0"))


@pytest.fixture(scope="module")
def con() -> Iterator[Connection]:
    with connect(Limits(threads=1)) as con:
        con.execute("create schema marts")
        con.execute("create table marts.run_records (run_id text, run_key text, relation text)")
        yield con


@given(rows=st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=12))
def test_two_rows_of_one_key_are_found(con: Connection, rows: list[tuple[str | None, ...]]) -> None:
    con.execute("delete from marts.run_records")
    for row in rows:
        con.execute("insert into marts.run_records values (?, ?, ?)", row)
    shared = len(set(rows)) < len(rows)

    with pytest.raises(ModelError, match="rows for one key") if shared else nullcontext():
        check_model(con, RECORDS)
