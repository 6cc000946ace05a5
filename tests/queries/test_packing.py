"""What lake files of bill lines leave out comes back as it was."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import connector_class
from queries.catalog import HOME, read_model
from queries.engines.duckdb import Connection, Limits, connect, create_macros, create_seeds
from queries.lake import StoredTable, write
from queries.packing import ALIKE, MAPS, Packing, proven
from queries.raw import create_raw_view
from queries.shapes import constants_in, shape_of
from queries.stage import Stager
from tests.queries.bills import land

if TYPE_CHECKING:
    from collections.abc import Iterator

COSTS = ("billed_cost", "effective_cost", "list_cost", "contracted_cost")
LINES: list[list[object]] = [
    ["2026-10-01", "1", "1", "1", "1"],
    ["2026-10-01", "-1.000000000001", None, "2", "-1"],
    ["2026-10-02", None, None, "3", "0"],
    ["2026-10-02", "99999999999999999999999999.999999999999", "0", "0", None],
]


@pytest.fixture
def con() -> Iterator[Connection]:
    connection = connect(Limits(threads=1))
    yield connection
    connection.close()


def show_lines(con: Connection) -> None:
    costs = ", ".join(f"cast({cost} as decimal(38, 12)) as {cost}" for cost in COSTS)
    con.execute(f"create table written (charge_date date, {' varchar, '.join(COSTS)} varchar)")
    con.executemany("insert into written values (?, ?, ?, ?, ?)", LINES)
    con.execute(
        f"create view lines as select charge_date, {costs}, 'it''s' as source, "
        "cast(null as varchar) as resource_name, billed_cost as sku_id from written"
    )


@pytest.mark.parametrize("days", [None, ["2026-10-02"]])
def test_rows_come_back_as_they_were(
    con: Connection, tmp_path: Path, days: list[str] | None
) -> None:
    show_lines(con)
    packing = Packing({"source": "it's", "resource_name": None}, ALIKE)
    file = write(con, "select * from lines", tmp_path, "a.parquet", packing)
    assert file is not None
    table = StoredTable.from_json(StoredTable([file]).as_json())
    columns = "charge_date, billed_cost, effective_cost, list_cost, contracted_cost, source, "
    columns += "resource_name, sku_id"
    wanted = "" if days is None else "where charge_date = '2026-10-02'"
    query = f"select {columns} from ({{}}) order by sku_id"
    there = con.execute(query.format(table.scan(tmp_path, days)))
    types, rows = there.description, there.fetchall()
    meant = con.execute(query.format(f"select * from lines {wanted}"))
    assert (types, rows) == (meant.description, meant.fetchall())
    held = con.execute(f"describe from '{tmp_path / 'a.parquet'}'").fetchall()
    assert [row[0] for row in held] == ["charge_date", *COSTS, "sku_id"]
    kept = con.execute(f"select count(effective_cost) from '{tmp_path / 'a.parquet'}'").fetchone()
    assert kept == (3,), "a cost that equals the other is not written"


def test_files_that_are_packed_otherwise_stand_in_one_table(
    con: Connection, tmp_path: Path
) -> None:
    show_lines(con)
    table = StoredTable()
    for day, packing in {
        "2026-10-01": Packing({"source": "it's", "resource_name": None}, ALIKE),
        "2026-10-02": Packing(),
    }.items():
        query = f"select * from lines where charge_date = '{day}'"
        file = write(con, query, tmp_path, f"{day}.parquet", packing)
        assert file is not None
        table.files.append(file)
    ordered = "select source, list_cost, sku_id from ({}) order by all"
    assert (
        con.execute(ordered.format(table.scan(tmp_path))).fetchall()
        == con.execute(ordered.format("select * from lines")).fetchall()
    )


def test_what_differs_in_any_line_is_no_constant(con: Connection) -> None:
    con.execute(
        "create table lines as select 'a' as one, if(range = 9000, 'b', 'a') as other, "
        "if(range = 9001, null, 'a') as gap, cast(null as varchar) as nothing, "
        "if(range = 7, 'a', null) as something from range(10000)"
    )
    guesses = {"one": "a", "other": "a", "gap": "a", "nothing": None, "something": None}
    assert proven(con, "lines", guesses) == {"one": "a", "nothing": None}


def test_statistics_tell_what_is_the_same_in_all_files(con: Connection, tmp_path: Path) -> None:
    for file, account in {"a": "1", "b": "2"}.items():
        pl.DataFrame(
            {
                "currency": ["USD", "USD"],
                "account": [account, account],
                "gap": ["x", None],
                "nothing": pl.Series([None, None], dtype=pl.Float64),
                "odd": ["a\\x00\u00e9", "a\\x00\u00e9"],
                "quoted": ["it's", "it's"],
                "number": [1.0, 1.0],
                "nested": pl.Series([{"a": "x"}, {"a": "x"}]),
            }
        ).write_parquet(tmp_path / f"{file}.parquet")
    delivery = land("aws_cur", [tmp_path / "a.parquet", tmp_path / "b.parquet"])
    shape = shape_of(con, delivery.files[0])
    assert constants_in(con, shape, delivery.files) == {
        '"currency"': "'USD'",
        '"quoted"': "'it''s'",
        '"nothing"': "cast(null as DOUBLE)",
    }


def test_files_without_statistics_are_read(con: Connection, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"currency": ["USD", "USD"]}).write_parquet(path, statistics=False)
    delivery = land("aws_cur", [path])
    assert constants_in(con, shape_of(con, delivery.files[0]), delivery.files) == {}


def bill(path: Path, payer: str, invoices: list[str]) -> Path:
    lines = len(invoices)
    pl.DataFrame(
        {
            "bill_payer_account_id": [payer] * lines,
            "bill_invoice_id": invoices,
            "line_item_line_item_type": ["Usage"] * lines,
            "line_item_usage_start_date": ["2026-10-01T00:00:00Z"] * lines,
            "line_item_usage_end_date": ["2026-10-01T01:00:00Z"] * lines,
            "line_item_unblended_cost": [1.5 + line for line in range(lines)],
            "line_item_currency_code": ["USD"] * lines,
            "line_item_product_code": ["AmazonEC2"] * lines,
            "line_item_usage_type": ["BoxUsage:p4d.24xlarge"] * lines,
        }
    ).write_parquet(path)
    return path


def test_a_bill_is_kept_without_what_all_its_lines_say(con: Connection, tmp_path: Path) -> None:
    create_macros(con, {})
    create_seeds(con)
    table = connector_class("aws_cur").tables[0]
    model = read_model(HOME / "staging" / "aws_cur__line_items.sql")
    stager = Stager(con, model, model.sql, "aws_cur", table, tmp_path / "lake", lambda _: None)
    first = bill(tmp_path / "a.parquet", "000000000001", ["1", "1"])
    second = bill(tmp_path / "b.parquet", "000000000001", ["1", "2"])
    delivery = land("aws_cur", [first, second])
    (group,) = stager.stage([delivery], {}).values()
    (file,) = group.table.files
    assert file.packing.constants == {
        "source": "acme",
        "billing_currency": "USD",
        "billing_account_id": "000000000001",
        "billing_account_name": None,
        "service_provider_name": "AWS",
        "host_provider_name": "AWS",
        "resource_name": None,
    }
    create_raw_view(con, "aws_cur", table, [delivery])
    columns = "source, invoice_id, billing_account_name, billed_cost, effective_cost, list_cost"
    rows = con.execute(
        f"select {columns} from ({group.table.scan(tmp_path / 'lake')}) order by 2, 4"
    )
    found = rows.fetchall()
    assert found == con.execute(f"select {columns} from staged order by 2, 4").fetchall()
    cost = Decimal("2.5")
    assert found[-1] == ("acme", "2", None, cost, cost, cost)


def test_a_month_that_is_delivered_again_unchanged_is_not_written_again(
    con: Connection, tmp_path: Path
) -> None:
    create_macros(con, {})
    create_seeds(con)
    table = connector_class("aws_cur").tables[0]
    model = read_model(HOME / "staging" / "aws_cur__line_items.sql")
    stager = Stager(con, model, model.sql, "aws_cur", table, tmp_path / "lake", lambda _: None)
    before = stager.stage([land("aws_cur", [bill(tmp_path / "a.parquet", "1", ["1", "1"])])], {})
    paths = [file.path for group in before.values() for file in group.table.files]
    again = [bill(tmp_path / f"{part}.parquet", "1", ["1"]) for part in ("a", "b")]
    pl.read_parquet(again[1]).with_columns(line_item_unblended_cost=2.5).write_parquet(again[1])
    after = stager.stage([land("aws_cur", again)], before)
    assert [file.path for group in after.values() for file in group.table.files] == paths


ODD = ("", "NULL", "null", '"', "'", "\\", "\\u0041", "\x00", "\x1f", "{", "a/b~c", " 1 ")


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.none() | st.dictionaries(st.sampled_from(ODD) | st.text(), st.none() | st.text()),
        min_size=1,
    )
)
def test_maps_come_back_as_they_were(found: list[dict[str, str | None] | None]) -> None:
    with connect(Limits(threads=1)) as con, TemporaryDirectory() as lake:
        con.execute(
            "create table lines (place integer, charge_date date, tags map(varchar, varchar))"
        )
        con.executemany(
            "insert into lines values (?, '2026-10-01', map(?::varchar[], ?::varchar[]))",
            [
                [place, None, None] if tags is None else [place, [*tags], [*tags.values()]]
                for place, tags in enumerate(found)
            ],
        )
        packing = Packing(as_text=MAPS)
        file = write(con, "select * from lines", Path(lake), "a.parquet", packing)
        assert file is not None
        table = StoredTable.from_json(StoredTable([file]).as_json())
        ordered = "select place, tags, map_keys(tags), map_values(tags) from ({}) order by place"
        there = con.execute(ordered.format(table.scan(Path(lake)))).fetchall()
        assert there == con.execute(ordered.format("from lines")).fetchall()
        assert [row[1] for row in there] == found


def test_of_a_key_that_comes_twice_the_first_counts(con: Connection, tmp_path: Path) -> None:
    twice = pa.array(
        [[("team", "a"), ("user", None), ("team", "b")]], pa.map_(pa.string(), pa.string())
    )
    day = pa.array([date(2026, 10, 1)])
    pq.write_table(pa.table({"charge_date": day, "tags": twice}), tmp_path / "raw.parquet")
    query = f"select * from '{tmp_path / 'raw.parquet'}'"
    file = write(con, query, tmp_path, "a.parquet", Packing(as_text=MAPS))
    assert file is not None
    assert con.execute(f"select tags from ({file.rows(tmp_path)})").fetchall() == [
        ({"team": "a", "user": None},)
    ]
