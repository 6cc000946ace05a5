"""CSV made Parquet gives the rows that it gives by itself, or is left as it is."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from connectors import connector_class
from queries import ModelError, shapes, unpacked
from queries.catalog import HOME, canonical_columns, read_model
from queries.engines.duckdb import Connection, Limits, connect, create_macros, create_seeds
from queries.raw import create_raw_view
from queries.stage import DeliveryError, Stager
from tests.queries.bills import land
from tests.queries.test_raw import Bill, landed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from queries.landed import Declared, Landed

DATA = Path("tests/data")
HEADER = "cost,account,tag:Team,started_at,tags,news"
LINES = (
    '1.5,007,vision,2026-10-01T05:00:00Z,"{""a"": ""1"", ""b"": ""x,y""}",',
    '-3,"a ""quoted"" name, and\na second line",,2026-10-01 07:00:00+02:00,{},"new\r\ns"',
    ',NULL,"",2026-10-01,,old',
    '"0.000000000001",,nlp,2026-10-31T23:59:59.999Z,"""k"": ""v""",',
    '2,grün,NULL,2026-10-01T05:00:00Z,"{""a"": {""deep"": 1}, ""n"": 2.50}",x"y',
    "3,lake,vision,2026-10-01T05:00:00Z,no json,",
)


@pytest.fixture(autouse=True)
def _any_size_is_big(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "BIG_TEXT", 1)


@pytest.fixture
def con() -> Iterator[Connection]:
    connection = connect(Limits(threads=1))
    yield connection
    connection.close()


def packed(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()))
    return path


def rows(con: Connection, table: Declared, bills: Sequence[Landed]) -> list[str]:
    create_raw_view(con, "test", table, bills)
    return sorted(map(str, con.execute("select * from raw.test__lines").fetchall()))


def formats(bills: Sequence[Landed]) -> list[str]:
    return [file.format for bill in bills for file in bill.files]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("times", [1, 3000])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_bill_reads_alike_with_and_without(
    con: Connection, tmp_path: Path, line_end: str, times: int, mark: str
) -> None:
    text = line_end.join((mark + HEADER, *(LINES * times), ""))
    bills = [
        landed(packed(tmp_path / "one.csv.gz", text), "csv.gz"),
        replace(landed(packed(tmp_path / "two.csv.gz", text), "csv.gz"), source="other"),
    ]
    as_it_is = rows(con, Bill(), bills)
    with unpacked.unpacked(Bill(), set(Bill().columns), bills, tmp_path / "new", 2) as made:
        assert formats(made) == ["parquet", "parquet"]
        assert rows(con, Bill(), made) == as_it_is
        assert len(as_it_is) == 2 * times * len(LINES)
    assert list((tmp_path / "new").iterdir()) == []


def test_texts_that_all_differ_read_alike_too(con: Connection, tmp_path: Path) -> None:
    lines = [
        f'{number}.25,acc-{number},team,2026-10-01T05:00:00Z,"{{""n"": ""{number}""}}",'
        for number in range(50_000)
    ]
    path = packed(tmp_path / "bill.csv.gz", "\n".join((HEADER, *lines, "")))
    bills = [landed(path, "csv.gz")]
    with unpacked.unpacked(Bill(), set(Bill().columns), bills, tmp_path, 1) as made:
        (file,) = made[0].files
        assert file.few == {"c2", "c3"}
        assert rows(con, Bill(), made) == rows(con, Bill(), bills)


def test_what_a_model_does_not_read_is_not_kept(tmp_path: Path) -> None:
    bills = [landed(packed(tmp_path / "bill.csv.gz", "\n".join((HEADER, *LINES, ""))), "csv.gz")]
    with unpacked.unpacked(Bill(), {"cost", "tags"}, bills, tmp_path, 1) as made:
        (file,) = made[0].files
        assert file.kept == (("c0", "cost"), ("c2", "tag:Team"), ("c4", "tags"))


@pytest.mark.parametrize("odd", ["", "eur", "grün", "NULL"])
@pytest.mark.parametrize("place", [0, 399, 2_500, 4_999])
def test_a_column_that_is_the_same_but_once_reads_alike(
    con: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: str, place: int
) -> None:
    monkeypatch.setattr(unpacked, "_BLOCK", 4096)
    monkeypatch.setattr(unpacked, "_ROWS", 300)
    lines = [f"{number},usd,,2026-10-01,{{}}," for number in range(5_000)]
    lines[place] = lines[place].replace("usd", odd)
    lines[place + 1 :] = [line.replace(",,", f",{odd},") for line in lines[place + 1 :]]
    path = packed(tmp_path / "bill.csv.gz", "\n".join((HEADER, *lines, "")))
    bills = [landed(path, "csv.gz")]
    with unpacked.unpacked(Bill(), set(Bill().columns), bills, tmp_path, 1) as made:
        assert formats(made) == ["parquet"]
        assert rows(con, Bill(), made) == rows(con, Bill(), bills)


@pytest.mark.parametrize(
    ("content", "change"),
    [
        ("\n".join((HEADER, *LINES, "")), lambda text: text[:-20]),
        ("\n".join((HEADER, *LINES, "")), lambda text: text[20:]),
        ("\n".join((HEADER, *LINES, "1,2", "")), bytes),
        ("\n".join((HEADER, *LINES, '1,a,b,2026-10-01,,"never ends', LINES[0], "")), bytes),
        ("\n".join((HEADER, *LINES)), bytes),
        (HEADER + "\n", bytes),
        ("", bytes),
        ("cost\n1\n", bytes),
    ],
    ids=["cut", "headless", "ragged", "open quote", "open line", "no lines", "empty", "narrow"],
)
def test_what_it_does_not_take_is_left_as_it_is(
    tmp_path: Path, content: str, change: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "bill.csv.gz"
    path.write_bytes(change(gzip.compress(content.encode())))
    bills = [landed(path, "csv.gz")]
    with unpacked.unpacked(Bill(), set(Bill().columns), bills, tmp_path, 1) as made:
        assert made == bills
    assert list(tmp_path.iterdir()) == [path]


def test_letters_that_are_not_utf_8_are_left_to_the_engine(tmp_path: Path) -> None:
    path = tmp_path / "bill.csv"
    path.write_bytes(f"{HEADER}\n1,\xff,,,,\n".encode("latin-1"))
    bills = [landed(path)]
    with unpacked.unpacked(Bill(), set(Bill().columns), bills, tmp_path, 1) as made:
        assert made == bills


def test_letters_that_are_not_utf_8_do_not_matter_where_they_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "bill.csv"
    lines = [f"{number},a,,,," for number in range(2_000)]  # more than is read for the header
    path.write_bytes("\n".join((HEADER, *lines, "1,\xff,,,,", "")).encode("latin-1"))
    with unpacked.unpacked(Bill(), {"cost", "tags"}, [landed(path)], tmp_path, 1) as made:
        assert formats(made) == ["parquet"]


def test_letters_that_two_blocks_share_are_letters(
    con: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacked, "_BLOCK", 4096)
    lines = [f"{number},{'ü' * 15 * number},,2026-10-01,{{}}," for number in range(99)]
    bills = [landed(packed(tmp_path / "bill.csv.gz", "\n".join((HEADER, *lines, ""))), "csv.gz")]
    with unpacked.unpacked(Bill(), set(Bill().columns), bills, tmp_path, 1) as made:
        assert formats(made) == ["parquet"]
        assert rows(con, Bill(), made) == rows(con, Bill(), bills)


def stage(con: Connection, kind: str, bills: Sequence[Landed], lake: Path) -> list[str]:
    create_macros(con, {})
    create_seeds(con)
    table = connector_class(kind).tables[0]
    model = read_model(HOME / "staging" / f"{kind}__{table.name}.sql")
    stager = Stager(con, model, model.sql, kind, table, lake, lambda _: None)
    (group,) = stager.stage(bills, {}).values()
    scan = group.table.scan(lake)
    if scan is None:
        return []
    columns = ", ".join(canonical_columns()["staging.cost_lines"])
    return sorted(str(row) for row in con.execute(f"select {columns} from ({scan})").fetchall())


def outcome(con: Connection, kind: str, path: Path, lake: Path) -> list[str] | str:
    try:
        return stage(con, kind, [land(kind, [path])], lake)
    except (DeliveryError, ModelError):
        return "refused"


SAMPLES = [
    (kind, path)
    for kind in ("alibaba_bill", "aws_cur", "azure_cost", "focus", "gcp_billing")
    for path in sorted((DATA / kind).rglob("*.csv*"))
    if path.suffix in (".csv", ".gz") and path.parent.name not in ("spec_1_2_refused", "spec_1_4")
]


@pytest.mark.parametrize(("kind", "path"), SAMPLES, ids=[path.name for _, path in SAMPLES])
def test_a_sample_of_each_cloud_is_staged_alike(
    con: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, path: Path
) -> None:
    made = outcome(con, kind, path, tmp_path / "made")
    monkeypatch.setattr(shapes, "BIG_TEXT", 1 << 40)
    as_it_is = outcome(con, kind, path, tmp_path / "as it is")
    if as_it_is != made:
        assert as_it_is == "refused"
        assert b"\r\n" in path.read_bytes()  # lines end in two ways, which the engine refuses
    assert not list(tmp_path.rglob("*.text.parquet"))


def test_a_value_that_is_none_is_told_with_its_place_in_the_text(
    con: Connection, tmp_path: Path
) -> None:
    header = "lineItem/UsageStartDate,lineItem/UnblendedCost,lineItem/CurrencyCode"
    lines = [f"2026-10-01T05:00:00Z,{cost},USD" for cost in ("1.5", "2", "dear")]
    path = packed(tmp_path / "bill.csv.gz", "\n".join((header, *lines, "")))
    with pytest.raises(DeliveryError) as caught:
        stage(con, "aws_cur", [land("aws_cur", [path])], tmp_path / "lake")
    assert "'dear'" in str(caught.value)
    assert any("bill.csv.gz, row 3" in note for note in caught.value.error.__notes__)
