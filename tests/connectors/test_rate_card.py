"""Owned machines as a bill: exact to the last digit; a wrong card is refused by line."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import SourceError
from connectors.rate_card import RateCard
from queries.totals import raw_totals
from tests.connectors.known import Memory
from tests.queries.bills import DATA, assert_plain, stage_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from connectors.base import Delivery

CARD = DATA / "rate_card" / "machines.csv"
MEASURED = DATA / "rate_card" / "measured.csv"
AT = datetime(2026, 11, 3, 4, tzinfo=UTC)
TABLE = "rate_card__machine_days"


def months(card: RateCard, at: datetime = AT) -> list[Delivery]:
    return list(card.deliveries_at(Memory(), at))


def land(deliveries: Sequence[Delivery], folder: Path) -> list[Path]:
    """Write deliveries as the raw store does."""
    paths = []
    for delivery in deliveries:
        (file,) = delivery.files
        path = folder / f"{delivery.unit}.parquet"
        with file.open() as stream:
            path.write_bytes(stream.read())
        paths.append(path)
    return paths


def staged(paths: Sequence[Path]) -> list[dict[str, Any]]:
    return stage_rows("rate_card", paths)


def write(folder: Path, header: str, *lines: str, name: str = "card.csv") -> Path:
    path = folder / name
    path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
    return path


def cost(rows: Sequence[dict[str, Any]], machine: str, kind: str) -> Decimal:
    found = [row for row in rows if (row["resource_id"], row["sku_meter"]) == (machine, kind)]
    return sum((row["effective_cost"] for row in found), Decimal(0))


def test_a_month_is_charged_day_by_day_to_the_last_digit(tmp_path: Path) -> None:
    card = RateCard(str(CARD), str(MEASURED), charge_from="2026-10-01")
    october, november = months(card)
    assert (october.unit, november.unit) == ("2026-10", "2026-11")
    assert november.stated_rows == 3 * 2  # 1 and 2 November are over; one machine has left
    rows = staged(land([october], tmp_path))
    # 2024-02-29 to 2029-02-28 are 1826 days: 279000 / 1826 = 152.793...
    days = (date(2029, 2, 28) - date(2024, 2, 29)).days
    first, last = (Decimal((date(2026, month, 1) - date(2024, 2, 29)).days) for month in (10, 11))
    place = Decimal("1e-12")
    wanted = [(279000 * number / days).quantize(place, "ROUND_DOWN") for number in (first, last)]
    assert cost(rows, "gpu-01", "Depreciation") == wanted[1] - wanted[0]
    assert cost(rows, "gpu-01", "Hosting") == Decimal("890.50")
    assert cost(rows, "gpu-01", "Support") == Decimal("1450.10")
    day = Decimal("6.2") * 24
    kwh = day * 29 + Decimal("97.412")  # two days were measured, one of them at nothing
    assert cost(rows, "gpu-01", "Power") == kwh * Decimal("0.1874")
    assert cost(rows, "gpu-02", "Power") == day * 31 * Decimal("0.1874")


def test_the_lines_are_machines_with_their_owners_and_sizes(tmp_path: Path) -> None:
    (month,) = months(
        RateCard(str(CARD), charge_from="2026-10-01"), datetime(2026, 10, 2, tzinfo=UTC)
    )
    rows = staged(land([month], tmp_path))
    assert {row["x_line_class"] for row in rows} == {"instance"}
    assert {row["service_provider_name"] for row in rows} == {"in-house"}
    assert {row["billing_account_id"] for row in rows} == {"machines"}
    (bob,) = [row for row in rows if row["resource_id"] == "ws-7"]
    assert (bob["tags"], bob["billing_currency"]) == ({"user": "bob"}, "USD")
    (bought,) = [
        row for row in rows if (row["resource_id"], row["sku_meter"]) == ("gpu-01", "Depreciation")
    ]
    sizes = ("x_instance_type", "x_gpu_count", "x_cpu_count", "x_memory_gib")
    assert tuple(bought[size] for size in sizes) == ("dgx-a100", 8, 128, 2048)
    assert (bought["consumed_quantity"], bought["consumed_unit"]) == (24, "Hours")
    assert bought["charge_period_end"] - bought["charge_period_start"] == timedelta(days=1)


def test_a_machine_that_leaves_early_is_charged_what_is_left_on_its_last_day(
    tmp_path: Path,
) -> None:
    rows = staged(land(months(RateCard(str(CARD))), tmp_path))
    gone = "0d9f6a52-91d4-4c6e-8f0b-5a2f5c1de6aa"
    assert cost(rows, gone, "Depreciation") == Decimal("18750.33")
    dates = [row["charge_date"] for row in rows if row["resource_id"] == gone]
    assert (min(dates), max(dates)) == (date(2025, 11, 1), date(2026, 10, 11))
    assert cost(rows, "ws-7", "Depreciation") == Decimal("4999.99")  # its 24 months are over
    assert max(row["charge_date"] for row in rows if row["resource_id"] == "ws-7") == date(
        2026, 11, 2
    )


def assert_totals_agree(paths: Sequence[Path]) -> None:
    rows = staged(paths)
    wanted: dict[tuple[str, str, str], Decimal] = {}
    for row in rows:
        for measure in ("billed_cost", "effective_cost"):
            key = (f"{row['charge_date']:%Y-%m}", row["billing_currency"], measure)
            wanted[key] = wanted.get(key, Decimal(0)) + row[measure]
    found = {
        (total.charge_month, total.billing_currency, total.measure): total.amount
        for total in raw_totals(TABLE, paths)
    }
    assert found == wanted
    assert_plain(TABLE, paths)


def test_the_models_and_the_raw_totals_agree_on_every_month(tmp_path: Path) -> None:
    assert_totals_agree(land(months(RateCard(str(CARD), str(MEASURED))), tmp_path))


AMOUNTS = st.integers(0, 10**17).map(lambda units: format(Decimal(units).scaleb(-9), "f"))


LIVES = st.fixed_dictionaries(
    {
        "price": AMOUNTS,
        "percent": st.integers(0, 100),
        "life": st.integers(1, 40),
        "start": st.dates(date(2024, 1, 1), date(2026, 6, 30)),
        "days": st.none() | st.integers(1, 900),
        "watts": st.integers(0, 10**7),
        "tariff": st.integers(0, 10**7),
    }
)


@settings(deadline=None, max_examples=12)
@given(life=LIVES)
def test_a_whole_life_adds_up_to_price_less_residual(
    tmp_path_factory: pytest.TempPathFactory, life: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("life")
    price, start = life["price"], life["start"]
    residual = format(Decimal(price) * life["percent"] / 100, "f")
    out = start + timedelta(days=life["days"]) if life["days"] else ""
    path = write(
        folder,
        "machine_id,currency,price,residual,life_months,in_service,out_of_service,"
        "power_watts,price_per_kwh,hosting_per_month",
        f"m,EUR,{price},{residual},{life['life']},{start},{out},"
        f"{Decimal(life['watts']).scaleb(-3)},{Decimal(life['tariff']).scaleb(-6):f},{price}",
    )
    paths = land(months(RateCard(str(path)), datetime(2030, 1, 1, tzinfo=UTC)), folder)
    rows = staged(paths)
    assert cost(rows, "m", "Depreciation") == Decimal(price) - Decimal(residual)
    assert min(row["effective_cost"] for row in rows) >= 0
    assert_totals_agree(paths)


def test_toml_and_csv_of_the_same_machines_are_the_same_bill(tmp_path: Path) -> None:
    written = RateCard(str(DATA / "rate_card" / "machines.toml"), charge_from="2026-10-01")
    path = write(
        tmp_path,
        "machine_id,currency,price,residual,life_months,in_service,power_watts,price_per_kwh,"
        "hosting_per_month,gpu_count,user",
        "gpu-01,EUR,310000,31000.00,60,2024-02-29,6200,0.1874,890.50,8,",
        "ws-7,USD,4999.99,,24,2024-10-20,,,,,bob",
    )
    lists = RateCard(str(path), charge_from="2026-10-01", account="machines")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert staged(land(months(written), tmp_path / "a")) == staged(
        land(months(lists), tmp_path / "b")
    )


def test_an_unchanged_month_is_not_delivered_again_and_a_new_day_is(tmp_path: Path) -> None:
    path = tmp_path / "machines.csv"
    path.write_bytes(CARD.read_bytes())
    card, memory = RateCard(str(path), charge_from="2026-09-01"), Memory()
    for delivery in card.deliveries_at(memory, AT):
        memory.land(delivery)
    assert list(card.deliveries_at(memory, AT + timedelta(hours=19))) == []
    (next_day,) = card.deliveries_at(memory, AT + timedelta(days=1))
    assert next_day.unit == "2026-11"
    other = replace(card, provider="room 2")
    assert [each.unit for each in other.deliveries_at(memory, AT)] == [
        "2026-09",
        "2026-10",
        "2026-11",
    ]


def test_nothing_is_charged_before_a_machine_is_there(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "machine_id,currency,price,life_months,in_service",
        "later,EUR,100,10,2027-01-01",
    )
    assert months(RateCard(str(path))) == []
    (first,) = months(RateCard(str(path)), datetime(2027, 1, 2, 1, tzinfo=UTC))
    with first.files[0].open() as stream:
        frame = pl.read_parquet(io.BytesIO(stream.read()))
    assert frame["day"].to_list() == ["2027-01-01"]


HEADER = (
    "machine_id,currency,price,residual,life_months,in_service,out_of_service,power_watts,"
    "price_per_kwh,hosting_per_month,gpu_count"
)
GOOD = "m-1,EUR,1000,100,36,2026-01-01,2027-01-01,300,0.2,10,8"
CELLS = dict(zip(HEADER.split(","), GOOD.split(","), strict=True))
SPOILED_CELLS = [
    *(("machine_id", text) for text in ("", " ", " m-1", "m-1 ", "m\u200b1", '"m\n1"')),
    *(("currency", text) for text in ("", "eur", "EURO", "€", "12", "E R")),
    *(
        (column, text)
        for column in ("price", "residual", "power_watts", "price_per_kwh", "hosting_per_month")
        for text in ("-1", "1e3", "1.", ".5", "NaN", "$5", "1 000", '"1,000"', "1_000", "٣")
    ),
    ("price", ""),
    ("price", "1" * 13),
    ("price", "99.99"),  # less than the residual
    ("price", "1.0000000000001"),
    ("power_watts", "1.0001"),
    ("price_per_kwh", "0.1000001"),
    ("price_per_kwh", ""),  # watts without a price
    ("gpu_count", "eight"),
    ("gpu_count", "0.0000001"),
    *(("life_months", text) for text in ("", "0", "-3", "36.0", "601", "three", "1e2", "٣")),
    *(
        ("in_service", text)
        for text in ("", "01/02/2026", "2026-1-1", "2026-02-30", "20260101", "2027-01-01", "now")
    ),
    *(("out_of_service", text) for text in ("2026-01-01", "2025-01-01", "soon", "2027-13-01")),
]


@pytest.mark.parametrize(("column", "text"), SPOILED_CELLS)
def test_a_spoiled_cell_is_refused_by_its_line(tmp_path: Path, column: str, text: str) -> None:
    line = ",".join({**CELLS, column: text}.values())
    card = RateCard(str(write(tmp_path, HEADER, "m-0" + GOOD[3:], line)))
    with pytest.raises(SourceError) as caught:
        months(card)
    named = "price" if (column, text) == ("price", "99.99") else column
    assert named in str(caught.value)
    assert "line 3" in str(caught.value) or "line 4" in str(caught.value)
    assert str(tmp_path) in caught.value.__notes__[0]


SPOILED_FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "the column machine_id is missing"),
    "header alone": (HEADER.encode(), "holds no machine"),
    "a column missing": (b"machine_id,currency,price,life_months\na,EUR,1,1\n", "in_service is"),
    "a column twice": (f"{HEADER},price\n{GOOD},1\n".encode(), "price is there twice"),
    "a column unknown": (f"{HEADER},prise\n{GOOD},1\n".encode(), "did you mean price?"),
    "a field too few": (f"{HEADER}\n{GOOD[:-2]}\n".encode(), "another number of fields"),
    "a field too many": (f"{HEADER}\n{GOOD},1\n".encode(), "another number of fields"),
    "semicolons": (f"{HEADER}\n{GOOD}\n".replace(",", ";").encode(), "machine_id is missing"),
    "UTF-16": (f"{HEADER}\n{GOOD}\n".encode("utf-16"), "not CSV in UTF-8"),
    "Latin-1": (
        f"{HEADER}\n{GOOD}\n".replace("m-1", "m\u00e9").encode("latin-1"),
        "not CSV in UTF-8",
    ),
    "an open quote": (f'{HEADER}\n"{GOOD}\n'.encode(), "not CSV"),
    "a machine twice": (f"{HEADER}\n{GOOD}\n{GOOD.replace('m-1', 'M-1')}\n".encode(), "already"),
}


@pytest.mark.parametrize(("content", "said"), SPOILED_FILES.values(), ids=SPOILED_FILES)
def test_a_spoiled_card_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "card.csv"
    path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        months(RateCard(str(path)))
    assert said in str(caught.value)


TOML = '[[machines]]\nmachine_id = "m"\ncurrency = "EUR"\nprice = 10\nlife_months = 3\n'
START = "in_service = 2026-01-01\n"
SPOILED_TOML: dict[str, tuple[str, str]] = {
    "no TOML": ("machines = [", "not TOML"),
    "a table": ("[machines]\nx = 1\n", "not a list of"),
    "texts": ('machines = ["a"]\n', "not a list of"),
    "another key": (f"colour = 1\n{TOML}{START}", "it holds colour"),
    "nothing": ("", "holds no machine"),
    "no start": (TOML, "in_service is empty"),
    "an unknown key": (f"{TOML}{START}prices = 3\n", "did you mean price?"),
    "a number that is none": (f"{TOML}{START}residual = nan\n", "residual 'NaN' is not"),
    "infinite": (f"{TOML}{START}residual = inf\n", "residual 'Infinity' is not"),
    "negative": (f"{TOML}{START}residual = -1\n", "residual '-1' is not"),
    "a flag": (f"{TOML}{START}residual = true\n", "neither a text, a number nor a day"),
    "a list": (f"{TOML}{START}team = ['a']\n", "neither a text, a number nor a day"),
    "a time": (f"{TOML}in_service = 2026-01-01T00:00:00\n", "is not a date"),
    "twice": (f"{TOML}{START}{TOML}{START}", "is on machine 1 already"),
}


@pytest.mark.parametrize(("text", "said"), SPOILED_TOML.values(), ids=SPOILED_TOML)
def test_a_spoiled_toml_card_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "card.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SourceError) as caught:
        months(RateCard(str(path)))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("m-2,2026-02-01,1", "m-2 is not on the card"),
        ("m-1,2026-02-30,1", "is not a date"),
        ("m-1,2026-02-01,-1", "kwh '-1' is not a number"),
        ("m-1,2026-02-01,", "kwh is empty"),
        ("m-1,,1", "day is empty"),
        ("m-1,2026-02-01,1.0000001", "at most 6 places"),
        ("m-1,2026-02-01,1\nm-1,2026-02-01,2", "has another value"),
        ("dull,2026-02-01,1", "has no price_per_kwh"),
    ],
)
def test_measured_power_that_fits_no_machine_is_refused(
    tmp_path: Path, line: str, said: str
) -> None:
    card = write(tmp_path, HEADER, GOOD, "dull,EUR,1,0,3,2026-01-01,,,,,")
    measured = write(tmp_path, "machine_id,day,kwh", line, name="measured.csv")
    with pytest.raises(SourceError) as caught:
        months(RateCard(str(card), str(measured)))
    assert said in str(caught.value)


def test_places_that_hold_no_card_are_named(tmp_path: Path) -> None:
    for path, said in (("none.csv", "not there"), ("card.xlsx", "neither CSV nor TOML")):
        with pytest.raises(SourceError, match=said):
            months(RateCard(str(tmp_path / path)))
    with pytest.raises(SourceError, match="not a day"):
        RateCard(str(CARD), charge_from="1 May")
