"""What a Google Cloud bill adds up to: the cost of every line, and every credit of it.

Which credits a reader shows beside the line and which within it makes no difference here. Both
measures are the same: the export has no other one.

Source: https://cloud.google.com/billing/docs/how-to/export-data-bigquery-tables/detailed-usage
"""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from queries.totals.batches import Layout, batches
from queries.totals.exact import KEYS, BadFileError, Sums, month_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from queries.totals import RawTotal

_WANTED = (
    "cost",
    "credits",
    "billing_account_id",
    "currency",
    "invoice.month",
    "usage_start_time",
)
LAYOUT = Layout(str.lower, _WANTED, needed=("cost",), kept=_WANTED)
_MEASURES = ("billed_cost", "effective_cost")
_YYYYMM = r"^(20\d\d)(0[1-9]|1[0-2])$"


def sum_files(paths: Sequence[Path]) -> list[RawTotal]:
    """Sum the files of one delivery.

    Raises: ModelError for a file or value that cannot be read.
    """
    cost = {measure: {"cost": 1} for measure in _MEASURES}
    costs = Sums(("cost",), (), lambda _: cost, stated=("cost",))
    reliefs = Sums(("amount",), (), lambda _: {measure: {"amount": 1} for measure in _MEASURES})
    costs.add_files((path, _keyed(path, LAYOUT)) for path in paths)
    reliefs.add_files((path, map(_credits_of, _keyed(path, LAYOUT))) for path in paths)
    return _added(costs.totals(), reliefs.totals())


def _added(costs: Sequence[RawTotal], reliefs: Sequence[RawTotal]) -> list[RawTotal]:
    """Add the credits' sums to the lines'; a credit's key is that of a line."""
    by_key = {_key_of(total): total for total in reliefs}
    sums = []
    for total in costs:
        credit = by_key.get(_key_of(total))
        if credit is not None:
            amount, beyond = total.amount + credit.amount, total.beyond + credit.beyond
            total = replace(total, amount=amount, beyond=beyond)  # noqa: PLW2901
        sums.append(total)
    return sums


def _key_of(total: RawTotal) -> tuple[str, ...]:
    return (*(getattr(total, key) for key in KEYS), total.measure)


def _keyed(path: Path, layout: Layout) -> Iterator[pl.DataFrame]:
    """Yield a file's lines with the keys that totals are by."""
    for lines in batches(path, layout):
        use, invoice = month_of(lines["usage_start_time"]), _invoice_of(lines["invoice.month"])
        yield lines.with_columns(
            pl.lit("Google Cloud").alias("provider"),
            pl.col("billing_account_id").cast(pl.String).fill_null(""),
            invoice.fill_null(use).alias("billing_period"),
            use.fill_null(invoice).alias("charge_month"),
            pl.col("currency").cast(pl.String).fill_null("XXX").alias(KEYS[-1]),
        )


def _invoice_of(months: pl.Series) -> pl.Series:
    """Return the invoice's month, YYYYMM as delivered, counted from year 0."""
    text = months.cast(pl.String)
    odd = text.filter(text.is_not_null() & ~text.str.contains(_YYYYMM))
    if odd.len():
        raise BadFileError(f"column invoice.month holds {odd[0]!r}, which is not a month YYYYMM")
    return text.str.slice(0, 4).cast(pl.Int32) * 12 + text.str.slice(4, 2).cast(pl.Int32) - 1


def _credits_of(lines: pl.DataFrame) -> pl.DataFrame:
    """Return a row per credit, with the keys of its line and its amount as text."""
    if lines.schema["credits"] == pl.String:
        found = pl.Series(
            "amount", [_amounts(text) for text in lines["credits"]], pl.List(pl.String)
        )
    elif isinstance(lines.schema["credits"], pl.List):
        found = lines["credits"].list.eval(pl.element().struct.field("amount").cast(pl.String))
    else:
        found = pl.Series("amount", [[]] * lines.height, pl.List(pl.String))
    rows = lines.select(*KEYS, found.alias("amount")).explode("amount")
    return rows.filter(pl.col("amount").is_not_null())


def _amounts(text: str | None) -> list[str]:
    """Return the amounts in a list of credits, written as JSON or as Python prints it."""
    if text in (None, "[]", "null"):
        return []
    try:
        entries: Any = json.loads(text, parse_float=str, parse_int=str)
    except ValueError:
        entries = _python_list(text)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadFileError(f"column credits holds {text[:80]!r}, which is no list of credits")
    amounts = [entry.get("amount") for entry in entries]
    return [str(amount) for amount in amounts if amount is not None]


def _python_list(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
