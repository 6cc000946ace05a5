"""`[[invoices]]`: what invoices come to, for the bills to be held against."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, Field, model_validator

from jobs.settings.base import Section
from jobs.settings.quotas import as_decimal
from reports.figures import PLACES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from typing import Self

    from connectors.toml_lines import KeyPath

_Amount = Annotated[
    Decimal,
    BeforeValidator(as_decimal),
    Field(ge=-(10**14), le=10**14, max_digits=26, decimal_places=12),
]
_Text = Annotated[str, Field(max_length=500)]


class Invoice(Section):
    """What an invoice says, or all of an account's invoices of a month."""

    provider: _Text = ""
    source: _Text = ""
    billing_account_id: _Text = ""
    invoice_id: _Text = ""
    month: Annotated[str, Field(pattern=r"^([12]\d{3}-(0[1-9]|1[0-2]))?$")] = ""
    amount: _Amount
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    tolerance: Annotated[_Amount, Field(ge=0)] = Decimal(0)

    @model_validator(mode="after")
    def _say_which(self) -> Self:
        if bool(self.provider) == bool(self.source):
            raise ValueError("one invoice's: give either provider or source")
        if bool(self.invoice_id) == bool(self.month):
            raise ValueError("one invoice or one month: give either invoice_id or month")
        return self

    @property
    def billing_period(self) -> date | None:
        """First day of the month, none where the invoice has an id."""
        return date.fromisoformat(f"{self.month}-01") if self.month else None

    @property
    def rounding(self) -> Decimal:
        """Half of the last place of the amount: of its currency's, unless more are written."""
        written = -int(self.amount.as_tuple().exponent)
        return Decimal(5).scaleb(-max(written, PLACES.get(self.currency, 2)) - 1)

    @property
    def what(self) -> tuple[str, ...]:
        """What the figure is about; an account counts by the last part of its path."""
        account = self.billing_account_id.rpartition("/")[2].lower()
        whose = (self.provider, self.source, account)
        return (*whose, self.invoice_id, self.month, self.currency)


def entered_once(invoices: Iterable[Invoice]) -> Iterable[Invoice]:
    """Return invoices of which no two are about the same.

    Raises: ValueError where two are.
    """
    invoices = tuple(invoices)
    seen: set[tuple[str, ...]] = set()
    for invoice in invoices:
        if invoice.what in seen:
            about = " ".join(filter(None, invoice.what))
            raise ValueError(f"entered once: {about} is there twice")
        seen.add(invoice.what)
    return invoices


def of_no_source(
    invoices: Iterable[Invoice], sources: Collection[str]
) -> Iterator[tuple[KeyPath, str, str]]:
    """Yield the figures entered for a source that there is not: place, what is wrong, the fix."""
    for position, invoice in enumerate(invoices):
        if invoice.source and invoice.source not in sources:
            yield (
                ("invoices", position, "source"),
                f'an invoice is of "{invoice.source}", and there is no source "{invoice.source}"',
                f"choose one of {', '.join(sorted(sources))}",
            )
