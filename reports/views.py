"""Views: the same block for each range and currency, of which the page shows the one chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from reports.base import Read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.base import Frames, Range, Span

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
    """As the bill has them; the reporting currency alone, where all is shown in it."""

    def number(self, currency: str) -> int:
        """Return a currency's place, which is its name in the page's markup."""
        return self.currencies.index(currency)

    def view(self, days: Range, currency: str, content: Content) -> View[Content]:
        """Return a view that is shown when `days` and `currency` are chosen."""
        return View(days.key, days.label, days.dates, currency, self.number(currency), content)


def choice_reads(span: Span) -> list[Read]:
    """Return the queries that `choice_of` needs."""
    return [Read("currencies", span.params)]


def choice_of(frames: Frames, span: Span) -> Choice:
    """Return what every page offers: the same ranges and currencies, in the same order.

    Amounts in different currencies cannot be compared, so the first currency is the one in which
    most services are billed.
    """
    (read,) = choice_reads(span)
    currencies = [record["billing_currency"] for record in frames.records(read)]
    return Choice(span.ranges(), currencies)
