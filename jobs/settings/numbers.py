"""The least that a number of a source's or a lever's table may be.

Their fields say `int` and no more, so the rule stands here, by name, for all of them.
Where a connector's own `check` refuses a number too, its words are told, for they know more.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, Final

from connectors.base import Checked, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAY_BE_ZERO: Final = frozenset(
    {"allowed", "backfill_days", "refresh_days", "rescan_every_days", "settle_minutes", "years"}
)
"""0 means something: nothing, all there is, every night, at once. Any other is 1 or more."""


def least_of(key: str) -> int:
    """Return the least that a number may be."""
    return 0 if key in MAY_BE_ZERO else 1


def too_low(values: Mapping[str, object]) -> dict[str, int]:
    """Return the numbers that are less than they may be."""
    numbers = {key: value for key, value in values.items() if type(value) is int}
    return {key: value for key, value in numbers.items() if value < least_of(key)}


def with_defaults(cls: type[Any], settings: Mapping[str, Any], low: Mapping[str, int]) -> Any:
    """Return the settings with a number that can be in place of each that is too low."""
    usual = {
        field.name: least_of(field.name) if field.default is MISSING else field.default
        for field in fields(cls)
    }
    return {key: usual[key] if key in low else value for key, value in settings.items()}


def refusal_of(cls: type[Any], settings: Mapping[str, Any], *, retired: bool) -> SourceError | None:
    """Return why a connector refuses its settings; one that is retired is not asked."""
    try:
        connector = cls(**settings)
        if isinstance(connector, Checked) and not retired:
            connector.check()
    except SourceError as error:
        return error
    return None


def refused_numbers(
    cls: type[Any], mended: Mapping[str, Any], low: Mapping[str, int], *, retired: bool
) -> Iterator[tuple[str, SourceError | None]]:
    """Yield each number that is too low with the connector's own words, each of these once."""
    told: set[str] = set()
    for key, value in low.items():
        error = refusal_of(cls, {**mended, key: value}, retired=retired)
        if str(error) not in told:
            yield key, error
        if error:
            told.add(str(error))
