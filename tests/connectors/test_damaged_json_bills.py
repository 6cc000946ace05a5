"""Damaged JSON lines of Google's bill: refused with the file and the fix, or read right.

Each case spoils one thing of a file as BigQuery extracts it; one that is taken must be staged to
what the raw totals say, line by line of use, invoice and currency.
"""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from queries.engines.duckdb import Error
from tests.connectors.test_damaged_gcp_bills import GOOD, TOTAL, Refusal, bill
from tests.queries.test_gcp_staging import json_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def with_field(field: str, value: Any, row: int = 1) -> Callable[[str], str]:
    """Put a value into a row, counted from 0; `outer.inner` is a field within a field."""

    def change(text: str) -> str:
        lines = [json.loads(each) for each in text.splitlines()]
        at, names = lines[row], field.split(".")
        for name in names[:-1]:
            at = at[name]
        at[names[-1]] = value
        return "".join(f"{json.dumps(each)}\n" for each in lines)

    return change


def without(field: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        lines = [json.loads(each) for each in text.splitlines()]
        return "".join(
            json.dumps({key: each[key] for key in each if key != field}) + "\n" for each in lines
        )

    return change


def raw(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return change


REFUSED: dict[str, tuple[Callable[[str], str], str]] = {
    "cut in a line": (lambda text: text[: len(text) * 2 // 3], ""),
    "cut in a number": (lambda text: text[: text.rindex("8.0") + 2], ""),
    "an array of lines": (lambda text: f"[{','.join(text.splitlines())}]", "not an object"),
    "an array over lines": (lambda text: "[" + text.replace("}\n", "},\n") + "]", ""),
    "commas between lines": (lambda text: text.replace("}\n", "},\n"), ""),
    "two lines in one": (lambda text: text.replace("}\n", "}", 1), ""),
    "one line in two": (raw('"cost_type"', '\n"cost_type"'), ""),
    "indented": (lambda text: json.dumps(json.loads(text.splitlines()[0]), indent=1), ""),
    "a byte order mark": (lambda text: "\ufeff" + text, ""),
    "single quotes": (lambda text: text.replace('"', "'"), ""),
    "a key without quotes": (raw('"cost"', "cost"), ""),
    "a comment": (lambda text: "// exported\n" + text, ""),
    "a comma at the end": (lambda text: text.replace("}\n", ",}\n", 1), ""),
    "a quote that never ends": (raw('": "', '": '), ""),
    "a brace too many": (lambda text: text.replace("}\n", "}}\n", 1), ""),
    "a line that is a number": (lambda text: text + "5\n", "not an object"),
    "a line that is a text": (lambda text: text + '"total"\n', "not an object"),
    "a line that is null": (lambda text: text + "null\n", "not an object"),
    "a line that is a list": (lambda text: text + "[]\n", "not an object"),
    "an error's page": (lambda _: "<html>Sign in</html>\n", ""),
    "an error's answer": (lambda _: '{"error": {"code": 403}}\n', "no column cost"),
    "CSV": (lambda _: "cost,currency\n1.5,EUR\n", ""),
    "blank lines alone": (lambda _: "\n\n", "no lines"),
    "no costs": (without("cost"), "no column cost"),
    "FOCUS": (lambda text: text.replace('"cost"', '"BilledCost"'), "no column cost"),
    "a cost twice in a line": (raw('"cost":', '"cost": 7, "cost":'), "twice"),
    "a cost in words": (with_field("cost", "much"), "much"),
    "a cost with its currency": (with_field("cost", "EUR 1.5"), "eur 1.5"),
    "a cost with a comma": (with_field("cost", "1,5"), "1,5"),
    "a cost of the thousands": (with_field("cost", "1,234.50"), "1,234.50"),
    "a cost that is NaN": (with_field("cost", float("nan")), ""),
    "a cost that is infinite": (with_field("cost", float("-inf")), ""),
    "a cost as true": (raw('"cost": 0.25', '"cost": true'), "true"),
    "a cost as a list": (with_field("cost", [1.5]), ""),
    "a cost as an object": (with_field("cost", {"amount": 1.5}), ""),
    "a cost in hex": (raw('"cost": 0.25', '"cost": 0x10'), ""),
    "a cost with a plus": (raw('"cost": 0.25', '"cost": +0.25'), ""),
    "a cost with a leading point": (raw('"cost": 0.25', '"cost": .25'), ""),
    "a cost with a last point": (raw('"cost": 0.25', '"cost": 1.'), ""),
    "a cost past all bills": (raw('"cost": 0.25', '"cost": 1e40'), ""),
    "a cost past all numbers": (raw('"cost": 0.25', '"cost": 1e999'), ""),
    "a cost of a hundred digits": (with_field("cost", "1" * 100), "1111"),
    "more digits than a double holds": (
        raw('"cost": 0.25', '"cost": 123456789.123456789012'),
        "more digits",
    ),
    "more digits in a credit": (
        raw('"amount": -0.5', '"amount": -123456789.123456789012'),
        "more digits",
    ),
    "a month as ISO has it": (with_field("invoice.month", "2026-05"), "2026-05"),
    "a month of 13": (with_field("invoice.month", "202613"), "202613"),
    "a month as a list": (with_field("invoice.month", ["202605"]), "202605"),
    "an invoice that is a month": (with_field("invoice", "202605"), "invoice is not an object"),
    "a service in words": (with_field("service", "Compute Engine"), "service is not an object"),
    "a time in another order": (with_field("usage_start_time", "17/05/2026 03:00"), "17/05/2026"),
    "a time that is none": (with_field("usage_start_time", "2026-05-32 03:00:00"), "2026-05-32"),
    "a time as a number": (with_field("usage_start_time", 1779000000), "1779000000"),
    "an end that is none": (with_field("usage_end_time", "later"), ""),
    "a list price in words": (with_field("cost_at_list", "free"), ""),
    "an amount used in words": (with_field("usage.amount", "lots"), ""),
    "credits in words": (with_field("credits", "none"), "no list of credits"),
    "credits as a number": (with_field("credits", -0.5), "no list of credits"),
    "credits as an object": (with_field("credits", {"amount": -0.5}), "credits is not an object"),
    "credits as numbers": (with_field("credits", [-0.5]), "no list of credits"),
    "a credit in words": (with_field("credits", [{"amount": "half"}]), "half"),
    "a credit as a list": (with_field("credits", [{"amount": [1]}]), "['1']"),
    "a credit past all bills": (with_field("credits", [{"amount": -1e60}]), "-1e+60"),
    "neither a month nor a time": (
        lambda text: with_field("invoice.month", None)(with_field("usage_start_time", None)(text)),
        "neither a billing period nor a time",
    ),
}


def good_text(folder: Path) -> str:
    return json_lines(folder / "good.json", GOOD).read_text("utf-8")


@pytest.mark.parametrize(("change", "said"), REFUSED.values(), ids=REFUSED)
def test_a_spoiled_line_is_refused(tmp_path: Path, change: Callable[[str], str], said: str) -> None:
    text = change(good_text(tmp_path))
    folder = tmp_path / "bill"
    folder.mkdir()
    (folder / "2026-05.json").write_text(text, "utf-8")
    with pytest.raises(Refusal) as caught:
        bill(folder)
    assert said in str(caught.value)
    if not isinstance(caught.value, Error):
        assert [note[:4] for note in caught.value.__notes__[:2]] == ["in: ", "fix:"]


READ_RIGHT: dict[str, tuple[Callable[[str], str], Decimal]] = {
    "nothing spoiled": (lambda text: text, TOTAL),
    "blank lines": (lambda text: text.replace("}\n", "}\n\n"), TOTAL),
    "lines that end as on Windows": (lambda text: text.replace("}\n", "}\r\n"), TOTAL),
    "no last line end": (lambda text: text.rstrip("\n"), TOTAL),
    "fields nobody knows": (with_field("x", {"y": [1]}), TOTAL),
    "no credits": (without("credits"), TOTAL + Decimal("0.5")),
    "no labels": (without("labels"), TOTAL),
    "no invoice": (without("invoice"), TOTAL),
    "a project of nobody": (with_field("project", None), TOTAL),
    "a cost as text": (with_field("cost", "1.500000000001", 0), TOTAL + Decimal("1e-12")),
    "a cost with an exponent": (raw('"cost": 1.5', '"cost": 15E-1'), TOTAL),
    "a cost of null": (with_field("cost", None, 0), TOTAL - Decimal("1.5")),
    "credits as null": (with_field("credits", None, 0), TOTAL),
    "a credit without an amount": (with_field("credits", [{"type": "PROMOTION"}], 0), TOTAL),
    "a credit of null": (with_field("credits", [{"amount": None}], 0), TOTAL),
    "a credit's amount as text": (
        with_field("credits", [{"amount": "-0.5", "type": "DISCOUNT"}]),
        TOTAL,
    ),
    "a small credit": (
        with_field("credits", [{"amount": -5e-7, "type": "DISCOUNT"}]),
        TOTAL + Decimal("0.4999995"),
    ),
    "letters in other ways": (raw('"currency"', '"\\u0063urrency"'), TOTAL),
    "a line break in a name": (with_field("project.name", "two\nlines"), TOTAL),
    "labels that are no list": (with_field("labels", "team=vision"), TOTAL),
    "a time with an offset": (with_field("usage_start_time", "2026-05-01T01:00:00+02:00"), TOTAL),
}


@pytest.mark.parametrize(("change", "wanted"), READ_RIGHT.values(), ids=READ_RIGHT)
def test_what_is_odd_and_still_right_is_read_right(
    tmp_path: Path, change: Callable[[str], str], wanted: Decimal
) -> None:
    text = change(good_text(tmp_path))
    folder = tmp_path / "bill"
    folder.mkdir()
    (folder / "2026-05.ndjson.gz").write_bytes(gzip.compress(text.encode()))
    assert bill(folder) == wanted


BYTES: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "gzip cut off": ("json.gz", lambda data: gzip.compress(data)[:-9], "cut off"),
    "gzip with a wrong sum": (
        "json.gz",
        lambda data: gzip.compress(data)[:-8] + b"12345678",
        "damaged",
    ),
    "gzip of nothing": ("json.gz", lambda _: gzip.compress(b""), "no text"),
    "text called gzip": ("json.gz", lambda data: data, "damaged"),
    "gzip called text": ("json", gzip.compress, ""),
    "nothing at all": ("json", lambda _: b"", "is empty"),
    "Latin 1": ("json", lambda data: data.replace(b"ML", b"\xe9"), ""),
    "UTF-16": ("json", lambda data: data.decode().encode("utf-16"), ""),
    "zeros": ("json", lambda data: b"\0" * len(data), ""),
    "scratched": ("json", lambda data: data[:300] + b"\0" * 40 + data[340:], ""),
}


@pytest.mark.parametrize(("ending", "spoil", "said"), BYTES.values(), ids=BYTES)
def test_spoiled_bytes_are_refused(
    tmp_path: Path, ending: str, spoil: Callable[[bytes], bytes], said: str
) -> None:
    data = spoil(good_text(tmp_path).encode())
    folder = tmp_path / "bill"
    folder.mkdir()
    (folder / f"2026-05.{ending}").write_bytes(data)
    with pytest.raises(Refusal) as caught:
        bill(folder)
    assert said in str(caught.value)
