"""`[[shared_costs]]`: what teams are to carry of what is nobody's, and of each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping  # noqa: TC003  (pydantic reads it)
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from jobs.settings.base import Section
from jobs.settings.quotas import as_decimal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

_Names = Annotated[tuple[str, ...], Field(strict=False)]
_Share = Annotated[Decimal, BeforeValidator(as_decimal), Field(gt=0, le=1, decimal_places=12)]


class SharedCost(Section):
    """A rule that empties members of the leaderboard of teams into others."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    members: Annotated[_Names, Field(min_length=1)]
    split: Literal["proportional", "even", "fixed"] = "proportional"
    to: _Names = ()
    shares: Mapping[str, _Share] = {}

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if (self.split == "fixed") != bool(self.shares):
            raise ValueError('shares, team by team, go with split = "fixed", and with nothing else')
        if self.shares and self.to:
            raise ValueError("the shares name the teams: leave out to")
        if sum(self.shares.values()) > 1:
            raise ValueError(f"the shares add up to {sum(self.shares.values())}, more than 1")
        both = {*self.members} & {*self.to, *self.shares}
        if both:
            raise ValueError(f"gives to itself: {', '.join(sorted(both))}")
        return self


def named_once(rules: Iterable[SharedCost]) -> Iterable[SharedCost]:
    """Return rules of which each has a name of its own.

    Raises: ValueError where two are called the same.
    """
    rules = tuple(rules)
    twice = sorted(name for name, n in Counter(rule.name for rule in rules).items() if n > 1)
    if twice:
        raise ValueError(f"two rules are called {', '.join(twice)}: the report goes by the name")
    return rules
