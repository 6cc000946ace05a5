"""Managed jobs: a line of the bill names a job, and runs name it too."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.queries.attribution.conftest import Build, Draw


def test_a_managed_job_is_the_run_s_that_names_it(build: Build, draw: type[Draw]) -> None:
    """Also when the provider bills it on the day after the tracker saw it end."""
    jobs = [
        draw.line(6, x_line_class="managed_job", resource_id="arn:job/1"),
        draw.line(2, x_line_class="managed_job", resource_id="arn:job/2"),
    ]
    built = build(
        {
            "cost_lines": jobs,
            "runs": [
                draw.run("r", -20, -1, cloud_job_arn="arn:job/1", gpu_count=4),
                draw.run("gone", -70, -60, cloud_job_arn="arn:job/2"),
            ],
        }
    )

    assert built.costs("method, run_id") == {
        ("managed_job", "r"): Decimal(6),
        ("owner", None): Decimal(2),
    }


def test_runs_that_name_one_job_share_it_by_time(build: Build, draw: type[Draw]) -> None:
    built = build(
        {
            "cost_lines": [draw.line(9, x_line_class="managed_job", resource_id="arn:job/1")],
            "runs": [
                draw.run("a", 0, 1, cloud_job_arn="arn:job/1", gpu_count=4),
                draw.run("b", 0, 2, cloud_job_arn="arn:job/1"),
            ],
        }
    )

    assert built.costs("run_id") == {"a": Decimal(3), "b": Decimal(6)}
    assert built.rows("select gpu_hours from marts.runs where run_id = 'a'") == [(Decimal(4),)]


@pytest.mark.parametrize(
    ("gpus", "costs"),
    [
        ((4, 1), {"a": 6, "b": 3}),  # four GPU-hours and two
        ((1, 1), {"a": 3, "b": 6}),
        ((4, 0), {"a": 3, "b": 6}),  # a run that held none pays for its time all the same
    ],
)
def test_runs_that_are_known_to_hold_gpus_of_one_cluster_share_it_by_them(
    build: Build, draw: type[Draw], gpus: tuple[int, int], costs: dict[str, int]
) -> None:
    """A pipeline above one of them tells no GPUs, and has no time of its own: it pays nothing."""
    cluster = {"cloud_job_arn": "clusters/gpu"}
    built = build(
        {
            "cost_lines": [draw.line(9, x_line_class="managed_job", resource_id="clusters/gpu")],
            "runs": [
                draw.run("top", 0, 1, **cluster),
                draw.run("a", 0, 1, gpu_count=gpus[0], parent_native_id="top", **cluster),
                draw.run("b", 0, 2, gpu_count=gpus[1], **cluster),
            ],
        }
    )

    assert {name: cost for name, cost in built.costs("run_id").items() if cost} == {
        name: Decimal(cost) for name, cost in costs.items()
    }
