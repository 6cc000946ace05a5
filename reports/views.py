"""Views: the same block for each range and currency, of which the page shows the one chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reports.base import Range

Content = TypeVar("Content")


@dataclass(frozen=True, slots=True)
class View(Generic[Content]):
    """One block, and the choice it belongs to."""

    range_key: str
    range_label: str
    dates: str
    """Its first and last day."""
    currency: str
    currency_number: int
    content: Content


@dataclass(frozen=True, slots=True)
class Choice:
    """What a page lets its reader choose."""

    ranges: Sequence[Range]
    currencies: Sequence[str]
    """As the bill has them, the one with most cost first."""

    def number(self, currency: str) -> int:
        """Return a currency's place, which is its name in the page's markup."""
        return self.currencies.index(currency)

    def view(self, days: Range, currency: str, content: Content) -> View[Content]:
        """Return a view that is shown when `days` and `currency` are chosen."""
        return View(days.key, days.label, days.dates, currency, self.number(currency), content)


def currencies_by_cost(records: Iterable[dict[str, object]]) -> list[str]:
    """Return the currencies of `records`, that of most rows first; ties by name."""
    counts: dict[str, int] = {}
    for record in records:
        currency = str(record["billing_currency"])
        counts[currency] = counts.get(currency, 0) + 1
    return sorted(counts, key=lambda currency: (-counts[currency], currency))
