"""Lines of a bill that do not say what they cost, or in what: kept, counted, and told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jobs.ledger import LedgerTotal

_MEASURES = {"billed_cost": "billed cost", "effective_cost": "effective cost"}
_NO_CURRENCY = "XXX"


def blank_lines(totals: Iterable[LedgerTotal]) -> str:
    """Say how many lines of a delivery have no cost or no currency; empty where all have both."""
    blank, rows = dict.fromkeys(_MEASURES, 0), dict.fromkeys(_MEASURES, 0)
    unnamed = dict.fromkeys(_MEASURES, 0)
    for total in totals:
        if total.billing_currency == _NO_CURRENCY:
            unnamed[total.measure] += total.rows
        blank[total.measure] += total.blank
        rows[total.measure] += total.rows
    found = [
        f"{blank[measure]:,} of {rows[measure]:,} lines have no {words}"
        for measure, words in _MEASURES.items()
        if blank[measure]
    ]
    told = [f"{', '.join(found)}: each counts as 0"] if found else []
    if count := max(unnamed.values()):
        told.append(f"{count:,} lines name no currency, so their cost is in {_NO_CURRENCY}")
    return "; ".join(told)
