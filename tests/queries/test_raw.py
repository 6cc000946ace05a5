"""Raw files read as typed tables, by declared columns alone."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queries import ModelError
from queries.engines.duckdb import Connection, Error, Limits, connect, reading_text
from queries.landed import Landed, LandedFile
from queries.raw import create_raw_view, find_bad_value, undeclared_columns
from queries.raw_values import expression

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


@dataclass(frozen=True)
class Bill:
    """A table as a connector would declare it."""

    name: str = "lines"
    columns: Mapping[str, str] = field(
        default_factory=lambda: {
            "cost": "number",
            "account": "text",
            "started_at": "time",
            "tags": "tags",
        }
    )
    maps: Mapping[str, str] = field(default_factory=lambda: {"tags": "tag:"})
    rename: Callable[[str], str] | None = None
    aliases: Mapping[str, Sequence[str]] = field(default_factory=dict)
    of_file: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    month_first: bool = False
    null_marks: Sequence[str] = ("", "NULL")
    is_bill: bool = True


@pytest.fixture
def con() -> Iterator[Connection]:
    connection = connect(Limits(threads=1))
    yield connection
    connection.close()


def landed(path: Path, kind: str = "csv", source: str = "acme") -> Landed:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    file = LandedFile(path, path.name, kind, digest)
    at = datetime(2026, 11, 2)  # noqa: DTZ001 - raw times are UTC without a zone
    return Landed(source, "test", "lines", "2026-10", digest[:8], at, (file,), at)


def read(
    con: Connection, *deliveries: Landed, table: Bill | None = None
) -> list[tuple[object, ...]]:
    create_raw_view(con, "test", table or Bill(), deliveries)
    return con.execute("select cost, account, started_at, tags from raw.test__lines").fetchall()


def csv_file(folder: Path, text: str, name: str = "bill.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_source_without_deliveries_is_empty_and_typed(con: Connection) -> None:
    assert read(con) == []
    types = dict(row[:2] for row in con.execute("describe raw.test__lines").fetchall())
    assert types["cost"] == "DECIMAL(38,12)"
    assert types["x_version_at"] == "TIMESTAMP"


@pytest.mark.parametrize("keys", [("team", "it's", "n"), ("team", "Team", "n")])
def test_loose_columns_become_a_map_of_those_that_are_filled(
    con: Connection, keys: tuple[str, str, str]
) -> None:
    loose = [*zip(keys, ("a", "b", "c"), strict=True), ("never", "cast(null as varchar)")]
    made = expression("tags", None, loose, is_month_first=False)
    rows = con.execute(
        f"select {made} as tags, typeof(tags) from (values ('a', 'b', 1), (null, null, null), "
        "(null, 'c', 2), ('', null, null), ('d', 'e', 3)) as lines (a, b, c)"
    ).fetchall()
    first, second, third = keys
    assert rows == [
        ({first: "a", second: "b", third: "1"}, "MAP(VARCHAR, VARCHAR)"),
        ({}, "MAP(VARCHAR, VARCHAR)"),
        ({second: "c", third: "2"}, "MAP(VARCHAR, VARCHAR)"),
        ({first: ""}, "MAP(VARCHAR, VARCHAR)"),
        ({first: "d", second: "e", third: "3"}, "MAP(VARCHAR, VARCHAR)"),
    ]


def test_loose_columns_that_are_never_filled_are_an_empty_map(
    con: Connection, tmp_path: Path
) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"tag:never": pl.Series([None], dtype=pl.String)}).write_parquet(path)
    create_raw_view(con, "test", Bill(), [landed(path, "parquet")])
    assert con.execute("select tags from raw.test__lines").fetchall() == [({},)]


def test_csv_is_read_by_name_and_loose_tags_are_packed(con: Connection, tmp_path: Path) -> None:
    path = csv_file(
        tmp_path,
        "tag:Team,account,cost,tag:team,started_at,news\n"
        'vision,007,"1.250000000000",nlp,2026-10-01T05:00:00Z,hello\n'
        ",NULL,-3,,2026-10-01 07:00:00+02:00,\n",
    )
    assert read(con, landed(path)) == [
        (Decimal("1.25"), "007", datetime(2026, 10, 1, 5), {"Team": "vision", "team": "nlp"}),  # noqa: DTZ001
        (Decimal(-3), None, datetime(2026, 10, 1, 5), {}),  # noqa: DTZ001
    ]


def test_a_declared_column_that_is_absent_reads_as_null(con: Connection, tmp_path: Path) -> None:
    assert read(con, landed(csv_file(tmp_path, "cost\n1\n"))) == [(Decimal(1), None, None, None)]


def test_a_column_keeps_its_decimals_whatever_type_each_file_gives_it(
    con: Connection, tmp_path: Path
) -> None:
    whole, part = tmp_path / "a.parquet", tmp_path / "b.parquet"
    pl.DataFrame({"cost": [3]}).write_parquet(whole)
    pl.DataFrame({"cost": [3.75]}).write_parquet(part)
    for order in ((whole, part), (part, whole)):
        rows = read(con, *(landed(path, "parquet") for path in order))
        assert sorted(str(row[0]) for row in rows) == ["3.000000000000", "3.750000000000"]


@settings(deadline=None)
@given(
    st.floats(min_value=-1e9, max_value=1e9, allow_nan=False)
    | st.integers(-(2**53), 2**53).map(float)
    | st.sampled_from([2048.0, -2048.0, 2.0**53 - 1, 2.0**53, -(2.0**53), 2.0**53 + 2])
)
def test_a_double_reads_as_its_shortest_text_to_twelve_places(value: float) -> None:
    connection = connect(Limits(threads=1))
    con_value = connection.execute("select 1").fetchone()
    assert con_value == (1,)
    path = Path("/dev/null")
    assert path.exists()
    from queries.raw_values import _number  # noqa: PLC0415 - the expression itself is the subject

    row = connection.execute(
        f"select {_number('x', 'DOUBLE')} from (select ?::double as x)", [value]
    )
    (read_value,) = row.fetchone() or (None,)
    connection.close()
    assert read_value is not None
    assert abs(read_value - Decimal(repr(value))) <= Decimal("0.000000000001")
    if Decimal(repr(value)) == round(Decimal(repr(value)), 12):
        assert read_value == Decimal(repr(value))


@pytest.mark.parametrize("bad", ["4/1/25", "10/03/2026", "yesterday", "2026-13-01"])
def test_a_time_that_is_not_iso_is_refused_not_guessed(
    con: Connection, tmp_path: Path, bad: str
) -> None:
    delivery = landed(csv_file(tmp_path, f"cost,started_at\n1,2026-10-01\n2,{bad}\n"))
    with pytest.raises(Error):
        read(con, delivery)
    error = find_bad_value(con, Bill(), [delivery])
    assert error is not None
    assert repr(bad) in str(error)


@pytest.mark.parametrize("bad", ["abc", "1,5", "NaN", "--1"])
def test_text_in_a_cost_is_found_with_file_row_and_value(
    con: Connection, tmp_path: Path, bad: str
) -> None:
    delivery = landed(csv_file(tmp_path, f'cost\n1\n2\n"{bad}"\n4\n'))
    with pytest.raises(Error):
        read(con, delivery)
    error = find_bad_value(con, Bill(), [delivery])
    assert error is not None
    assert repr(bad) in str(error)
    assert "row 3" in error.__notes__[0]
    assert "bill.csv" in error.__notes__[0]


def test_nan_in_a_parquet_cost_is_found(con: Connection, tmp_path: Path) -> None:
    path = tmp_path / "bill.parquet"
    pl.DataFrame({"cost": [1.0, float("nan")]}).write_parquet(path)
    delivery = landed(path, "parquet")
    with pytest.raises(Error):
        read(con, delivery)
    error = find_bad_value(con, Bill(), [delivery])
    assert error is not None
    assert "nan" in str(error)


def test_a_line_with_a_missing_field_is_refused(con: Connection, tmp_path: Path) -> None:
    with pytest.raises(Error, match="Expected Number of Columns"):
        read(con, landed(csv_file(tmp_path, "cost,account\n1,a\n2\n")))


def test_text_that_is_not_utf8_is_refused_by_name(con: Connection, tmp_path: Path) -> None:
    path = tmp_path / "bill.csv"
    path.write_bytes("cost,naïve\n".encode("latin-1"))
    with pytest.raises(ModelError) as caught:
        read(con, landed(path))
    assert "bill.csv" in caught.value.__notes__[0]


def test_gzip_and_plain_text_read_alike(con: Connection, tmp_path: Path) -> None:
    text = "cost,account\n1.5,a\n2.5,b\n"
    plain = csv_file(tmp_path, text)
    packed = tmp_path / "bill.csv.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    assert read(con, landed(plain)) == read(con, landed(packed, "csv.gz"))


def test_big_gzipped_text_is_read_within_little_memory(tmp_path: Path) -> None:
    """A bill of many gigabytes must not take more than a few small buffers."""
    lines = ("1.5," + "a" * 200 + ",2026-10-01T05:00:00Z\n") * 70_000
    block = gzip.compress(lines.encode(), 1)
    path = tmp_path / "bill.csv.gz"
    with path.open("wb") as file:
        file.write(gzip.compress(b"cost,account,started_at\n"))
        for _ in range(40):  # 640 MB of text
            file.write(block)
    con = connect(Limits(memory="300MB", threads=2))
    create_raw_view(con, "test", Bill(), [landed(path, "csv.gz")])
    row = con.execute("select count(*), sum(cost), max(length(account)) from raw.test__lines")
    assert row.fetchone() == (2_800_000, Decimal(4_200_000), 200)
    con.close()


@pytest.mark.parametrize(
    ("configured", "while_reading"), [("1500MB", "715.2 MiB"), ("400MB", "381.4 MiB")]
)
def test_text_is_read_within_less_memory_than_a_night_may_take(
    configured: str, while_reading: str
) -> None:
    con = connect(Limits(memory=configured))
    limit = "select current_setting('memory_limit')"
    before = con.execute(limit).fetchone()
    with reading_text(con):
        assert con.execute(limit).fetchone() == (while_reading,)
    assert con.execute(limit).fetchone() == before
    con.close()


def test_a_line_of_many_megabytes_is_read_whole(con: Connection, tmp_path: Path) -> None:
    texts = [letter * 12_000_000 for letter in "abcd"]
    path = csv_file(tmp_path, "cost,account\n" + "".join(f"1,{text}\n" for text in texts))
    rows = read(con, landed(path))
    assert sorted(str(account) for _, account, *_ in rows) == texts


def test_rows_of_several_deliveries_keep_their_provenance(con: Connection, tmp_path: Path) -> None:
    one = landed(csv_file(tmp_path, "cost\n1\n", "one.csv"), source="one")
    two = landed(csv_file(tmp_path, "cost\n2\n", "two.csv"), source="two")
    read(con, one, two)
    rows = con.execute("select x_source, cost from raw.test__lines order by all").fetchall()
    assert rows == [("one", Decimal(1)), ("two", Decimal(2))]


def test_malformed_tags_lose_the_tags_and_keep_the_cost(con: Connection, tmp_path: Path) -> None:
    table = Bill(maps={})
    path = csv_file(tmp_path, 'cost,tags\n1,"{""team"": ""nlp""}"\n2,"{team"\n')
    rows = read(con, landed(path), table=table)
    assert [(row[0], row[3]) for row in rows] == [
        (Decimal(1), {"team": "nlp"}),
        (Decimal(2), None),
    ]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_columns_that_nothing_reads_are_named_and_packed_ones_are_not(
    kind: str, con: Connection, tmp_path: Path
) -> None:
    row = {"COST": "1", "tag:team": "vision", "tags_user": "ada", "Carbon": "2", "x y": "3"}
    path = tmp_path / f"bill.{kind}"
    frame = pl.DataFrame([row])
    _ = frame.write_csv(path) if kind == "csv" else frame.write_parquet(path)

    assert undeclared_columns(con, Bill(), landed(path, kind)) == ["Carbon", "x y"]
    renamed = Bill(rename=lambda header: "account" if header == "Carbon" else header)
    assert undeclared_columns(con, renamed, landed(path, kind)) == ["x y"]
