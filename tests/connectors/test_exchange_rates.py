"""Exchange rates: the bank's file, plain, zipped and served, a table of one's own, and damage."""

from __future__ import annotations

import io
import threading
import zipfile
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from connectors.base import SourceError
from connectors.exchange_rates import ExchangeRates
from connectors.fetched import fetch
from queries.catalog import HOME, read_model
from queries.checks import check_model
from queries.engines.duckdb import Limits, connect
from queries.landed import Landed, LandedFile
from queries.raw import create_raw_view
from queries.stage import check_feed
from tests.connectors.known import Memory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.base import Delivery

SAMPLE = Path(__file__).parents[1] / "data" / "exchange_rates" / "eurofxref-hist.csv"
OWN = "date,currency,rate\n2026-10-01,USD,1.08\n2026-10-02,USD,1.0842\n2026-10-02,GBP,0.83\n"


def stage(found: Sequence[Delivery], folder: Path) -> list[tuple[Any, ...]]:
    """Return the canonical rates of deliveries, the later one in the list the newer."""
    con = connect(Limits(threads=1))
    try:
        landed = []
        for number, delivery in enumerate(found):
            path = folder / f"{number}.parquet"
            with delivery.files[0].open() as stream:
                path.write_bytes(stream.read())
            at = datetime(2026, 11, 1, 0, number)  # noqa: DTZ001 - UTC without a zone
            files = (LandedFile(path, path.name, "parquet", str(number)),)
            told = (delivery.table, delivery.unit, delivery.version)
            landed.append(Landed("rates", "exchange_rates", *told, at, files, at))
        create_raw_view(con, "exchange_rates", ExchangeRates.tables[0], landed)
        model = read_model(HOME / "staging" / "exchange_rates__rates.sql")
        con.execute("create schema staging")
        con.execute(f"create table {model.name} as {model.sql}")
        check_feed(con, model, model.name)
        check_model(con, model)
        return con.execute(
            f"select rate_date, from_currency, to_currency, rate from {model.name} order by all"
        ).fetchall()
    finally:
        con.close()


def zipped(**files: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as into:
        for name, text in files.items():
            into.writestr(name.replace("_csv", ".csv"), text)
    return packed.getvalue()


def own(folder: Path, text: str = OWN, **more: Any) -> ExchangeRates:
    (folder / "rates.csv").write_text(text, "utf-8")
    return ExchangeRates(str(folder / "rates.csv"), **more)


@contextmanager
def serving(*answers: tuple[int, bytes]) -> Iterator[tuple[str, list[str]]]:
    """Serve these answers in turn, the last one for ever; yield the address and what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            status, content = answers[min(len(asked), len(answers)) - 1]
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/eurofxref-hist.zip", asked
    finally:
        server.shutdown()
        server.server_close()


def test_the_banks_file_is_taken_by_month_to_the_last_digit(tmp_path: Path) -> None:
    found = list(ExchangeRates(str(SAMPLE)).deliveries(Memory()))
    assert [one.unit for one in found] == [
        *("2024-12", "2025-01"),
        *("2026-08", "2026-09", "2026-10", "2026-11"),
    ]
    rows = stage(found, tmp_path)
    header, newest, *_ = SAMPLE.read_text("utf-8").splitlines()
    expected = {
        currency: Decimal(rate)
        for currency, rate in zip(header.split(","), newest.split(","), strict=True)
        if currency not in ("Date", "") and rate != "N/A"
    }
    assert expected.keys() == {"USD", "JPY", "BGN", "CZK", "GBP", "IDR"}
    assert {row[2]: row[3] for row in rows if row[0] == date(2026, 11, 20)} == expected
    assert {row[1] for row in rows} == {"EUR"}
    assert len(rows) == sum(one.stated_rows or 0 for one in found) == 63 * 6


def test_only_so_many_years_are_taken() -> None:
    found = ExchangeRates(str(SAMPLE), years=2).deliveries(Memory())
    assert next(one.unit for one in found) == "2025-01"
    assert len(list(ExchangeRates(str(SAMPLE), years=0).deliveries(Memory()))) == 6


def test_the_next_day_lands_its_month_alone(tmp_path: Path) -> None:
    path, known = tmp_path / "hist.csv", Memory()
    header, newest, *older = SAMPLE.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join([header, *older]), "utf-8")
    source = ExchangeRates(str(path))
    first = list(source.deliveries(known))
    for delivery in first:
        known.land(delivery)
    assert list(source.deliveries(known)) == []

    path.write_text("".join([header, newest, *older]), "utf-8")
    (second,) = source.deliveries(known)
    assert second.unit == "2026-11"
    whole = list(ExchangeRates(str(SAMPLE)).deliveries(Memory()))
    assert stage([*first, second], tmp_path) == stage(whole, tmp_path)


def test_it_comes_zipped_from_an_address_and_a_busy_server_is_waited_for(tmp_path: Path) -> None:
    packed = zipped(**{"eurofxref-hist_csv": SAMPLE.read_text("utf-8")})
    with serving((503, b""), (200, packed)) as (address, asked):
        found = list(ExchangeRates(address).deliveries(Memory()))
    assert asked == ["/eurofxref-hist.zip"] * 2
    assert abs((found[0].version_at - datetime.now(UTC)).total_seconds()) < 60
    plain = list(ExchangeRates(str(SAMPLE)).deliveries(Memory()))
    assert [one.version for one in found] == [one.version for one in plain]
    assert stage(found, tmp_path) == stage(plain, tmp_path)


@pytest.mark.parametrize("status", [302, 403, 404])
def test_a_refusal_is_not_asked_again(status: int) -> None:
    with serving((status, b"")) as (address, asked), pytest.raises(SourceError) as caught:
        list(ExchangeRates(address).deliveries(Memory()))
    assert len(asked) == 1
    assert str(status) in str(caught.value)
    assert address in caught.value.__notes__[0]


def test_a_server_that_stays_busy_is_given_up() -> None:
    with serving((429, b"")) as (address, asked), pytest.raises(SourceError, match="after 2 tries"):
        fetch(address, "the exchange rates", most=10, attempts=2)
    assert len(asked) == 2


def test_what_is_too_large_or_somewhere_else_is_not_read() -> None:
    with serving((200, b"x" * 100)) as (address, _), pytest.raises(SourceError, match="larger"):
        fetch(address, "the exchange rates", most=10)
    with pytest.raises(SourceError, match="kind of address"):
        fetch("ftp://bank.example/rates.zip", "the exchange rates", most=10)


def test_a_table_of_ones_own_is_one_delivery(tmp_path: Path) -> None:
    (found,) = own(tmp_path).deliveries(Memory())
    assert (found.unit, found.stated_rows) == ("all", 3)
    assert stage([found], tmp_path) == [
        (date(2026, 10, 1), "EUR", "USD", Decimal("1.08")),
        (date(2026, 10, 2), "EUR", "GBP", Decimal("0.83")),
        (date(2026, 10, 2), "EUR", "USD", Decimal("1.0842")),
    ]


def test_a_row_that_is_taken_out_of_it_is_gone(tmp_path: Path) -> None:
    (first,) = own(tmp_path).deliveries(Memory())
    (second,) = own(tmp_path, OWN[: OWN.index("2026-10-02")]).deliveries(Memory())
    assert first.version != second.version
    assert len(stage([first, second], tmp_path)) == 1


def test_it_may_say_what_a_unit_costs_in_euros(tmp_path: Path) -> None:
    (found,) = own(tmp_path, quoted="in_euros").deliveries(Memory())
    assert stage([found], tmp_path)[0] == (date(2026, 10, 1), "USD", "EUR", Decimal("1.08"))


def test_another_way_of_quoting_is_refused() -> None:
    with pytest.raises(SourceError, match="per_dollar") as caught:
        ExchangeRates("rates.csv", quoted="per_dollar")
    assert "in_euros" in caught.value.__notes__[1]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("2026-13-01,USD,1", "line 2: date '2026-13-01' is not a date"),
        ("2026-10-01,usd,1", "line 2: currency 'usd' is not three capital letters"),
        ("2026-10-01,EUR,1", "line 2: every rate is against the euro"),
        ("2026-10-01,USD,0.00", "line 2: rate '0.00' is not a number above 0"),
        ("2026-10-01,USD,-1", "line 2: rate '-1' is not"),
        ('2026-10-01,USD,"1,08"', "line 2: rate '1,08' is not"),
        ("2026-10-01,USD,1e3", "line 2: rate '1e3' is not"),
        ("2026-10-01,USD,1.1234567890123", "12 places at most"),
        ("2026-10-01,IDR,17000.12345678", "rate 17000.12345678 has 13 digits, more than 12"),
        ("2026-10-01,USD,1\n2026-10-01,USD,2", "line 3: USD of 2026-10-01 is there twice"),
        ("2026-10-01,USD", "another number of fields"),
    ],
)
def test_a_slip_is_named_by_its_line(tmp_path: Path, row: str, said: str) -> None:
    with pytest.raises(SourceError) as caught:
        list(own(tmp_path, f"date,currency,rate\n{row}\n").deliveries(Memory()))
    assert said in str(caught.value)
    assert "rates.csv" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Date,USD,\n2026-10-01,1.08\n", "line 2: it has another number of fields"),
        ("Date,USD,\n01/10/2026,1.08,\n", "line 2: '01/10/2026' is not a date"),
        ("Date,USD,\n2026-10-01,one,\n", "line 2: rate 'one'"),
        ("Date,Dollar,\n2026-10-01,1.08,\n", "line 1: 'Dollar' is no currency"),
        ("Date,USD,\n2026-10-01,1,\n2026-10-01,2,\n", "line 3: USD of 2026-10-01 is there twice"),
        ("Date,USD,\n2026-10-01,N/A,\n", "there is no rate in it"),
        ("<html>a login page</html>", "the column date is missing"),
        ("", "the column date is missing"),
    ],
)
def test_a_damaged_file_of_the_bank_is_refused_whole(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SourceError) as caught:
        list(own(tmp_path, text).deliveries(Memory()))
    assert said in str(caught.value)
    assert caught.value.__notes__[1].startswith("fix: ")


@pytest.mark.parametrize(
    "content",
    [
        zipped(a_csv=OWN, b_csv=OWN),
        zipped(readme="nothing"),
        zipped(a_csv=OWN)[:-30],
        b"\xff\xfe\x00",
    ],
    ids=["two files", "no file", "cut off", "not text"],
)
def test_what_is_no_zip_of_one_table_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rates.zip").write_bytes(content)
    with pytest.raises(SourceError):
        list(ExchangeRates(str(tmp_path / "rates.zip")).deliveries(Memory()))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        list(ExchangeRates(str(tmp_path / "none.csv")).deliveries(Memory()))
