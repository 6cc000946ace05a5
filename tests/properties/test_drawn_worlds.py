"""The books of whole nights close, whatever the company: Hypothesis looks for one where not.

`figures` adds the lines up plainly and holds each line of the books, in each dimension, against
them; a company that fails is shrunk to the few lines that matter. `--long` draws many more.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.properties.drawn_world import settings_of_a_night, worlds
from tests.properties.small_company import DIMENSIONS, figures

if TYPE_CHECKING:
    from tests.properties.drawn_world import Drawn

KINDS = {"direct", "idle", "shared", "tax", "credit", "commitment_unused", "unattributed"}
FEW = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)
MANY = settings(FEW, max_examples=150)


def see_that_the_books_close(world: Drawn, attribution: str) -> None:
    """Besides: each day of a bill costs the same in every dimension, by kinds that are known."""
    spend = figures(world, attribution)["spend_daily"]
    days: dict[str, dict[object, list[Decimal]]] = {one: {} for one in DIMENSIONS}
    for row in spend:
        sums = days[row[4]].setdefault(row[:4], [Decimal(0), Decimal(0)])
        sums[0] += row[8]
        sums[1] += row[9]

    assert {row[6] for row in spend} <= KINDS
    assert all(of_dimension == days["user"] for of_dimension in days.values())


@FEW
@given(world=worlds(), attribution=settings_of_a_night)
def test_the_books_close_whatever_the_company(world: Drawn, attribution: str) -> None:
    see_that_the_books_close(world, attribution)


@pytest.mark.long
@MANY
@given(world=worlds(), attribution=settings_of_a_night)
def test_the_books_close_whatever_many_companies(world: Drawn, attribution: str) -> None:
    see_that_the_books_close(world, attribution)
