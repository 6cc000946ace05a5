"""Invoices of any shape: read by the columns that the config names, refused where unclear."""

from __future__ import annotations

import gzip
import io
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import SourceError
from connectors.mapped_csv import MappedCsv
from connectors.mapped_lines import amount_of
from queries.engines.duckdb import Limits, connect, create_macros
from queries.totals import raw_totals
from tests.connectors.known import Memory
from tests.queries.bills import DATA, assert_plain, stage_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HOME = DATA / "mapped_csv"
TABLE = "mapped_csv__lines"
LABELS = MappedCsv(
    root="",
    provider="Label Works",
    date="Date",
    cost="Amount",
    currency="Currency",
    account_id="acme",
    description="Task batch",
    invoice="Invoice",
    quantity="Labels",
    tags=("Project", "Requester"),
)
SERVERS = MappedCsv(
    root="",
    provider="Selectel",
    date="Дата",
    cost="Сумма",
    currency="=RUB",
    service="Услуга",
    resource="Сервер",
    tags=("Проект",),
    line_class="instance",
    date_format="%d.%m.%Y",
    decimal_comma=True,
    delimiter=";",
    encoding="cp1251",
    has_total=True,
)


def landed(connector: MappedCsv, folder: Path) -> list[Path]:
    """Write what a connector delivers as the raw store does."""
    paths = []
    for delivery in connector.deliveries(Memory()):
        for number, file in enumerate(delivery.files):
            path = folder / f"{delivery.unit}-{number}.parquet"
            with file.open() as stream:
                path.write_bytes(stream.read())
            paths.append(path)
    return paths


def one_file(connector: MappedCsv, folder: Path, content: bytes, name: str) -> MappedCsv:
    root = folder / "invoices"
    root.mkdir(exist_ok=True)
    (root / name).write_bytes(content)
    return replace(connector, root=str(root))


def sample(connector: MappedCsv, name: str, folder: Path) -> list[Path]:
    content = (HOME / name).read_bytes()
    return landed(one_file(connector, folder, content, name), folder)


def staged(paths: Sequence[Path]) -> list[dict[str, Any]]:
    return stage_rows("mapped_csv", paths)


def assert_totals_agree(paths: Sequence[Path]) -> Decimal:
    """Compare the staged lines with the raw totals; return what is billed."""
    rows = staged(paths)
    total = sum((row["billed_cost"] for row in rows), Decimal(0))
    for measure in ("billed_cost", "effective_cost"):
        found = [each for each in raw_totals(TABLE, paths) if each.measure == measure]
        assert sum((each.amount for each in found), Decimal(0)) == total
        assert sum(each.rows for each in found) == len(rows)
        assert not any(each.beyond for each in found)
    assert_plain(TABLE, paths)
    return total


def test_a_labelling_invoice_is_staged_to_the_last_digit(tmp_path: Path) -> None:
    paths = sample(LABELS, "labelling_2026-10.csv", tmp_path)
    assert [path.stem for path in paths] == ["2026-10-0"]
    assert assert_totals_agree(paths) == Decimal("14645.250001")
    (batch,) = [row for row in staged(paths) if row["charge_description"] == "defects-0041"]
    assert batch["tags"] == {"Project": "defects", "Requester": "alice"}
    assert batch["consumed_quantity"] == 12000
    assert (batch["charge_date"], batch["invoice_id"]) == (date(2026, 10, 2), "LW-2210")
    assert (batch["billing_currency"], batch["billing_account_id"]) == ("USD", "acme")
    assert (batch["service_provider_name"], batch["x_line_class"]) == ("Label Works", "saas")


def test_another_alphabet_encoding_and_decimal_mark_are_read(tmp_path: Path) -> None:
    paths = sample(SERVERS, "selectel_style_2026-10.csv", tmp_path)
    assert assert_totals_agree(paths) == Decimal("368953.075")
    (transfer,) = [row for row in staged(paths) if row["service_name"] == "Трафик"]
    assert transfer["effective_cost"] == Decimal("312.075")
    assert (transfer["resource_id"], transfer["tags"]) == ("srv-14", {"Проект": "vision"})
    assert (transfer["charge_date"], transfer["billing_currency"]) == (date(2026, 10, 12), "RUB")


def test_all_cells_land_as_they_are_written(tmp_path: Path) -> None:
    (path,) = sample(LABELS, "labelling_2026-10.csv", tmp_path)
    assert '"Amount": "1,440.00"' in pl.read_parquet(path)["cells"][0]


def test_parquet_is_read_by_its_types(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "Date": [date(2026, 10, 2), date(2026, 10, 3)],
            "Amount": [0.1, 1234567.25],
            "Currency": ["eur", "EUR"],
            "Task batch": ["a", None],
            "Invoice": [None, None],
            "Labels": [Decimal("1.50"), None],
            "Project": [7, None],
            "Requester": [None, "bob"],
            "Seen": [datetime(2026, 10, 2, tzinfo=UTC)] * 2,
        }
    )
    packed = io.BytesIO()
    frame.write_parquet(packed)
    connector = replace(LABELS, decimal_comma=True)  # says how text is written, not Parquet
    paths = landed(one_file(connector, tmp_path, packed.getvalue(), "2026-10.parquet"), tmp_path)
    assert assert_totals_agree(paths) == Decimal("1234567.35")
    assert {row["billing_currency"] for row in staged(paths)} == {"EUR"}


def test_packed_text_and_several_files_of_a_month_are_one_unit(tmp_path: Path) -> None:
    content = (HOME / "labelling_2026-10.csv").read_bytes()
    one_file(LABELS, tmp_path, gzip.compress(content), "a_2026-10.csv.gz")
    connector = one_file(LABELS, tmp_path, content, "b_2026-10.csv")
    (delivery,) = connector.deliveries(Memory())
    assert (delivery.unit, len(delivery.files)) == ("2026-10", 2)


def test_what_is_known_is_not_read_again_until_the_config_reads_it_otherwise(
    tmp_path: Path,
) -> None:
    content = (HOME / "labelling_2026-10.csv").read_bytes()
    connector, memory = one_file(LABELS, tmp_path, content, "2026-10.csv"), Memory()
    for delivery in connector.deliveries(memory):
        memory.land(delivery)
    assert list(connector.deliveries(memory)) == []
    assert len(list(replace(connector, line_class="other").deliveries(memory))) == 1


def test_a_spoiled_month_does_not_hold_up_the_others(tmp_path: Path) -> None:
    content = (HOME / "labelling_2026-10.csv").read_bytes()
    one_file(LABELS, tmp_path, content[:-9], "2026-09.csv")
    connector = one_file(LABELS, tmp_path, content, "2026-10.csv")
    seen: list[str] = []
    with pytest.raises(SourceError) as caught:
        seen.extend(delivery.unit for delivery in connector.deliveries(Memory()))
    assert "2026-09.csv" in caught.value.__notes__[0]


WRITTEN = st.integers(-(10**20), 10**20)


NUMBERS = st.tuples(
    WRITTEN,
    st.integers(0, 12),
    st.sampled_from([".", ","]),
    st.sampled_from(["", " ", "'", "\u00a0", "\u202f", "\u2019", "other"]),
    st.sampled_from(["-", "\u2212"]),
)


@settings(deadline=None, max_examples=150)
@given(number=NUMBERS)
def test_every_way_to_write_a_number_is_read_alike_by_all_three_readers(
    con: Any, number: tuple[int, int, str, str, str]
) -> None:
    """The connector's check, the SQL and the raw totals each read numbers by themselves."""
    from queries.totals.mapped_csv__lines import _amount  # noqa: PLC0415

    units, places, mark, group, minus = number
    value = Decimal(units).scaleb(-places)
    grouped = f"{abs(value):,.{places}f}".replace(",", "T").replace(".", mark)
    separator = {",": ".", ".": ","}[mark] if group == "other" else group
    text = (minus if units < 0 else "") + grouped.replace("T", separator)
    assert amount_of(text, mark) == value
    assert _amount(text, mark) == value
    row = con.execute("select cast(plain_number($1, $2) as decimal(38, 12))", [text, mark])
    assert row.fetchone()[0] == value


@pytest.fixture(scope="module")
def con() -> Any:
    connection = connect(Limits(threads=1))
    create_macros(connection, {})
    yield connection
    connection.close()


HEADER = "Task batch,Date,Project,Requester,Labels,Amount,Currency,Invoice"
GOOD = "a,2026-10-02,p,r,1,5.00,USD,i"
SPOILED_CELLS = [
    *(
        ("Amount", text)
        for text in (
            *("", " ", "abc", "$5", "5 USD", "1e3", "NaN", "inf", "--5", "5-", "(5)", "1.2.3"),
            *("1.", ".5", '"5,00"', '"1,23,456"', '"1,2345"', '"1,234 567"', "1 23", "٣", "0x10"),
            *("1_000", "5.0000000000001", "9" * 25, '"5,"', "5€", "+-5", "1 000'000", '",5"'),
        )
    ),
    *(
        ("Date", text)
        for text in (
            *("", "02.10.2026", "10/02/2026", "2026-13-01", "2026-02-30", "20261002", "today"),
            *("2026-10", "45567", "1926-10-02", "2026-10-02T25:00:00", "02-10-2026", "2626-10-02"),
        )
    ),
    *(("Currency", text) for text in ("", "€", "US", "USDT", "U D", "840", "$")),
    *(("Labels", text) for text in ("many", "1.2.3", '"1,5"', "--1", "1e3")),
]


@pytest.mark.parametrize(("column", "text"), SPOILED_CELLS)
def test_a_spoiled_cell_is_refused_by_its_line(tmp_path: Path, column: str, text: str) -> None:
    cells = dict(zip(HEADER.split(","), GOOD.split(","), strict=True)) | {column: text}
    content = "\n".join((HEADER, GOOD, ",".join(cells.values()))).encode()
    with pytest.raises(SourceError) as caught:
        landed(one_file(LABELS, tmp_path, content, "2026-10.csv"), tmp_path)
    named = {"Amount": "cost", "Date": "date", "Currency": "currency", "Labels": "quantity"}
    assert f"line 3: {named[column]}" in str(caught.value)
    assert "2026-10.csv" in caught.value.__notes__[0]


BODY = f"{HEADER}\n{GOOD}\n"
SPOILED_FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "blank": (b"\n\n", "there is no column 'Date'"),
    "header alone": (HEADER.encode(), "has no lines"),
    "renamed": (BODY.replace("Amount", "Amounts").encode(), "did you mean 'Amounts'?"),
    "a tag gone": (BODY.replace("Project", "Team").encode(), "there is no column 'Project' (tags"),
    "twice": (BODY.replace("Invoice", "Amount").encode(), "'Amount' (cost) is there 2 times"),
    "semicolons": (BODY.replace(",", ";").encode(), "there is no column 'Date'"),
    "a field too few": (f"{HEADER}\n{GOOD[:-2]}\n".encode(), "line 2: it has 7 fields"),
    "a field too many": (f"{HEADER}\n{GOOD},x\n".encode(), "line 2: it has 9 fields"),
    "cut in a line": (f"{BODY}b,2026-10-0".encode(), "line 3: it has 2 fields"),
    "an open quote": (f'{HEADER}\n"{GOOD}\n'.encode(), "not CSV: line 2"),
    "text after a quote": (f'{HEADER}\n"a"{GOOD}\n'.encode(), "not CSV: line 2"),
    "another encoding": (BODY.replace("a,", "é,").encode("latin-1"), "not text in utf-8"),
    "UTF-16": (BODY.encode("utf-16"), "not text in utf-8"),
    "a web page": (b"<html><body>Sign in</body></html>", "there is no column 'Date'"),
    "zero bytes": (BODY.replace("a,", "a\0,").encode(), "zero bytes"),
    "packed and cut": (gzip.compress(BODY.encode())[:-9], "not text in utf-8"),
    "a total": (f"{BODY},Total,,,,5.00,,\n".encode(), "date 'Total'"),
}


@pytest.mark.parametrize(("content", "said"), SPOILED_FILES.values(), ids=SPOILED_FILES)
def test_a_spoiled_invoice_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    name = "2026-10.csv.gz" if content[:2] == b"\x1f\x8b" else "2026-10.csv"
    with pytest.raises(SourceError) as caught:
        landed(one_file(LABELS, tmp_path, content, name), tmp_path)
    assert said in str(caught.value)
    assert "2026-10.csv" in caught.value.__notes__[0]


def test_parquet_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    packed = io.BytesIO()
    pl.DataFrame({"Date": ["2026-10-02"]}).write_parquet(packed)
    for content, said in ((packed.getvalue()[:-5], "not Parquet"), (b"PAR1", "not Parquet")):
        with pytest.raises(SourceError, match=said):
            landed(one_file(LABELS, tmp_path, content, "2026-10.parquet"), tmp_path)


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (";Итого;;1,00;", "is not the sum of the lines, 5.00"),
        (";Итого;;;", "is not the sum"),
        ("01.10.2026;x;s;5,00;p", "date 'Итого'"),
        (None, "has no lines"),
    ],
)
def test_a_total_that_is_not_the_sum_is_refused(
    tmp_path: Path, last: str | None, said: str
) -> None:
    lines = ["Дата;Услуга;Сервер;Сумма;Проект", "01.10.2026;x;s;5,00;p"]
    if said.startswith("date"):
        lines.append("Итого;x;s;5,00;p")
    lines += [last] if last else []
    content = "\n".join(lines).encode("cp1251")
    if last is None:
        said = "is not the sum|has no lines"
    with pytest.raises(SourceError, match=said):
        landed(one_file(SERVERS, tmp_path, content, "2026-10.csv"), tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"provider": " "}, "provider is empty"),
        ({"date": ""}, "date is empty"),
        ({"currency": "=euro"}, "is no code"),
        ({"account": "a"}, "account and account_id are both given"),
        ({"line_class": "gpu"}, "line_class"),
        ({"delimiter": "\\t"}, "is not one sign"),
        ({"delimiter": '"'}, "is not one sign"),
        ({"date_format": "%d.%m"}, "lacks a part"),
        ({"encoding": "klingon"}, "is not known"),
    ],
)
def test_a_config_that_contradicts_itself_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(SourceError, match=said):
        replace(LABELS, **change)
