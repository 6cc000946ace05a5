"""What is stored of a dataset costs the version under whose place it lies."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.queries.attribution.test_data import inventory
from tests.queries.attribution.test_egress import company, logged
from tests.queries.attribution.test_versions import UNIT, spent

if TYPE_CHECKING:
    from tests.queries.attribution.conftest import Build, Draw, Row

BLOCK = 131_072
"""What an object of an infrequent-access class is billed as, at least."""


def place(version: str | None, uri: str, dataset: str = "pets", **more: object) -> Row:
    """Return what a registry has of a version."""
    return {"dataset": dataset, "version": version, "uri": f"s3://data/{uri}"} | more


def stored(draw: type[Draw], cost: int, **more: object) -> Row:
    """Return a line for what is stored in the bucket."""
    return draw.line(cost) | {"resource_id": "data", "x_line_class": "object_storage"} | more


def test_versions_pay_for_the_bytes_under_the_place_of_each(build: Build, draw: type[Draw]) -> None:
    """Class by class, small objects at what they are billed as; requests by all bytes.

    Standard, in blocks: 1, 3, 4 of no version and 8 of no dataset. Infrequent access: two objects
    of 50 bytes are two blocks, and one of two blocks is two.
    """
    standard = inventory(draw, v1=BLOCK, v2=3 * BLOCK, readme=4 * BLOCK, rest=8 * BLOCK)
    seldom = inventory(draw, v1=100, v2=2 * BLOCK)
    rows = [row | {"storage_class": "STANDARD", "object_count": 9} for row in standard]
    rows += [
        row | {"storage_class": "STANDARD_IA", "object_count": count}
        for row, count in zip(seldom, (2, 1), strict=True)
    ]
    for row in rows:
        row["prefix"] = "rest" if row["prefix"] == "rest" else f"pets/{row['prefix']}/part"
    tables = {
        "cost_lines": [
            stored(draw, 80, sku_meter="USE2-TimedStorage-ByteHrs"),
            stored(draw, 8, sku_meter="USE2-TimedStorage-SIA-ByteHrs"),
            draw.line(20, resource_id="data", x_line_class="object_requests"),
        ],
        "datasets": [place("1", "pets/v1"), place("2", "pets/v2"), place(None, "pets")],
        "stored_bytes": rows,
    }

    assert spent(build(tables), "dataset") == {
        ("pets", "1"): Decimal(5 + 4 + 3),
        ("pets", "2"): Decimal(15 + 4 + 5),
        ("pets", None): Decimal(20 + 0 + 4),
        ("(unregistered)", None): Decimal(40 + 0 + 8),
    }


def test_versions_add_up_to_their_dataset_to_the_last_digit(build: Build, draw: type[Draw]) -> None:
    tables = {
        "cost_lines": [stored(draw, 10)],
        "datasets": [place(version, f"pets/{version}") for version in "abc"],
        "stored_bytes": inventory(draw, pets_a=1, pets_b=1, pets_c=1),
    }

    built, third = build(tables), Decimal("3.333333333333")
    assert spent(built, "dataset") == {
        ("pets", "a"): third,
        ("pets", "b"): third + UNIT,
        ("pets", "c"): third,
    }
    assert built.costs("dataset") == {"pets": Decimal(10)}


def test_versions_in_one_place_cannot_be_told_apart(build: Build, draw: type[Draw]) -> None:
    """What lies deeper is of the version, or the other dataset, that is registered there."""
    tables = {
        "cost_lines": [stored(draw, 16)],
        "datasets": [
            place("1", "pets/both"),
            place("2", "pets/both"),
            place("2", "pets/both/v2"),
            place("1", "pets/both/v2/toys", dataset="toys"),
        ],
        "stored_bytes": inventory(draw, pets_both=4, pets_both_v2_a=2, pets_both_v2_toys_b=10),
    }

    assert spent(build(tables), "dataset") == {
        ("pets", None): Decimal(4),
        ("pets", "2"): Decimal(2),
        ("toys", "1"): Decimal(10),
    }


def test_a_place_of_the_ownership_file_has_its_version_and_not_a_tools(
    build: Build, draw: type[Draw]
) -> None:
    tool = [
        place(version, f"pets/{version}", dataset="pets", is_declared=False)
        for version in ("c1", "c2")
    ]
    tables = {
        "cost_lines": [stored(draw, 6)],
        "datasets": [*tool, place("3", "pets/c1"), place(None, "pets")],
        "stored_bytes": inventory(draw, pets_c1=1, pets_c2=2, pets_x=3),
    }

    assert spent(build(tables), "dataset") == {
        ("pets", "3"): Decimal(1),
        ("pets", "c2"): Decimal(2),
        ("pets", None): Decimal(3),
    }


def later(row: Row, days: int) -> Row:
    """Return a row of some days later."""
    dates = ("charge_date", "charge_period_start", "charge_period_end")
    return row | {date: row[date] + timedelta(days) for date in dates if date in row}


def test_versions_that_follow_each_other_in_a_place_are_told_apart_by_their_days(
    build: Build, draw: type[Draw]
) -> None:
    """One that is not dated is there until the next; two of one day cannot be told apart."""
    (line,), (lies, toys) = [stored(draw, 8)], inventory(draw, pets=3, toys=1)
    dates = [None, draw.day + timedelta(1), draw.day + timedelta(2), draw.day + timedelta(2)]
    tables = {
        "cost_lines": [later(line, day) for day in range(3)],
        "datasets": [
            *(
                place(version, "pets", valid_from=date)
                for version, date in zip("1234", dates, strict=True)
            ),
            place("7", "toys", dataset="toys", valid_from=dates[1]),
        ],
        "stored_bytes": [later(row, day) for row in (lies, toys) for day in range(3)],
    }

    assert spent(build(tables), "dataset") == {
        ("pets", "1"): Decimal(6),
        ("pets", "2"): Decimal(6),
        ("pets", None): Decimal(6),
        ("toys", "7"): Decimal(4),
        ("toys", None): Decimal(2),
    }


@pytest.mark.parametrize(("since", "version"), [(0, "3"), (1, None)])
def test_what_runs_read_before_the_day_of_a_version_is_not_of_it(
    build: Build, draw: type[Draw], since: int, version: str | None
) -> None:
    """Nor of their digests, so that readers and storage call it alike; logs tell the same."""
    tables = company(draw)
    (images,) = tables["datasets"]
    dated = {"version": "3", "valid_from": draw.day + timedelta(since)}
    tables["datasets"] = [images | dated]
    tables["run_inputs"] = [row | {"dataset_digest": "d"} for row in tables["run_inputs"]]
    tracked = spent(build(tables), "dataset")
    tables["object_reads"] = [logged(draw, 10, "arn:aws:sts::1:assumed-role/train/i-1")]

    assert tracked["images", version] == Decimal(10)
    assert spent(build(tables), "dataset")["images", version] == Decimal(10)
