"""Lines of a bill that do not say what they cost: kept, counted as 0, and told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jobs.ledger import LedgerTotal

_MEASURES = {"billed_cost": "billed cost", "effective_cost": "effective cost"}


def blank_lines(totals: Iterable[LedgerTotal]) -> str:
    """Say how many lines of a delivery have no cost, as a clause; empty where all have one."""
    blank, rows = dict.fromkeys(_MEASURES, 0), dict.fromkeys(_MEASURES, 0)
    for total in totals:
        blank[total.measure] += total.blank
        rows[total.measure] += total.rows
    found = [
        f"{blank[measure]:,} of {rows[measure]:,} lines have no {words}"
        for measure, words in _MEASURES.items()
        if blank[measure]
    ]
    return f"{', '.join(found)}: each counts as 0" if found else ""
