"""What the raw files of a bill add up to, found without the models: the other side of the books.

Nothing here speaks to DuckDB or reads staging SQL; files are opened by polars, headers and rules
are written down a second time, and sums are whole numbers. So where the models lose or double a
line, the two sides differ.

A total has two parts. `amount` adds values as the raw reader rounds them, to 12 places, half away
from zero: text by its digits; a double below 2048 as the IEEE product of it and 1e12, a larger one
by its shortest text; a short float as the double that it is. `beyond` is what that rounding left
out: the values as delivered (a double is delivered as the shortest text that reads back as it) less
the rounded ones. Neither is a float.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from queries import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal
    from pathlib import Path

BILLS = (
    "alibaba_bill__lines",
    "aws_cur__line_items",
    "azure_cost__cost_details",
    "focus__cost_and_usage",
    "gcp_billing__line_items",
    "mapped_csv__lines",
    "model_api_usage__records",
    "people_card__work_days",
    "rate_card__machine_days",
)
"""Raw tables that are bills; each has a module here."""
_OF_NAMED_FILES = ("azure_cost__cost_details",)
"""Those of which a file's name says how its lines count."""


@dataclass(frozen=True, slots=True)
class RawTotal:
    """What a delivery bills under one key, for one measure."""

    provider: str
    """Who sends the invoice: AWS, Microsoft."""
    billing_account_id: str
    """Whom it is sent to; empty where the file does not say."""
    billing_period: str
    """YYYY-MM: the invoice."""
    charge_month: str
    """YYYY-MM, UTC: the use."""
    billing_currency: str
    """ISO 4217; XXX where the file does not say."""
    measure: str
    """billed_cost or effective_cost."""
    rows: int
    """Lines of the files."""
    amount: Decimal
    """The sum of the values at 12 places."""
    beyond: Decimal
    """The sum of what the values hold beyond 12 places."""
    blank: int = 0
    """Of the lines, those that do not say what they cost: each counts as 0."""

    @property
    def bill(self) -> tuple[str, str, str]:
        """Which invoice it belongs to: provider, billing account, billing period.

        Azure writes an account as a path in one kind of export, as its last part in another.
        """
        account = self.billing_account_id.rpartition("/")[2].lower()
        return (self.provider, account, self.billing_period)


def raw_totals(table: str, paths: Sequence[Path], names: Sequence[str] = ()) -> list[RawTotal]:
    """Sum the files of one delivery of `<connector>__<table>`, in the order of keys.

    `names` are the files' names as the source gives them.

    Raises: ModelError for a table that is no bill, and for a file or value that cannot be read.
    """
    if table not in BILLS:
        raise ModelError(
            f"{table} is not a bill: nothing says how it adds up",
            where="queries/totals",
            fix=f"the bills are {', '.join(BILLS)}; add a module for another",
        )
    module = import_module(f"queries.totals.{table}")
    try:
        totals: list[RawTotal] = (
            module.sum_files(paths, names) if table in _OF_NAMED_FILES else module.sum_files(paths)
        )
    except ModelError as error:
        _name_the_file(error, paths, names)
        raise
    return totals


def half_of(table: str, name: str) -> str:
    """Return which half of a delivery a file is of; lines of two halves say the same cost twice."""
    return name.split("/", 1)[0] if table in _OF_NAMED_FILES else ""


def kept_columns(table: str, paths: Sequence[Path]) -> set[str]:
    """Return the columns of a delivery without which it would add up to something else.

    Of `<connector>__<table>`; empty where its module names none (`Layout.kept`).
    """
    module = import_module(f"queries.totals.{table}") if table in BILLS else None
    layout = getattr(module, "LAYOUT", None)
    if layout is None:
        return set()
    from queries.totals.batches import kept_columns as of_file  # noqa: PLC0415

    return set().union(*(of_file(path, layout) for path in paths))


def _name_the_file(error: ModelError, paths: Sequence[Path], names: Sequence[str]) -> None:
    """Put what the source calls a file before its place in the raw store, which says nothing."""
    for path, name in zip(paths, names, strict=False):
        error.__notes__ = [
            f"in:  {name} ({path})" if note == f"in:  {path}" else note for note in error.__notes__
        ]
