"""Whole nights over generated companies: everything that a bill may hold, and the books close.

`figures` holds each line of the books against what plain Python adds up of the lines.
"""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.properties.small_company import figures
from tests.properties.wide_company import POLICIES, wide_from

if TYPE_CHECKING:
    from tests.properties.small_company import Row

SEEDS = [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 12))]
KINDS = {"direct", "idle", "shared", "tax", "credit", "commitment_unused", "unattributed"}
every_seed = pytest.mark.parametrize("seed", SEEDS)


@cache
def base(seed: int) -> dict[str, list[Row]]:
    """Return the figures of a company as it was drawn; its books close."""
    return figures(wide_from(seed), POLICIES)


def test_a_drawn_company_has_everything_that_a_bill_may_hold() -> None:
    found = base(1)
    books, spend = found["books"], found["spend_daily"]
    members = {(row[4], row[5]) for row in spend}

    assert {(row[0], row[3]) for row in books} == {("bills", "USD"), ("azure", "EUR")}
    assert {f"{row[1]:%m} {row[2]:%m}" for row in books} == {"09 09", "10 09"}
    assert {cell for row in spend for cell in row if cell in KINDS} == KINDS
    assert {("model", "lens"), ("model", "prism"), ("dataset", "images")} <= members
    assert {("team", "nlp"), ("dataset", "(unregistered)")} <= members
    assert ("gemini-is-nlp", "team") in {(row[1], row[0]) for row in found["coverage"]}
    assert found["findings"]


@every_seed
def test_what_was_restated_leaves_nothing_behind(seed: int) -> None:
    """A night on other costs, other pods and one invoice less, and then this one.

    Runs are the same: what a file of runs does not tell of any more stays, as it was paid for.
    """
    company = wide_from(seed)
    earlier = replace(
        company.with_lines(lambda line: replace(line, cost=line.cost / 2 + 1)),
        files=company.files[:-1],
        pods=tuple(replace(pod, gpus=1, team="") for pod in company.pods),
    )

    found = figures(company, POLICIES, before=[earlier])

    now = [row for row in found["findings"] if row[-1] == "open"]  # others were of the night before
    assert {**found, "findings": now} == base(seed)


@every_seed
def test_what_is_remembered_of_tables_without_rows_keeps_none_from_having_some(seed: int) -> None:
    """Findings are left out: they have a history."""
    company = wide_from(seed)
    bare = replace(company, files=company.files[:-1], pods=company.pods[:1])

    found = figures(company, POLICIES, before=[bare])

    assert {**found, "findings": []} == {**base(seed), "findings": []}


@every_seed
def test_the_order_of_a_wide_company_is_of_no_account(seed: int) -> None:
    company, rng = wide_from(seed), random.Random(seed)  # noqa: S311 - no secret
    files = [list(file) for file in company.files]
    for file in files:
        rng.shuffle(file)
    whole, late = files[:-1], files[-1]
    rng.shuffle(whole)
    other = replace(company, files=(*(tuple(file) for file in whole), tuple(late)))

    assert other != company
    assert figures(other, POLICIES) == base(seed)
