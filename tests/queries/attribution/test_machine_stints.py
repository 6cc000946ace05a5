"""Hours of a machine that are alike: added up and cut once, as if each had been cut alone."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.queries.attribution.conftest import Build, Draw, Warehouse

STINTS = """
    select list(slot order by slot)
    from attribution.machine_stints inner join attribution.machine_hours using (machine_hour_no)
    group by stint_no order by min(slot)
"""


def stints(built: Warehouse) -> list[list[int]]:
    """Return the hours of each stint."""
    return [hours for (hours,) in built.rows(STINTS)]


def test_hours_with_the_same_holders_are_one_stint_whatever_they_cost(
    build: Build, draw: type[Draw]
) -> None:
    held = {0: ["a"], 1: ["a", "b"], 2: ["a"], 3: []}
    built = build(
        {
            "cost_lines": [draw.machine(cost, hour) for hour, cost in enumerate([8, 8, 3, 1])],
            "node_hours": [draw.node(hour, gpu=4, cpu=0, memory=0) for hour in held],
            "pod_hours": [
                draw.pod(pod, hour, gpu=2) for hour, pods in held.items() for pod in pods
            ],
        }
    )

    assert stints(built) == [[0, 2], [1], [3]]
    assert built.costs("pod_id") == {
        "c1/lab/a": Decimal("9.5"),  # half of 8, of 8 and of 3
        "c1/lab/b": Decimal(4),
        None: Decimal("6.5"),  # idle: half of 8 and of 3, and 1
    }
    hours = built.rows(
        "select pod_id, sum(gpu_hours) from attribution.postings "
        "where pod_id is not null group by all order by all"
    )
    assert hours == [("c1/lab/a", Decimal(6)), ("c1/lab/b", Decimal(2))]


def test_hours_in_which_others_held_as_much_are_not_alike(build: Build, draw: type[Draw]) -> None:
    """Two pods of one name that follow each other in an hour are two rows that are the same."""
    stays = {"a": 0, "b": 1}
    built = build(
        {
            "cost_lines": [draw.machine(cost, hour) for hour, cost in enumerate([8, 6])],
            "node_hours": [draw.node(hour, gpu=4, cpu=0, memory=0) for hour in (0, 1)],
            "pod_hours": [
                draw.pod(pod, hour, gpu=2, held_seconds=1800)
                for pod, hour in stays.items()
                for _ in range(2)
            ],
        }
    )

    assert stints(built) == [[0], [1]]
    assert built.costs("pod_id", "pod_id is not null") == {"c1/lab/a": 4, "c1/lab/b": 3}


@pytest.mark.parametrize("seconds", [3600, 1800])
def test_an_hour_in_which_the_machine_offered_less_is_not_like_a_whole_one(
    build: Build, draw: type[Draw], seconds: int
) -> None:
    built = build(
        {
            "cost_lines": [draw.machine(8, hour) for hour in (0, 1)],
            "node_hours": [
                draw.node(0, gpu=4, cpu=0, memory=0),
                draw.node(1, gpu=4, cpu=0, memory=0, up_seconds=seconds),
            ],
            "pod_hours": [draw.pod("a", hour, gpu=1) for hour in (0, 1)],
        }
    )

    assert stints(built) == ([[0, 1]] if seconds == 3600 else [[0], [1]])
    assert built.costs("pod_id", "pod_id is not null") == {"c1/lab/a": 4 if seconds == 3600 else 6}


def test_a_stint_is_cut_to_the_last_digit(build: Build, draw: type[Draw]) -> None:
    """Three cannot share it evenly: what each hour would round, the stint rounds once."""
    cost = Decimal("0.000000000001")
    built = build(
        {
            "cost_lines": [draw.machine(cost, hour) for hour in range(3)],
            "node_hours": [draw.node(hour, gpu=3, cpu=0, memory=0) for hour in range(3)],
            "pod_hours": [draw.pod(pod, hour, gpu=1) for hour in range(3) for pod in "abc"],
        }
    )

    assert built.costs("pod_id") == {f"c1/lab/{pod}": cost for pod in "abc"}
