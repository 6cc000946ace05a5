"""Totals from raw files: exact, and the same rounding as the raw reader's, for every type."""

from __future__ import annotations

import gzip
import math
import random
import re
import struct
import zlib
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queries import ModelError
from queries.totals import RawTotal, kept_columns, raw_totals
from tests.queries.bills import DATA, EXACT, staged, sum_column

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FOCUS = "focus__cost_and_usage"
AWS = "aws_cur__line_items"
START = "2026-10-01T00:00:00Z"
PLACE = Decimal("1e-12")


def only(totals: Sequence[RawTotal], measure: str = "billed_cost") -> RawTotal:
    (found,) = [total for total in totals if total.measure == measure]
    return found


def write_parquet(path: Path, costs: pl.Series) -> Path:
    frame = pl.DataFrame({"BilledCost": costs, "EffectiveCost": costs})
    frame.with_columns(
        BillingPeriodStart=pl.lit(START).str.to_datetime(time_zone="UTC"),
        ChargePeriodStart=pl.lit(START).str.to_datetime(time_zone="UTC"),
    ).write_parquet(path)
    return path


def write_text(path: Path, costs: Sequence[str]) -> Path:
    lines = "".join(f"{START},{cost}\n" for cost in costs)
    path.write_text(f"BillingPeriodStart,BilledCost\n{lines}", encoding="utf-8")
    return path


def exact_sum(values: Sequence[Decimal]) -> Decimal:
    total = Decimal(0)
    for value in values:
        total = EXACT.add(total, value)
    return total


def read_by_duckdb(path: Path) -> Decimal:
    """Return what the raw reader makes of the billed cost."""
    with staged("focus", [path]) as con:
        row = con.execute("select sum(billed_cost) from raw.focus__cost_and_usage").fetchone()
    assert row is not None
    return Decimal(row[0])


def awkward_doubles(count: int) -> list[float]:
    """Return doubles of every size that money may have, halves and neighbours among them."""
    rng = random.Random(20261121)  # noqa: S311 - figures, not secrets
    found = []
    for _ in range(count // 4):
        wide = rng.uniform(-1, 1) * 10 ** rng.uniform(-16, 12)
        half = (rng.randrange(-(10**9), 10**9) + 0.5) / 1e12
        price = rng.randrange(10**9) / 10 ** rng.randrange(13)
        found += [wide, half, price, math.nextafter(price, math.inf)]
    edges = [2048.0, math.nextafter(2048.0, 0), -2048.0, 0.0, -0.0, 5e-324, 1e-13, 5e-13, 1e22]
    return found + edges


def test_doubles_add_up_as_the_raw_reader_rounds_them_and_nothing_is_lost(tmp_path: Path) -> None:
    values = awkward_doubles(200_000)
    path = write_parquet(tmp_path / "a.parquet", pl.Series(values))
    total = only(raw_totals(FOCUS, [path]))
    assert total.rows == len(values)
    assert total.amount == read_by_duckdb(path)
    shortest = exact_sum([Decimal(repr(value)) for value in values])
    assert EXACT.add(total.amount, total.beyond) == shortest


def test_each_double_is_rounded_as_the_raw_reader_rounds_it(tmp_path: Path) -> None:
    """One by one, so that errors cannot cancel in a sum."""
    values = awkward_doubles(400)
    path = write_parquet(tmp_path / "a.parquet", pl.Series(values))
    with staged("focus", [path]) as con:
        read = con.execute("select billed_cost from raw.focus__cost_and_usage").fetchall()
    assert len(read) == len(values)
    singles = [
        only(raw_totals(FOCUS, [write_parquet(tmp_path / "b.parquet", pl.Series([value]))])).amount
        for value in values
    ]
    assert sorted(singles) == sorted(row[0] for row in read)


@settings(deadline=None, max_examples=60)
@given(bits=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=200))
def test_any_double_below_the_largest_is_summed_exactly(
    tmp_path_factory: pytest.TempPathFactory, bits: list[int]
) -> None:
    values = [struct.unpack("<d", number.to_bytes(8, "little"))[0] for number in bits]
    values = [value for value in values if abs(value) < 1e20] or [0.5]
    path = write_parquet(tmp_path_factory.mktemp("bits") / "a.parquet", pl.Series(values))
    total = only(raw_totals(FOCUS, [path]))
    shortest = exact_sum([Decimal(repr(value)) for value in values])
    wide = EXACT.copy()
    wide.prec = 1200
    assert wide.add(total.amount, total.beyond) == wide.create_decimal(shortest) or any(
        value != 0 and abs(value) < 1e-150 for value in values
    )


NUMBERS = st.one_of(
    st.decimals(-(10**15), 10**15, places=12).map(lambda value: format(value, "f")),
    st.decimals(-1000, 1000, places=18).map(lambda value: format(value, "f")),
    st.decimals(-1, 1, places=25).map(lambda value: format(value, "f")),
    # smaller ones have more digits than the exact context of this test adds up
    st.floats(-1e9, 1e9).filter(lambda value: value == 0 or abs(value) > 1e-150).map(repr),
    st.integers(-(10**12), 10**12).map(str),
    st.sampled_from(
        ["0.0000000000005", "-0.0000000000005", "5e-13", "4.999E-13", "1E-10", ".5", "5.", "+7", ""]
    ),
)


@settings(deadline=None, max_examples=60)
@given(costs=st.lists(NUMBERS, min_size=1, max_size=100))
def test_text_adds_up_as_written_and_as_the_raw_reader_rounds_it(
    tmp_path_factory: pytest.TempPathFactory, costs: list[str]
) -> None:
    path = write_text(tmp_path_factory.mktemp("text") / "a.csv", costs)
    total = only(raw_totals(FOCUS, [path]))
    values = [Decimal(cost) for cost in costs if cost]
    rounded = exact_sum([value.quantize(PLACE, ROUND_HALF_UP, EXACT) for value in values])
    assert total.amount == rounded
    assert EXACT.add(total.amount, total.beyond) == exact_sum(values)
    assert total.amount == (read_by_duckdb(path) if any(costs) else 0)


@pytest.mark.parametrize(
    ("costs", "amount", "beyond"),
    [
        (pl.Series([3, -1], dtype=pl.Int32), "2", "0"),
        (pl.Series(["1.5", "0.25"]), "1.75", "0"),
        (pl.Series([Decimal("0.1234567890125")] * 2), "0.246913578026", "-1e-12"),
        (pl.Series([0.1, 4e7 + 4], dtype=pl.Float32), "40000004.100000001490", "1.1612E-13"),
        (pl.Series([0.1, None, 0.2]), "0.3", "0"),
        (pl.Series([None, None], dtype=pl.Float64), "0", "0"),
    ],
    ids=["integers", "texts", "decimals", "short-floats", "nulls", "only-nulls"],
)
def test_parquet_counts_whatever_type_it_gives_a_cost(
    tmp_path: Path, costs: pl.Series, amount: str, beyond: str
) -> None:
    path = write_parquet(tmp_path / "a.parquet", costs)
    total = only(raw_totals(FOCUS, [path]))
    assert (total.amount, total.beyond) == (Decimal(amount), Decimal(beyond))
    if costs.null_count() < len(costs):
        assert total.amount == read_by_duckdb(path)


def test_packed_text_is_cut_into_blocks_at_line_ends_outside_of_quotes(tmp_path: Path) -> None:
    """More than one block of 32 MiB, most of it line ends within quotes."""
    filler = '"' + 'a ""b"",\n' * 400 + '"'
    lines = "".join(f"{START},{number}.000000000001,{filler}\n" for number in range(12_000))
    path = tmp_path / "a.csv.gz"
    with gzip.open(path, "wt", compresslevel=1, encoding="utf-8", newline="") as text:
        text.write(f"BillingPeriodStart,BilledCost,ChargeDescription\n{lines}")
    total = only(raw_totals(FOCUS, [path]))
    assert total.rows == 12_000
    assert (total.amount, total.beyond) == sum_column([path], "BilledCost")


def test_files_of_one_delivery_are_added_though_their_columns_differ(tmp_path: Path) -> None:
    paths = [
        write_parquet(tmp_path / "a.parquet", pl.Series([3])),
        write_parquet(tmp_path / "b.parquet", pl.Series([3.75])),
        write_text(tmp_path / "c.csv", ["0.25"]),
    ]
    assert only(raw_totals(FOCUS, paths)).amount == Decimal(7)


def test_totals_are_by_account_period_month_of_use_and_currency_in_that_order(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "BilledCost,EffectiveCost,BillingAccountId,BillingPeriodStart,ChargePeriodStart,"
        "BillingCurrency,ProviderName\n"
        "1,2,007,2026-10-01T00:00:00Z,2026-09-30T23:00:00Z,USD,AWS\n"
        "1,2,007,2026-10-01T00:00:00Z,2026-10-01T01:30:00+02:00,USD,AWS\n"
        "1,2,007,2026-10-01 00:00:00,2026-10-01 00:00:00,USD,AWS\n"
        "4,5,007,2026-10-01T00:00:00Z,2026-10-05T00:00:00Z,EUR,AWS\n"
        "6,7,NULL,2026-10-01T00:00:00Z,,,Microsoft\n",
        encoding="utf-8",
    )
    found = [
        (
            *(total.provider, total.billing_account_id, total.billing_period, total.charge_month),
            *(total.billing_currency, total.measure, total.rows),
            int(total.amount),
        )
        for total in raw_totals(FOCUS, [path])
    ]
    assert found == [
        ("AWS", "007", "2026-10", "2026-09", "USD", "billed_cost", 2, 2),
        ("AWS", "007", "2026-10", "2026-09", "USD", "effective_cost", 2, 4),
        ("AWS", "007", "2026-10", "2026-10", "EUR", "billed_cost", 1, 4),
        ("AWS", "007", "2026-10", "2026-10", "EUR", "effective_cost", 1, 5),
        ("AWS", "007", "2026-10", "2026-10", "USD", "billed_cost", 1, 1),
        ("AWS", "007", "2026-10", "2026-10", "USD", "effective_cost", 1, 2),
        ("Microsoft", "", "2026-10", "2026-10", "XXX", "billed_cost", 1, 6),
        ("Microsoft", "", "2026-10", "2026-10", "XXX", "effective_cost", 1, 7),
    ]


@pytest.mark.parametrize(
    "bad", ["abc", "1_000", "--1", "NaN", "inf", "1e24", "$5", "1 2", "e5", "."]
)
def test_a_cost_that_is_no_number_is_refused_with_the_file_and_the_value(
    tmp_path: Path, bad: str
) -> None:
    path = write_text(tmp_path / "a.csv", ["1", bad])
    with pytest.raises(ModelError, match="not a number") as error:
        raw_totals(FOCUS, [path])
    assert repr(bad.lower()) in str(error.value)
    assert str(path) in error.value.__notes__[0]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_double_that_is_no_number_is_refused(tmp_path: Path, bad: float) -> None:
    path = write_parquet(tmp_path / "a.parquet", pl.Series([1.0, bad]))
    with pytest.raises(ModelError, match="not a number"):
        raw_totals(FOCUS, [path])


def test_dates_that_are_not_iso_are_refused() -> None:
    path = DATA / "focus/spec_1_2_refused/saas_spend_agreements_a1.csv"
    with pytest.raises(ModelError, match="ChargePeriodStart holds '4/1/25', which is not a time"):
        raw_totals(FOCUS, [path])


def test_an_hour_that_no_day_has_is_refused() -> None:
    path = DATA / "focus/spec_1_2_refused/commitment_discount_purchase_scenario_2.csv"
    with pytest.raises(Exception, match="out of range"), staged("focus", [path]) as con:
        con.execute("select * from staged").fetchall()


def test_a_line_of_no_time_at_all_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("BillingPeriodStart,BilledCost\n,5\n", encoding="utf-8")
    with pytest.raises(ModelError, match="neither a billing period nor a time of use"):
        raw_totals(FOCUS, [path])


def test_a_file_that_is_no_bill_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("name,team\nalice,vision\n", encoding="utf-8")
    with pytest.raises(ModelError, match="not such a bill"):
        raw_totals(AWS, [path])


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_fields_that_stand_apart_by_another_mark_are_told_of(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"BilledCost{mark}EffectiveCost\n1{mark}1\n", encoding="utf-8")
    with pytest.raises(ModelError, match=re.escape(f"stand apart by {mark!r}, not by commas")):
        raw_totals(FOCUS, [path])


def test_a_header_without_lines_adds_up_to_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("lineItem/UnblendedCost\n", encoding="utf-8")
    assert raw_totals(AWS, [path]) == []


def test_the_columns_by_which_lines_count_are_known_by_either_name(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"lineItem/UnblendedCost,LineItem/LineItemType,x\n"))
    assert kept_columns(AWS, [path]) == {"line_item_unblended_cost", "line_item_line_item_type"}
    assert kept_columns("mapped_csv__lines", [path]) == set()


def test_a_table_that_is_no_bill_is_named() -> None:
    with pytest.raises(ModelError, match="mlflow__runs is not a bill"):
        raw_totals("mlflow__runs", [])


def test_a_truncated_gzip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    whole = gzip.compress(b"BillingPeriodStart,BilledCost\n" + f"{START},1\n".encode() * 5000)
    path.write_bytes(whole[:-20])
    with pytest.raises(ModelError, match="cannot be read"):
        raw_totals(FOCUS, [path])


@pytest.mark.parametrize("place", [1, 2000, -8, -1])
def test_packed_bytes_that_are_not_what_was_packed_are_refused_as_zlib_says(
    tmp_path: Path, place: int
) -> None:
    """One bit of a file is another one: of its header, its content, its checksum, its length."""
    path = tmp_path / "a.csv.gz"
    lines = "".join(f"{START},{number}.25\n" for number in range(5000))
    content = bytearray(gzip.compress(f"BillingPeriodStart,BilledCost\n{lines}".encode(), mtime=0))
    content[place] ^= 8
    path.write_bytes(content)
    with pytest.raises((OSError, zlib.error)) as of_zlib, gzip.open(path) as stream:
        stream.read()
    with pytest.raises(ModelError) as caught:
        raw_totals(FOCUS, [path])
    assert str(caught.value) == f"a file cannot be read: {of_zlib.value}"
