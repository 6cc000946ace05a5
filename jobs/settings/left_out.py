"""`[[left_out]]`: what has landed and is not to count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from jobs.settings.base import Section

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from connectors.toml_lines import KeyPath

_Text = Annotated[str, Field(min_length=1, max_length=500)]


class LeftOut(Section):
    """A unit that a source has delivered and that is taken back."""

    source: _Text
    unit: _Text
    """As a night names it: the month of a bill, or what its file is called."""
    why: _Text


def left_out_once(units: Iterable[LeftOut]) -> Iterable[LeftOut]:
    """Return units of which none is there twice.

    Raises: ValueError where one is.
    """
    units = tuple(units)
    named = [f"{one.source} {one.unit}" for one in units]
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise ValueError(f"left out once: {', '.join(twice)} is there twice")
    return units


def left_out_of_none(
    units: Iterable[LeftOut], sources: Collection[str]
) -> Iterator[tuple[KeyPath, str, str]]:
    """Yield the units of a source that there is not: place, what is wrong, the fix."""
    for position, one in enumerate(units):
        if one.source not in sources:
            yield (
                ("left_out", position, "source"),
                f'"{one.unit}" of "{one.source}" is left out, and there is no such source',
                f"choose one of {', '.join(sorted(sources))}",
            )
