"""What must follow for the figures when the deliveries change in a way that we know the effect of.

No expected figure is written here: each test compares two whole nights. `--long` draws more
companies.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.properties.small_company import FIRST, HOURS, drawn_from, figures

if TYPE_CHECKING:
    from tests.properties.small_company import Company, Line, Row

SEEDS = [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 22))]
UNIT = Decimal("1e-12")
MONEY = {
    "spend_daily": (8, 9),
    "books": (6, 7, 8, 9, 10, 11),
    "machines_daily": (8, 9, 14),
    "runs": (7, 8),
    "coverage": (3,),
    "findings": (10,),
}
"""Mart -> which of its columns are money."""

every_seed = pytest.mark.parametrize("seed", SEEDS)


@cache
def base(seed: int) -> dict[str, list[Row]]:
    """Return the figures of a company as it was drawn; its books close."""
    found = figures(drawn_from(seed))
    assert len(found["books"]) == 2 * 6  # measures, dimensions
    assert {row[11] for row in found["books"]} == {0}
    assert found["runs"]
    assert found["findings"]
    return found


def shifted(day: date) -> date:
    """Return the same day of the next month."""
    return day.replace(month=day.month + 1)


def without_money(mart: str, row: Row) -> Row:
    return tuple(cell for column, cell in enumerate(row) if column not in MONEY[mart])


@every_seed
def test_the_order_of_files_and_rows_is_of_no_account(seed: int) -> None:
    company, rng = drawn_from(seed), random.Random(seed)  # noqa: S311 - no secret
    lines = [line for file in company.files for line in file]
    pods = list(company.pods)
    rng.shuffle(lines)
    rng.shuffle(pods)
    cut = rng.randint(1, len(lines) - 1)
    other = replace(company, files=(tuple(lines[:cut]), tuple(lines[cut:])), pods=tuple(pods))

    assert other != company
    assert figures(other) == base(seed)


@every_seed
def test_a_bill_cut_into_more_files_is_the_same_bill(seed: int) -> None:
    company = drawn_from(seed)
    files = tuple(
        part for file in company.files for part in (file[::3], file[1::3], file[2::3]) if part
    )

    assert len(files) > len(company.files)
    assert figures(replace(company, files=files)) == base(seed)


@every_seed
def test_what_is_delivered_twice_counts_once(seed: int) -> None:
    assert figures(drawn_from(seed), nights=2) == base(seed)


def renamed(company: Company, key: str) -> Company:
    """Return the company with the tag `team` under another key; none where `key` is empty."""

    def rename(line: Line) -> Line:
        tags = tuple((key if old == "team" else old, value) for old, value in line.tags)
        return replace(line, tags=tuple((name, value) for name, value in tags if name))

    return company.with_lines(rename)


@every_seed
def test_a_tag_in_another_case_counts_where_the_config_file_knows_it(seed: int) -> None:
    """`Team` is known by default; `TEAM` is not, and is then as good as no tag at all."""
    company = drawn_from(seed)
    untagged = figures(renamed(company, ""))
    attribution = '[attribution]\nteam_tags = ["TEAM"]\nuser_tags = ["user"]\n'

    assert untagged["spend_daily"] != base(seed)["spend_daily"]
    assert figures(renamed(company, "Team")) == base(seed)
    assert figures(renamed(company, "TEAM")) == untagged
    assert figures(renamed(company, "TEAM"), attribution) == base(seed)


@every_seed
def test_an_unrelated_account_changes_nobody_elses_figure(seed: int) -> None:
    """Its own are what it bills: its team's, nothing else, and the books grow by just that."""
    company, service = drawn_from(seed), "Amazon Kinesis"
    costs = [Decimal("12.000000000001"), Decimal("-0.75"), Decimal("0.333333333333")]
    like = company.files[0][0]
    lines = tuple(
        replace(
            like,
            cost=cost,
            day=FIRST,
            hour=None,
            account="999",
            category="Usage",
            service=service,
            resource=f"stream-{number}",
            meter="",
            tags=(("team", "finance"),),
        )
        for number, cost in enumerate(costs)
    )
    found = figures(replace(company, files=(*company.files, lines)))
    known = base(seed)

    assert [row for row in found["spend_daily"] if row[7] != service] == known["spend_daily"]
    assert {
        (row[4], row[5], row[8], row[9]) for row in found["spend_daily"] if row[7] == service
    } == {
        (dimension, member, sum(costs), sum(costs))
        for dimension, member in (
            *(("team", "finance"), ("user", "unattributed"), ("project", "unattributed")),
            *(("model", "not a model's"), ("dataset", "not a dataset's"), ("service", service)),
        )
    }
    for mart in ("machines_daily", "runs", "findings"):
        assert found[mart] == known[mart]
    own = {
        ("team", "resource_tag"): sum(costs),
        ("user", "unattributed"): sum(costs),
        ("project", "unattributed"): sum(costs),
    }
    assert [
        (*row[:3], row[3] - own.get((row[0], row[1]), Decimal(0))) for row in found["coverage"]
    ] == known["coverage"]
    for row, before in zip(found["books"], known["books"], strict=True):
        assert (row[6], row[11]) == (before[6] + sum(costs), 0)


def services(found: dict[str, list[Row]]) -> dict[object, Decimal]:
    """Return what each service cost on each day, in each dimension."""
    sums: dict[object, Decimal] = {}
    for row in found["spend_daily"]:
        key = (*row[:5], row[7])
        sums[key] = sums.get(key, Decimal(0)) + row[8]
    return sums


@every_seed
def test_ten_times_the_bill_is_ten_times_every_figure(seed: int) -> None:
    """To the last digit where a line is whole, else to 11 units of 1e-12 for each part cut.

    What a service cost on a day is, to the last digit, in every dimension: parts add up.
    """
    company = drawn_from(seed)
    found = figures(company.with_lines(lambda line: replace(line, cost=10 * line.cost)))
    most_parts = HOURS * 2 * 5  # of two machines: three pods, what is idle, and to spare

    for mart, rows in base(seed).items():
        wanted = sorted(rows, key=lambda row: repr(without_money(mart, row)))
        ours = sorted(found[mart], key=lambda row: repr(without_money(mart, row)))
        for row, before in zip(ours, wanted, strict=True):
            assert without_money(mart, row) == without_money(mart, before)
            is_whole = mart == "spend_daily" and row[7] != "Amazon Elastic Compute Cloud"
            allowed = 0 if is_whole else 11 * 2 * most_parts * UNIT
            for column in MONEY[mart]:
                assert abs(row[column] - 10 * before[column]) <= allowed
    assert [row[6] for row in found["books"]] == [10 * row[6] for row in base(seed)["books"]]
    assert services(found) == {key: 10 * cost for key, cost in services(base(seed)).items()}


@every_seed
def test_a_month_later_everything_is_a_month_later(seed: int) -> None:
    company = drawn_from(seed)
    later = replace(
        company.with_lines(lambda line: replace(line, day=shifted(line.day))),
        pods=tuple(replace(pod, day=shifted(pod.day)) for pod in company.pods),
    )

    assert figures(later) == {
        mart: [
            tuple(shifted(cell) if isinstance(cell, date) else cell for cell in row) for row in rows
        ]
        for mart, rows in base(seed).items()
    }
