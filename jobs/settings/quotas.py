"""`[[quotas]]` and `[enforcement]`: how much a member may use, and what happens when it is used.

What one key cannot tell alone (names that repeat, a currency that is missing, thresholds out of
order) is looked for in the file as it was written, so that every mistake is told at once.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from jobs.settings.base import Section

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.toml_lines import KeyPath

Dimension = Literal["team", "user", "project", "model", "dataset"]
EVERYBODY = "*"
_UNTOLD = {
    "storage_gib_month": "no table of the warehouse holds bytes by owner and day",
    "egress_gib": "bills state the quantity of a transfer, not whose bytes they were",
}
_ROLLING = re.compile(r"([1-9]\d{0,2}) days")
_LONGEST = 366


def as_decimal(value: object) -> object:
    """Take a whole number of the file as a decimal; a flag is no number."""
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


_Share = Annotated[
    Decimal, BeforeValidator(as_decimal), Field(gt=0, le=10, max_digits=6, decimal_places=4)
]
_Limit = Annotated[
    Decimal, BeforeValidator(as_decimal), Field(gt=0, le=10**11, max_digits=24, decimal_places=12)
]
_Window = Annotated[str, Field(pattern=rf"^(day|week|month|quarter|{_ROLLING.pattern})$")]


class Threshold(Section):
    """What happens when a share of the limit is used."""

    share: _Share
    do: Literal["warn", "mail", "enforce"] = "warn"


_DEFAULT_THRESHOLDS = (Threshold(share=Decimal("0.8")), Threshold(share=Decimal(1), do="mail"))


class Quota(Section):
    """How much of a measure a member may use in a window."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
    dimension: Dimension
    member: Annotated[str, Field(min_length=1, max_length=500)] = EVERYBODY
    measure: Literal["effective_cost", "gpu_hours", "storage_gib_month", "egress_gib"]
    window: _Window = "month"
    limit: _Limit
    currency: Annotated[str, Field(pattern=r"^([A-Z]{3})?$")] = ""
    thresholds: Annotated[
        tuple[Threshold, ...], BeforeValidator(_as_tuple), Field(min_length=1, max_length=20)
    ] = _DEFAULT_THRESHOLDS

    @property
    def window_kind(self) -> str:
        """day, week, month, quarter, or days: so many up to the newest."""
        return "days" if self.window_days else self.window

    @property
    def window_days(self) -> int:
        """How many days a rolling window has; 0 for one of the calendar."""
        match = _ROLLING.fullmatch(self.window)
        return int(match[1]) if match else 0


class Enforcement(Section):
    """How far one night may go, and what the gate says when it cannot know."""

    max_targets: Annotated[int, Field(ge=1, le=1000)] = 5
    max_share: Annotated[Decimal, BeforeValidator(as_decimal), Field(gt=0, le=1)] = Decimal("0.25")
    max_plan_hours: Annotated[int, Field(ge=1, le=168)] = 24
    max_data_days: Annotated[int, Field(ge=1, le=60)] = 3
    gate_on_unknown: Literal["say", "allow", "deny"] = "say"
    gate_lag_hours: Annotated[int, Field(ge=0, le=720)] = 48


def mistakes_between(tables: object) -> Iterator[tuple[KeyPath, str, str]]:
    """Yield what is wrong between the keys of quotas: place, what it is, how to put it right."""
    if not isinstance(tables, Sequence) or isinstance(tables, str):
        return
    first: dict[str, int] = {}
    for position, table in enumerate(tables):
        if not isinstance(table, Mapping):
            continue
        where: KeyPath = ("quotas", position)
        name = table.get("name")
        if isinstance(name, str):
            if name in first:
                yield (
                    (*where, "name"),
                    f'two quotas are called "{name}"',
                    "give each a name of its own: states and mails go by it",
                )
            first.setdefault(name, position)
        yield from _mistakes_in(table, where)


def _mistakes_in(table: Mapping[str, Any], where: KeyPath) -> Iterator[tuple[KeyPath, str, str]]:
    measure, currency = table.get("measure"), table.get("currency", "")
    if isinstance(measure, str) and measure in _UNTOLD:
        yield (
            (*where, "measure"),
            f"[quotas] measure {measure} cannot be told yet: {_UNTOLD[measure]}",
            "set a limit on effective_cost, which holds storage and transfers, or on gpu_hours",
        )
    if measure == "effective_cost" and not currency:
        yield (where, "[quotas] an effective_cost has a currency", 'add currency = "USD", say')
    if measure == "gpu_hours" and currency:
        yield (
            (*where, "currency"),
            "[quotas] gpu_hours have no currency",
            "take it away, or measure effective_cost",
        )
    window = table.get("window")
    rolling = _ROLLING.fullmatch(window) if isinstance(window, str) else None
    if rolling and int(rolling[1]) > _LONGEST:
        yield (
            (*where, "window"),
            f'[quotas] window is "{window}", which is longer than {_LONGEST} days',
            "choose a shorter one",
        )
    yield from _disorder(table.get("thresholds"), where)


def _disorder(thresholds: object, where: KeyPath) -> Iterator[tuple[KeyPath, str, str]]:
    tables = thresholds if isinstance(thresholds, list) else []
    shares = [table.get("share") for table in tables if isinstance(table, Mapping)]
    numbers = [share for share in map(as_decimal, shares) if isinstance(share, Decimal)]
    finite = [number for number in numbers if number.is_finite()]
    if any(later <= earlier for earlier, later in itertools.pairwise(finite)):
        yield (
            (*where, "thresholds"),
            "[quotas] thresholds do not rise from one to the next",
            "write each share once, the smallest first",
        )
