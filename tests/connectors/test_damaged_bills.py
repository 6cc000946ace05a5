"""Damaged bills of AWS, Azure and FOCUS: refused, or read right on both sides of the books.

Each case spoils one thing of a few lines of a real sample. What is taken must add up, by the models
and by the raw totals alike, to what the good lines add up to.
"""

from __future__ import annotations

import csv
import gzip
import io
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

import pytest

from queries import ModelError
from queries.engines.duckdb import Error
from queries.totals import raw_totals
from tests.queries.bills import DATA, stage_rows
from tests.queries.split_bill import machine, pod_lines, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Refusal = (ModelError, Error)


@dataclass(frozen=True)
class Bill:
    """A format, and where the money and the times of a sample of it are."""

    kind: str
    table: str
    sample: str
    cost: str
    start: str
    period: str
    mark: str = ""
    """What a line of the sample must hold to be taken."""
    more: tuple[tuple[str, str], ...] = ()
    """Columns that are put behind the sample's, with their value."""


BILLS = {
    "a legacy report": Bill(
        *("aws_cur", "line_items", "aws_cur/koku/aws_2023-06-01.csv"),
        *("lineItem/UnblendedCost", "lineItem/UsageStartDate", "bill/BillingPeriodStartDate"),
    ),
    "CUR 2.0": Bill(
        *("aws_cur", "line_items", "aws_cur/keboola/keboola_cur2.csv"),
        *("line_item_unblended_cost", "line_item_usage_start_date"),
        "bill_billing_period_start_date",
    ),
    "FOCUS": Bill(
        *("focus", "cost_and_usage", "focus/sample_1_0/focus_sample.csv"),
        *("BilledCost", "ChargePeriodStart", "BillingPeriodStart"),
        mark="Microsoft",
    ),
    "AWS's FOCUS": Bill(
        *("focus", "cost_and_usage", "focus/sample_1_0/focus_sample.csv"),
        *("EffectiveCost", "ChargePeriodStart", "BillingPeriodStart"),
        mark="Amazon Elastic Compute",
        more=(
            ("x_ServiceCode", "AmazonEC2"),
            ("x_UsageType", "USW2-BoxUsage:p4d.24xlarge"),
            ("x_CostCategories", '{"env": "prod"}'),
            ("x_Discounts", '{"total_discount": 0.5}'),
        ),
    ),
    "Azure": Bill(
        *("azure_cost", "cost_details", "azure_cost/koku/amortized/azure_azure_version_2.csv"),
        *("CostInBillingCurrency", "Date", "BillingPeriodStartDate"),
    ),
}


@cache
def good_text(bill: Bill) -> str:
    """Return three lines of a sample below its header."""
    header, *lines = (DATA / bill.sample).read_text(encoding="utf-8-sig").splitlines()
    taken = [line for line in lines if bill.mark in line][:3]
    assert len(taken) == 3 or not bill.mark
    rows = list(csv.DictReader(io.StringIO("\n".join([header, *taken]))))
    return text_of([{**row, **dict(bill.more)} for row in rows])


def text_of(rows: list[dict[str, str]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def good_total(bill: Bill) -> Decimal:
    rows = csv.DictReader(io.StringIO(good_text(bill)))
    return sum((Decimal(row[bill.cost] or 0) for row in rows), Decimal(0))


def read_both_ways(bill: Bill, path: Path) -> Decimal:
    """Return what a bill costs, by the column that is spoiled; both sides must say the same.

    Raises: one of Refusal
    """
    measure = "effective_cost" if bill.cost == "EffectiveCost" else "billed_cost"
    names = [f"amortized/{path.name}"]
    found = raw_totals(f"{bill.kind}__{bill.table}", [path], names)
    wanted = sum((each.amount for each in found if each.measure == measure), Decimal(0))
    rows = stage_rows(bill.kind, [path])
    assert sum((Decimal(str(row[measure])) for row in rows), Decimal(0)) == wanted
    keys = {
        (f"{row['billing_period']:%Y-%m}", f"{row['charge_date']:%Y-%m}", row["billing_currency"])
        for row in rows
    }
    assert keys == {
        (each.billing_period, each.charge_month, each.billing_currency) for each in found
    }
    return wanted


def put(folder: Path, content: bytes, name: str = "a.csv") -> Path:
    path = folder / "amortized" / name
    path.parent.mkdir()
    path.write_bytes(content)
    return path


COSTS = (
    *("abc", "$5", "5 USD", "1_0", "--1", "1.2.3", "1,5", "NaN", "inf", "-Infinity", "0x1", "1e30"),
    *("5-", "(5)", "1 000", "5。0", "=5", "٣", "1'000", "½", "+-1", "1e", "e5", "1..2", "true"),
)
TIMES = (
    *("5.10.2026", "yesterday", "2026-13-05T00:00:00Z", "45567", "2026-10-32T00:00:00Z"),
    *("2026-10-05T25:00:00Z", "2026-10-05T08:61:00Z", "20261005", "05-10-2026", "2026年10月5日"),
    *("10-05", "2026-10-05T08:00:00 CST?", "1779000000", "2026-02-30T00:00:00Z", "Oct 5, 2026"),
)
CELLS = [
    *(("cost", text) for text in COSTS),
    *(("start", text) for text in TIMES),
    *(("period", text) for text in TIMES[:9]),
]


@pytest.mark.parametrize("bill", BILLS.values(), ids=BILLS)
@pytest.mark.parametrize(("column", "text"), CELLS)
def test_a_spoiled_cell_is_refused(tmp_path: Path, bill: Bill, column: str, text: str) -> None:
    rows = list(csv.DictReader(io.StringIO(good_text(bill))))
    rows[1][getattr(bill, column)] = text
    path = put(tmp_path, text_of(rows).encode())
    with pytest.raises(Refusal):
        read_both_ways(bill, path)


FILES: dict[str, Callable[[str], bytes]] = {
    "a field too few": lambda text: text[: text.rindex(",")].encode(),
    "a field too many": lambda text: (text[:-1] + ",x\n").encode(),
    "cut in a line": lambda text: text[: -len(text) // 5].encode(),
    "an open quote": lambda text: (text + '"').encode(),
    "semicolons": lambda text: text.replace(",", ";").encode(),
    "tabs": lambda text: text.replace(",", "\t").encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "zeros": lambda text: b"\0" * len(text),
    "a web page": lambda _: b"<html><body>403</body></html>\n",
    "JSON": lambda _: b'{"Code": "Forbidden"}\n',
    "XML": lambda _: b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>\n',
    "no header": lambda text: text.split("\n", 1)[1].encode(),
    "the header twice": lambda text: (text.split("\n", 1)[0] + "\n" + text).encode(),
    "old Macintosh's lines": lambda text: text.replace("\n", "\r").encode(),
    "a line of an old Macintosh": lambda text: "\r".join(text.rsplit("\n", 2)).encode(),
    "two carriage returns": lambda text: text.replace("\n", "\r\r\n").encode(),
    "packed": lambda text: gzip.compress(text.encode()),
}


@pytest.mark.parametrize("bill", BILLS.values(), ids=BILLS)
@pytest.mark.parametrize("spoil", FILES.values(), ids=FILES)
def test_a_spoiled_file_is_refused(
    tmp_path: Path, bill: Bill, spoil: Callable[[str], bytes]
) -> None:
    path = put(tmp_path, spoil(good_text(bill)))
    with pytest.raises(Refusal):
        read_both_ways(bill, path)


ODD: dict[str, Callable[[str], bytes]] = {
    "as it is": str.encode,
    "Windows lines, a byte order mark and blank lines": lambda text: (
        ("\ufeff" + text).replace("\n", "\r\n") + "\r\n\r\n"
    ).encode(),
    "lines that end in two ways": lambda text: text.replace("\n", "\r\n", 2).encode(),
    "no last line end, and a column nobody knows": lambda text: "\n".join(
        f"{line},x" for line in text.splitlines()
    ).encode(),
}


@pytest.mark.parametrize("bill", BILLS.values(), ids=BILLS)
@pytest.mark.parametrize("change", ODD.values(), ids=ODD)
def test_what_is_odd_and_still_right_is_read_right(
    tmp_path: Path, bill: Bill, change: Callable[[str], bytes]
) -> None:
    path = put(tmp_path, change(good_text(bill)))
    assert read_both_ways(bill, path) == good_total(bill)


HELD = "split_line_item_split_usage"
SPLIT_CELLS = [
    *(
        (column, text)
        for column in (HELD, f"{HELD}_ratio")
        for text in COSTS
        if text != "1_0"  # which is ten to DuckDB; of money the raw totals refuse it
    ),
    *(("line_item_usage_start_date", text) for text in TIMES),
]


@pytest.mark.parametrize(("column", "text"), SPLIT_CELLS)
def test_what_a_pod_was_allotted_is_refused_where_it_is_spoiled(
    tmp_path: Path, column: str, text: str
) -> None:
    """Shares of a machine that nobody can read would be a cost that nobody can explain."""
    lines = [machine("8"), *pod_lines({"a": {"gpu": 1, "cpu": 2}, "b": {"gpu": 3}})]
    good = write(tmp_path / "good.csv", lines)
    lines[2] = {**lines[2], column: text}
    path = put(tmp_path, write(tmp_path / "bad.csv", lines).read_bytes())
    with pytest.raises(Refusal):
        assert stage_rows("aws_cur", [path], "billed_pods") != stage_rows(
            "aws_cur", [good], "billed_pods"
        )
