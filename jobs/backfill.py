"""How far back a source is fetched at first: units older than that, and never landed, stay away.

The depth counts from this month, and what has landed once is kept and restated however old it
grows; so a larger number later fetches the rest, and a smaller one takes nothing away.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from connectors.base import Delivery
    from jobs.ledger import Entry

_UNIT = re.compile(r"(\d{4})-(0[1-9]|1[0-2])(-\d\d)?")


def first_month(months: int, today: date) -> str:
    """Return the oldest month that is fetched, YYYY-MM; empty where all there is is."""
    if months == 0:
        return ""
    index = max(today.year * 12 + today.month - 1 - months, 12)
    return f"{index // 12:04}-{index % 12 + 1:02}"


def is_too_old(delivery: Delivery, first: str, landed: Iterable[Entry]) -> bool:
    """Tell whether a delivery is older than the first month, and of a unit that never landed.

    Units that are neither a month nor a day, such as a tracker's extractions, are never too old.
    """
    if not first or not _UNIT.fullmatch(delivery.unit) or delivery.unit[:7] >= first:
        return False
    return all((entry.table, entry.unit) != (delivery.table, delivery.unit) for entry in landed)
