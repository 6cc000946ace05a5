"""Files that hold the same lines are found, however they are written; others are left alone."""

from __future__ import annotations

import gzip
import hashlib
from typing import TYPE_CHECKING

import polars as pl
import pytest

from connectors import connector_class
from connectors.base import Table
from queries.landed import LandedFile
from queries.overlaps import SeenLines

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

TABLE = Table(
    "lines",
    {"day": "text", "cost": "number", "line_no": "text"},
    is_bill=True,
    of_export=("line_no",),
)
MANY = 12_000
"""Lines that a file is said to have, so that one in eight is looked at."""


def bill(path: Path, numbers: Iterable[int], *, first: int = 1, header: str = "cost") -> LandedFile:
    """Write lines of two cells, those of equal numbers alike, and a number of their place."""
    lines = [f"2026-10-03,{number}.5,{first + at}" for at, number in enumerate(numbers)]
    text = "\n".join([f"day,{header},line_no", *lines, ""])
    if path.suffix == ".parquet":
        pl.read_csv(text.encode(), infer_schema=False).write_parquet(path)
    else:
        packed = text.encode()
        path.write_bytes(gzip.compress(packed) if path.suffix == ".gz" else packed)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return LandedFile(path, path.name, path.name.partition(".")[2], digest)


def overlap(
    new: Iterable[LandedFile], old: Iterable[LandedFile] = (), lines: int = 10
) -> tuple[str, str] | None:
    """Hold files against each other, each of which has `lines`, about."""
    return SeenLines().find_overlap(TABLE, dict.fromkeys(new, lines), dict.fromkeys(old, lines))


@pytest.mark.parametrize("lines", [1, MANY])
@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
def test_a_file_of_which_another_holds_half_is_found(
    tmp_path: Path, ending: str, lines: int
) -> None:
    whole = bill(tmp_path / f"b.{ending}", range(4000), first=7)
    apart = bill(tmp_path / f"c.{ending}", range(9000, 12000))
    less = bill(tmp_path / f"d.{ending}", range(-2400, 1600))
    half = bill(tmp_path / f"e.{ending}", range(2000, 4500))
    assert overlap([whole, apart], [less], lines) is None
    assert overlap([apart, half], [whole], lines) == (whole.name, half.name)


@pytest.mark.parametrize(
    ("connector", "header"),
    [
        ("aws_cur", "lineItem/UnblendedCost,bill/InvoiceId"),
        ("aws_cur", "line_item_unblended_cost,bill_invoice_id"),
        ("focus", "BilledCost,InvoiceId"),
        ("focus", "BilledCost,InvoiceDetailId"),
    ],
)
@pytest.mark.parametrize("is_parquet", [False, True])
def test_a_month_that_was_closed_holds_what_it_held_while_it_was_open(
    tmp_path: Path, connector: str, header: str, *, is_parquet: bool
) -> None:
    (table,) = connector_class(connector).tables
    files = []
    for name, invoice, first in [("open", "", 1), ("closed", "7001", 1), ("next", "7002", 9)]:
        text = "\n".join([header, *(f"{first + line}.5,{invoice}" for line in range(5)), ""])
        path = tmp_path / f"{name}.csv"
        path.write_text(text, encoding="utf-8")
        if is_parquet:
            path = path.with_suffix(".parquet")
            pl.read_csv(text.encode(), infer_schema=False).write_parquet(path)
        files.append(LandedFile(path, name, path.suffix[1:], name))
    is_open, closed, following = (dict.fromkeys([file], 5) for file in files)
    assert SeenLines().find_overlap(table, closed, is_open) == ("closed", "open")
    assert SeenLines().find_overlap(table, following, is_open) is None


def test_it_counts_how_often_a_line_is_there(tmp_path: Path) -> None:
    often = bill(tmp_path / "often.csv", [1] * 3)
    other = bill(tmp_path / "other.csv", [1] * 2 + list(range(10, 15)))
    once = bill(tmp_path / "once.csv", [1, *range(20, 25)])
    assert overlap([often], [other]) == ("often.csv", "other.csv")
    assert overlap([often], [once]) is None


def test_what_is_old_is_not_held_against_what_is_old(tmp_path: Path) -> None:
    old = [bill(tmp_path / f"{name}.csv", range(5)) for name in "ab"]
    assert overlap([bill(tmp_path / "new.csv", range(50, 60))], old) is None


def test_a_file_that_was_looked_at_is_not_read_again(tmp_path: Path) -> None:
    seen = SeenLines()
    old, new = (bill(tmp_path / f"{name}.csv", range(5)) for name in ("old", "new"))
    other = bill(tmp_path / "other.csv", range(50, 60))
    assert seen.find_overlap(TABLE, {other: 10}, {old: 5}) is None
    old.path.unlink()
    assert seen.find_overlap(TABLE, {new: 5}, {old: 5, other: 10}) == ("new.csv", "old.csv")


def test_one_line_is_not_enough(tmp_path: Path) -> None:
    assert overlap([bill(tmp_path / f"{name}.csv", [1]) for name in "ab"]) is None


def test_what_other_columns_say_is_not_the_same(tmp_path: Path) -> None:
    one = bill(tmp_path / "one.csv", range(5))
    assert overlap([one, bill(tmp_path / "other.csv", range(5), header="price")]) is None


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_column_more_makes_another_line_where_it_says_something(
    tmp_path: Path, ending: str
) -> None:
    frame = pl.read_csv(bill(tmp_path / "one.csv", range(9)).path, infer_schema=False)

    def with_more(name: str, said: str | None) -> LandedFile:
        more = [pl.lit(said).alias(f"tag_{number}") for number in range(600)]
        wider = frame if said is None else frame.select(*more, "line_no", "cost", "day")
        path = tmp_path / f"{name}.{ending}"
        wider.write_csv(path) if ending == "csv" else wider.write_parquet(path)
        return LandedFile(path, name, ending, name)

    one = with_more("one", None)
    assert overlap([one, with_more("empty", "")]) == ("empty", "one")
    assert overlap([one, with_more("full", "x")]) is None


def test_few_lines_among_many_that_are_not_all_looked_at_tell_nothing(tmp_path: Path) -> None:
    few = bill(tmp_path / "few.csv", range(90))
    many = bill(tmp_path / "many.csv", range(12_000))
    seen = SeenLines()
    assert seen.find_overlap(TABLE, {few: 90}, {many: 1999}) == ("few.csv", "many.csv")
    assert SeenLines().find_overlap(TABLE, {few: 90}, {many: 12_000}) is None


def test_a_long_file_is_held_against_a_shorter_one(tmp_path: Path) -> None:
    month = bill(tmp_path / "month.csv", range(30_000))
    begun = bill(tmp_path / "begun.csv", range(6_000))
    other = bill(tmp_path / "other.csv", range(27_500, 34_000))
    assert SeenLines().find_overlap(TABLE, {month: 30_000}, {other: 6_500}) is None
    found = SeenLines().find_overlap(TABLE, {month: 30_000}, {other: 6_500, begun: 6_000})
    assert found == ("begun.csv", "month.csv")


def test_a_file_that_cannot_be_read_is_left_to_whoever_counts_it(tmp_path: Path) -> None:
    torn = bill(tmp_path / "torn.parquet", range(5))
    torn.path.write_bytes(torn.path.read_bytes()[:-20])
    assert overlap([torn, bill(tmp_path / "whole.parquet", range(5))]) is None
