"""Damaged bills of Google's: refused with the file and the fix, or read right; never quietly wrong.

Each case spoils one thing of a good file, which is then landed as a night lands it and, where it is
taken, staged: the models and the raw totals must agree on what it bills.
"""

from __future__ import annotations

import csv
import gzip
import io
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from connectors.base import SourceError
from connectors.gcp_billing import GcpBilling
from jobs.fetching import RefusedDeliveryError, copy_file
from jobs.progress import NoProgress
from queries import ModelError
from queries.engines.duckdb import Error
from queries.totals import raw_totals
from tests.connectors.gcp_lines import credit, line
from tests.connectors.known import Memory
from tests.queries.bills import staged
from tests.queries.test_gcp_staging import SCHEMA, flat, parquet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KIND, TABLE = "gcp_billing", "gcp_billing__line_items"
GOOD = [line(cost=1.5), line(cost=0.25, credits=[credit("PROMOTION", -0.5)]), line(cost=8.0)]
TOTAL = Decimal("9.25")
Refusal = (SourceError, RefusedDeliveryError, ModelError, Error)


def bill(folder: Path) -> Decimal:
    """Land and stage the one file of a folder; return what it bills.

    Raises: one of Refusal
    """
    landed = folder.parent / "landed"
    landed.mkdir(exist_ok=True)
    (delivery,) = GcpBilling(root=str(folder)).deliveries(Memory())
    paths = []
    for number, file in enumerate(delivery.files):
        path = landed / f"{number}.{file.format}"
        copy_file(file, path, file.name, NoProgress())
        paths.append(path)
    totals = raw_totals(TABLE, paths)
    with staged(KIND, paths) as con:
        con.execute("create temp table whole as select * from staged")
        rows = con.execute(
            "select strftime(billing_period, '%Y-%m'), strftime(charge_date, '%Y-%m'), "
            "billing_currency, sum(billed_cost) from whole group by all"
        ).fetchall()
    found = {
        (each.billing_period, each.charge_month, each.billing_currency): each.amount
        for each in totals
        if each.measure == "billed_cost"
    }
    assert {(row[0], row[1], row[2]): row[3] for row in rows} == found
    return sum(found.values(), Decimal(0))


def good_text(folder: Path) -> str:
    return flat(folder / "good.csv", GOOD).read_text("utf-8")


def with_header(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        header, rest = text.split("\n", 1)
        assert old in header
        return f"{header.replace(old, new, 1)}\n{rest}"

    return change


def with_value(column: str, value: str, row: int = 1) -> Callable[[str], str]:
    """Put a value into a row, counted from 0."""

    def change(text: str) -> str:
        lines = list(csv.DictReader(io.StringIO(text)))
        assert column in lines[0]
        lines[row][column] = value
        out = io.StringIO()
        writer = csv.DictWriter(out, lines[0])
        writer.writeheader()
        writer.writerows(lines)
        return out.getvalue()

    return change


REFUSED: dict[str, tuple[Callable[[str], str], str]] = {
    "nothing at all": (lambda _: "", "is empty"),
    "no costs": (with_header(",cost,", ",costs,"), "no column cost"),
    "another format's header": (lambda text: text.replace("cost", "BilledCost"), "no column cost"),
    "cut in a line": (lambda text: text[: len(text) * 2 // 3], ""),
    "a field too few": (lambda text: text.replace(",regular", "", 1), ""),
    "a field too many": (lambda text: text.replace(",regular", ",regular,,,", 1), ""),
    "a quote that never ends": (lambda text: text.replace('"[', "[", 1), ""),
    "semicolons": (lambda text: text.replace(",", ";"), "no column cost"),
    "tabs": (lambda text: text.replace(",", "\t"), "no column cost"),
    "a login page": (lambda _: "<html>Sign in</html>\n", "no column cost"),
    "JSON": (lambda _: '{"cost": 1}\n{"cost": 2}\n', "no column cost"),
    "a word for a cost": (with_value("cost", "much"), "'much'"),
    "a currency in a cost": (with_value("cost", "EUR 1.5"), "eur 1.5"),
    "a cost with a comma": (with_value("cost", "1,5"), "1,5"),
    "a cost of the thousands": (with_value("cost", "1,234.50"), "1,234.50"),
    "a cost that is NaN": (with_value("cost", "NaN"), "nan"),
    "a cost that is infinite": (with_value("cost", "-inf"), "inf"),
    "a cost in hex": (with_value("cost", "0x1p3"), "0x1p3"),
    "two points": (with_value("cost", "1.2.3"), "1.2.3"),
    "a cost past all bills": (with_value("cost", "1e40"), "1e40"),
    "a cost of a hundred digits": (with_value("cost", "1" * 100), "1111"),
    "a month as ISO has it": (with_value("invoice.month", "2026-05"), "2026-05"),
    "a month of 13": (with_value("invoice.month", "202613"), "202613"),
    "a month of a day": (with_value("invoice.month", "20260517"), "20260517"),
    "a month in words": (with_value("invoice.month", "May 2026"), "May 2026"),
    "a month as a float": (with_value("invoice.month", "202605.0"), "202605.0"),
    "a time in another order": (with_value("usage_start_time", "17/05/2026 03:00"), "17/05/2026"),
    "a time that is none": (with_value("usage_start_time", "2026-05-32 03:00:00"), "2026-05-32"),
    "a time as a number": (with_value("usage_start_time", "1779000000"), "1779000000"),
    "an end that is none": (with_value("usage_end_time", "later"), ""),
    "a list price in words": (with_value("cost_at_list", "free"), ""),
    "an amount used in words": (with_value("usage.amount", "lots"), ""),
    "credits cut off": (with_value("credits", '[{"amount": -0.5, "type": "PRO'), "no list of cred"),
    "credits that are a word": (with_value("credits", "none"), "no list of credits"),
    "credits that are a number": (with_value("credits", "-0.5"), "no list of credits"),
    "credits that are an object": (with_value("credits", '{"amount": -0.5}'), "no list of credits"),
    "credits that are a list of numbers": (with_value("credits", "[-0.5]"), "no list of credits"),
    "a credit's amount in words": (
        with_value("credits", '[{"amount": "half", "type": "PROMOTION"}]'),
        "half",
    ),
    "a credit's amount as a list": (with_value("credits", '[{"amount": [1]}]'), "['1']"),
    "a credit of NaN": (with_value("credits", '[{"amount": NaN, "type": "PROMOTION"}]'), "nan"),
    "a credit past all bills": (with_value("credits", '[{"amount": -1e60}]'), "-1e60"),
    "neither a month nor a time": (
        lambda text: with_value("invoice.month", "")(with_value("usage_start_time", "")(text)),
        "neither a billing period nor a time",
    ),
}


@pytest.mark.parametrize(("change", "said"), REFUSED.values(), ids=REFUSED)
def test_a_spoiled_text_is_refused(tmp_path: Path, change: Callable[[str], str], said: str) -> None:
    text = change(good_text(tmp_path))
    folder = tmp_path / "bill"
    folder.mkdir()
    (folder / "2026-05.csv").write_text(text, "utf-8")
    with pytest.raises(Refusal) as caught:
        bill(folder)
    assert said in str(caught.value)
    if not isinstance(caught.value, Error):
        assert [note[:4] for note in caught.value.__notes__[:2]] == ["in: ", "fix:"]


READ_RIGHT: dict[str, tuple[Callable[[str], str], Decimal]] = {
    "nothing spoiled": (lambda text: text, TOTAL),
    "a byte order mark": (lambda text: "\ufeff" + text, TOTAL),
    "blank lines": (lambda text: text + "\n\n", TOTAL),
    "lines that end as on Windows": (lambda text: text.replace("\n", "\r\n"), TOTAL),
    "no last line end": (lambda text: text.rstrip("\n"), TOTAL),
    "capitals in the header": (
        lambda text: text.split("\n", 1)[0].upper() + "\n" + text.split("\n", 1)[1],
        TOTAL,
    ),
    "columns nobody knows": (with_header(",cost,", ",cost,"), TOTAL),
    "no credits column": (with_header(",credits,", ",credit_notes,"), TOTAL + Decimal("0.5")),
    "no labels": (with_header(",labels,", ",label_notes,"), TOTAL),
    "labels that are no list": (with_value("labels", "team=vision"), TOTAL),
    "labels cut off": (with_value("labels", '[{"key": "te'), TOTAL),
    "labels without a key": (with_value("labels", '[{"value": "x"}]'), TOTAL),
    "a label twice": (
        with_value("labels", '[{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]'),
        TOTAL,
    ),
    "a cost of nothing": (with_value("cost", "", 0), TOTAL - Decimal("1.5")),
    "a cost with an exponent": (with_value("cost", "15E-1", 0), TOTAL),
    "a cost with a plus": (with_value("cost", "+1.5", 0), TOTAL),
    "no currency": (with_value("currency", ""), TOTAL),
    "two currencies": (with_value("currency", "USD"), TOTAL),
    "no month": (with_value("invoice.month", ""), TOTAL),
    "no time": (with_value("usage_start_time", ""), TOTAL),
    "a time with an offset": (with_value("usage_start_time", "2026-05-01T01:00:00+02:00"), TOTAL),
    "a time as BigQuery prints it": (
        with_value("usage_start_time", "2026-05-17 03:00:00 UTC"),
        TOTAL,
    ),
    "credits as null": (with_value("credits", "null", 0), TOTAL),
    "a credit without an amount": (with_value("credits", '[{"type": "PROMOTION"}]', 0), TOTAL),
    "a credit of null": (with_value("credits", '[{"amount": null}]', 0), TOTAL),
    "a credit's amount as text": (
        with_value("credits", '[{"amount": "-0.5", "type": "DISCOUNT"}]'),
        TOTAL,
    ),
    "a credit with fields nobody knows": (
        with_value("credits", '[{"amount": -0.5, "type": "DISCOUNT", "x": {"amount": [1, "a"]}}]'),
        TOTAL,
    ),
    "a credit whose name lies": (
        with_value("credits", '[{"name": "\\"amount\\": 7, ", "amount": -0.5, "type": null}]'),
        TOTAL,
    ),
    "a line break in a name": (with_value("project.name", "two\nlines"), TOTAL),
    "quotes in a name": (with_value("project.name", 'the "ML" team'), TOTAL),
    "a machine's type that is none": (
        with_value(
            "system_labels", '[{"key": "compute.googleapis.com/cores", "value": "a dozen"}]'
        ),
        TOTAL,
    ),
}


@pytest.mark.parametrize(("change", "wanted"), READ_RIGHT.values(), ids=READ_RIGHT)
def test_what_is_odd_and_still_right_is_read_right(
    tmp_path: Path, change: Callable[[str], str], wanted: Decimal
) -> None:
    text = change(good_text(tmp_path))
    folder = tmp_path / "bill"
    folder.mkdir()
    (folder / "2026-05.csv").write_text(text, "utf-8", newline="")
    assert bill(folder) == wanted


def packed(folder: Path) -> bytes:
    return gzip.compress(good_text(folder).encode())


def nested(folder: Path) -> bytes:
    return parquet(folder / "good.parquet", GOOD).read_bytes()


def frame(**changes: Any) -> bytes:
    """Return Parquet of the good lines with columns changed."""
    out = io.BytesIO()
    pl.DataFrame(GOOD, schema_overrides=dict(SCHEMA)).with_columns(**changes).write_parquet(out)
    return out.getvalue()


BYTES: dict[str, tuple[str, Callable[[Path], bytes], str]] = {
    "gzip cut off": ("csv.gz", lambda at: packed(at)[:-9], "cut off"),
    "gzip with a wrong sum": ("csv.gz", lambda at: packed(at)[:-8] + b"12345678", "damaged"),
    "gzip of nothing": ("csv.gz", lambda _: gzip.compress(b""), "no text"),
    "text called gzip": ("csv.gz", lambda at: good_text(at).encode(), "damaged"),
    "gzip called text": ("csv", packed, ""),
    "not UTF-8": ("csv", lambda at: good_text(at).replace("ML", "\xe9").encode("latin-1"), ""),
    "UTF-16": ("csv", lambda at: good_text(at).encode("utf-16"), ""),
    "Parquet cut off": ("parquet", lambda at: nested(at)[:-30], "cut off"),
    "Parquet without a head": ("parquet", lambda at: nested(at)[10:], "begin"),
    "Parquet with a wrong footer": (
        "parquet",
        lambda at: nested(at)[:-8] + b"\xff\xff\xff\x7fPAR1",
        "footer",
    ),
    "Parquet scratched": (
        "parquet",
        lambda at: nested(at)[:-400] + b"\0" * 300 + nested(at)[-100:],
        "",
    ),
    "text called Parquet": ("parquet", lambda at: good_text(at).encode(), "begin"),
    "Parquet called text": ("csv", nested, ""),
    "an empty file": ("parquet", lambda _: b"", "is empty"),
    "costs in words": ("parquet", lambda _: frame(cost=pl.lit("much")), "'much'"),
    "costs that are NaN": ("parquet", lambda _: frame(cost=pl.lit(float("nan"))), "nan"),
    "months as numbers of a day": (
        "parquet",
        lambda _: frame(invoice=pl.struct(month=pl.lit("20260517"))),
        "20260517",
    ),
    "credits in words": ("parquet", lambda _: frame(credits=pl.lit("half")), "no list of credits"),
}


@pytest.mark.parametrize(("ending", "content", "said"), BYTES.values(), ids=BYTES)
def test_spoiled_bytes_are_refused(
    tmp_path: Path, ending: str, content: Callable[[Path], bytes], said: str
) -> None:
    data = content(tmp_path)
    folder = tmp_path / "bill"
    folder.mkdir()
    (folder / f"2026-05.{ending}").write_bytes(data)
    with pytest.raises(Refusal) as caught:
        bill(folder)
    assert said in str(caught.value)
