"""Machine-hours: pools, pods, runs, idle."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.queries.attribution.conftest import DAY

if TYPE_CHECKING:
    from tests.queries.attribution.conftest import Build, Draw


def test_pools_follow_the_weights_of_the_worked_example(build: Build, draw: type[Draw]) -> None:
    """AWS: a p3.16xlarge (8 GPU, 64 vCPU, 488 GiB) at $10 costs $0.5045 per GPU-hour."""
    pods = [draw.pod("gpu", gpu=1), draw.pod("cpu", cpu=1), draw.pod("memory", memory=1)]
    built = build(
        {"cost_lines": [draw.machine(10)], "node_hours": [draw.node()], "pod_hours": pods}
    )
    costs = built.costs("pod_id", "pod_id is not null")

    assert round(costs["c1/lab/gpu"], 4) == Decimal("0.5045")
    assert round(costs["c1/lab/cpu"], 4) == Decimal("0.0504")
    assert round(costs["c1/lab/memory"], 4) == Decimal("0.0056")


def test_two_runs_on_one_machine_share_it_and_never_pay_twice(
    build: Build, draw: type[Draw]
) -> None:
    """For half an hour one run is alone, for the other half there are two."""
    built = build(
        {
            "cost_lines": [draw.machine(12)],
            "runs": [draw.run("long"), draw.run("late", 0.5)],
            "run_places": [
                {"run_key": "long", "instance_id": "i-1"},
                {"run_key": "late", "instance_id": "I-1"},
            ],
        }
    )

    assert built.costs("run_id") == {"long": Decimal(9), "late": Decimal(3)}


def test_overlapping_runs_share_a_pod_by_their_gpus(build: Build, draw: type[Draw]) -> None:
    built = build(
        {
            "cost_lines": [draw.machine(8)],
            "node_hours": [draw.node(gpu=4, cpu=0, memory=0)],
            "pod_hours": [draw.pod("p", gpu=4)],
            "runs": [draw.run("one", gpu_count=1), draw.run("three", gpu_count=3)],
            "run_places": [
                {"run_key": "one", "namespace": "lab", "pod": "p"},
                {"run_key": "three", "pod": "p"},
            ],
        }
    )

    assert built.costs("run_id") == {"one": Decimal(2), "three": Decimal(6)}


def test_what_a_run_leaves_of_its_pod_stays_with_the_pod(build: Build, draw: type[Draw]) -> None:
    """The pod ran for the whole hour, the run for 15 minutes of it."""
    built = build(
        {
            "cost_lines": [draw.machine(8)],
            "node_hours": [draw.node(gpu=4, cpu=0, memory=0)],
            "pod_hours": [draw.pod("p", gpu=4, team_raw="vision")],
            "runs": [draw.run("r", 0, 0.25)],
            "run_places": [{"run_key": "r", "pod": "p"}],
        }
    )

    assert built.costs("run_id, team") == {
        ("r", "vision"): Decimal(2),
        (None, "vision"): Decimal(6),
    }


def test_a_pod_whose_label_names_a_run_is_the_run_s(build: Build, draw: type[Draw]) -> None:
    built = build(
        {
            "cost_lines": [draw.machine(8)],
            "node_hours": [draw.node(gpu=4, cpu=0, memory=0)],
            "pod_hours": [draw.pod("p", gpu=3, run_native_id="r")],
            "runs": [draw.run("r", 0, 0.25)],
        }
    )

    assert built.costs("run_id, cost_kind") == {
        ("r", "direct"): Decimal(6),
        (None, "idle"): Decimal(2),
    }


def test_a_run_on_a_bare_machine_leaves_the_gpus_it_does_not_hold_idle(
    build: Build, draw: type[Draw]
) -> None:
    """The machine's size is not watched but known by its type."""
    built = build(
        {
            "cost_lines": [draw.machine(8, x_instance_type="p3.16xlarge")],
            "runs": [draw.run("r", gpu_count=2)],
            "run_places": [{"run_key": "r", "instance_id": "i-1"}],
        }
    )

    assert built.costs("run_id, cost_kind") == {
        ("r", "direct"): Decimal(2),
        (None, "idle"): Decimal(6),
    }
    assert built.rows("select gpu_hours from marts.runs") == [(Decimal(2),)]


def parts_of(
    build: Build, draw: type[Draw], *stays: dict[str, object], pod: bool = False
) -> dict[object, Decimal]:
    """Return what each run pays of a machine's hour: 8 GPUs $72, 80 cores $72, 800 GiB $80."""
    place = {"pod": "p"} if pod else {"instance_id": "i-1"}
    names = [f"r{number}" for number in range(len(stays))]
    built = build(
        {
            "cost_lines": [draw.machine(224)],
            "node_hours": [draw.node(gpu=8, cpu=80, memory=800)],
            "pod_hours": [draw.pod("p", gpu=8, cpu=80, memory=800)] if pod else [],
            "runs": [draw.run(name) for name in names],
            "run_places": [
                {"run_key": name} | place | stay for name, stay in zip(names, stays, strict=True)
            ],
        }
    )
    return {who: round(cost, 9) for who, cost in built.costs("run_id, cost_kind").items()}


def test_a_job_without_gpus_pays_for_its_cores_and_memory(build: Build, draw: type[Draw]) -> None:
    told = parts_of(
        build,
        draw,
        {"gpu_count": 6, "cpu_count": 20, "memory_gib": 400},
        {"gpu_count": 0, "cpu_count": 40, "memory_gib": 200},
    )
    assert told == {
        ("r0", "direct"): Decimal(54 + 18 + 40),
        ("r1", "direct"): Decimal(36 + 20),
        (None, "idle"): Decimal(18 + 18 + 20),
    }


def test_a_job_alone_that_says_it_holds_no_gpu_leaves_them_idle(
    build: Build, draw: type[Draw]
) -> None:
    told = parts_of(build, draw, {"gpu_count": 0, "cpu_count": 80, "memory_gib": 800})
    assert told == {("r0", "direct"): Decimal(152), (None, "idle"): Decimal(72)}


@pytest.mark.parametrize("pod", [False, True])
def test_cores_that_not_all_tell_go_equally_where_one_holds_no_gpu(
    build: Build, draw: type[Draw], *, pod: bool
) -> None:
    told = parts_of(build, draw, {"gpu_count": 8, "cpu_count": 10}, {"gpu_count": 0}, pod=pod)
    assert told == {("r0", "direct"): Decimal(72 + 76), ("r1", "direct"): Decimal(76)}


def test_cores_that_not_all_tell_go_as_their_gpus_do(build: Build, draw: type[Draw]) -> None:
    told = parts_of(build, draw, {"gpu_count": 6, "cpu_count": 10}, {"gpu_count": 2})
    assert told == {("r0", "direct"): Decimal(168), ("r1", "direct"): Decimal(56)}


def test_in_a_pod_somebody_holds_its_gpus_whatever_its_runs_say(
    build: Build, draw: type[Draw]
) -> None:
    told = parts_of(
        build,
        draw,
        {"gpu_count": 0, "cpu_count": 10},
        {"gpu_count": 0, "cpu_count": 30},
        pod=True,
    )
    assert told == {
        ("r0", "direct"): Decimal(36 + 18 + 40),
        ("r1", "direct"): Decimal(36 + 54 + 40),
    }


def test_a_parent_holds_only_what_its_children_do_not(build: Build, draw: type[Draw]) -> None:
    built = build(
        {
            "cost_lines": [draw.machine(8)],
            "runs": [draw.run("sweep"), draw.run("trial", 0, 0.75, parent_native_id="sweep")],
            "run_places": [
                {"run_key": "sweep", "instance_id": "i-1"},
                {"run_key": "trial", "instance_id": "i-1"},
            ],
        }
    )

    assert built.costs("run_id") == {"sweep": Decimal(2), "trial": Decimal(6)}


def test_more_held_than_there_is_shares_the_whole_bill(build: Build, draw: type[Draw]) -> None:
    """Time-sliced GPUs: three pods claim four GPUs each of a machine that has eight."""
    built = build(
        {
            "cost_lines": [draw.machine(9)],
            "node_hours": [draw.node(gpu=8, cpu=0, memory=0)],
            "pod_hours": [draw.pod(pod, gpu=4) for pod in "abc"],
        }
    )

    assert {pod: round(cost, 9) for pod, cost in built.costs("pod_id").items()} == {
        f"c1/lab/{pod}": Decimal(3) for pod in "abc"
    }


def test_a_run_without_an_end_lasts_until_its_last_sign_of_life(
    build: Build, draw: type[Draw]
) -> None:
    built = build(
        {
            "cost_lines": [draw.machine(8, hour) for hour in range(3)],
            "runs": [draw.run("r", 0, None, status="running", last_seen_at=draw.at(1.5))],
            "run_places": [{"run_key": "r", "instance_id": "i-1"}],
        }
    )

    assert built.costs("run_id") == {"r": Decimal(12), None: Decimal(12)}
    assert built.rows("select is_provisional from marts.runs") == [(True,)]


def test_a_machine_billed_by_the_day_is_shared_by_the_day(build: Build, draw: type[Draw]) -> None:
    built = build(
        {
            "cost_lines": [draw.machine(24, None)],
            "runs": [draw.run("a", 0, 6), draw.run("b", 18, 30)],
            "run_places": [
                {"run_key": "a", "instance_id": "i-1"},
                {"run_key": "b", "instance_id": "i-1"},
            ],
        }
    )

    assert built.costs("run_id") == {"a": Decimal(6), "b": Decimal(6), None: Decimal(12)}


def test_the_hours_on_the_bill_say_how_long_an_unwatched_machine_was_up(
    build: Build, draw: type[Draw]
) -> None:
    """Twenty minutes are billed and the run ran for all of them: nothing is idle."""
    line = draw.machine(3, consumed_quantity=Decimal("0.333333333333"), consumed_unit="Hours")
    built = build(
        {
            "cost_lines": [line],
            "runs": [draw.run("r", 0, 1 / 3)],
            "run_places": [{"run_key": "r", "instance_id": "i-1"}],
        }
    )

    assert built.costs("run_id") == {"r": Decimal(3)}


def test_a_machine_that_nobody_watches_goes_by_its_tags(build: Build, draw: type[Draw]) -> None:
    built = build(
        {
            "cost_lines": [
                draw.machine(5, tags={"team": "vision"}),
                draw.machine(3, instance="i-2"),
            ]
        }
    )

    assert built.costs("team, team_rule, cost_kind") == {
        ("vision", "resource_tag", "direct"): Decimal(5),
        (None, "unattributed", "unattributed"): Decimal(3),
    }


def test_a_watched_machine_that_nobody_holds_is_idle(build: Build, draw: type[Draw]) -> None:
    built = build(
        {"cost_lines": [draw.machine(5, tags={"team": "vision"})], "node_hours": [draw.node()]}
    )

    assert built.costs("team, cost_kind") == {(None, "idle"): Decimal(5)}
    assert built.rows("select idle_cost, gpu_count, up_hours from marts.machines_daily") == [
        (Decimal(5), Decimal(8), Decimal(1))
    ]


def test_a_machine_to_which_its_scheduler_gave_no_work_is_idle(
    build: Build, draw: type[Draw]
) -> None:
    free = {"source": "slurm", "charge_date": DAY}
    tables = {
        "cost_lines": [
            *(draw.machine(5, hour, "node7", tags={"team": "vision"}) for hour in (0, 1)),
            draw.machine(3, None, "i-0A"),
            draw.machine(2, None, "i-2", x_gpu_count=8),
            draw.machine(1, instance="i-3"),
            draw.machine(7, instance="i-4"),
        ],
        "free_nodes": [
            free | {"node": "Node7"},
            free | {"node": "gpu1", "instance_id": "i-0a"},
            free | {"node": "i-2", "instance_id": "i-2"},
            free | {"node": "i-3", "charge_date": DAY - timedelta(days=1)},
            free | {"node": "i-4"},
        ],
        # who was there all the same holds what it holds
        "runs": [draw.run("r")],
        "run_places": [{"run_key": "r", "instance_id": "i-4"}],
    }
    built = build(tables)
    assert built.costs("lower(resource_id), team, run_id, cost_kind") == {
        ("node7", None, None, "idle"): Decimal(10),
        ("i-0a", None, None, "idle"): Decimal(3),
        ("i-2", None, None, "idle"): Decimal(2),
        ("i-3", None, None, "unattributed"): Decimal(1),
        ("i-4", None, "r", "direct"): Decimal(7),
    }


def test_pods_of_the_cluster_itself_are_shared_cost(build: Build, draw: type[Draw]) -> None:
    built = build(
        {
            "cost_lines": [draw.machine(8)],
            "node_hours": [draw.node(gpu=0, cpu=8, memory=0)],
            "pod_hours": [draw.pod("dns", cpu=8, namespace="kube-system", team_raw="infra")],
        }
    )

    assert built.costs("cost_kind, team") == {("shared", None): Decimal(8)}


def test_gpu_hours_are_counted_once_however_many_lines_bill_an_hour(
    build: Build, draw: type[Draw]
) -> None:
    """A covered hour has the usage, the negation and the fee of the commitment in three lines."""
    lines = [
        draw.machine(10),
        draw.machine(-10, service_name="Savings Plans"),
        draw.machine(7, service_name="Savings Plans fee"),
    ]
    built = build(
        {
            "cost_lines": lines,
            "node_hours": [draw.node()],
            "pod_hours": [draw.pod("p", gpu=8, run_native_id="r")],
            "runs": [draw.run("r")],
        }
    )

    assert built.rows("select gpu_hours from marts.runs") == [(Decimal(8),)]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("separate", {("direct", "a"): 8, ("idle", None): 72}),
        ("by_node", {("direct", "a"): 8, ("idle", "a"): 32, ("idle", None): 40}),
        ("by_cluster", {("direct", "a"): 8, ("idle", "a"): 72}),
    ],
)
def test_idle_cost_goes_where_the_policy_says(
    build: Build, draw: type[Draw], policy: str, expected: dict[tuple[str, str | None], int]
) -> None:
    """Two machines of one cluster, each 40: a pod holds a fifth of the one, nobody the other."""
    built = build(
        {
            "cost_lines": [draw.machine(40), draw.machine(40, instance="i-2")],
            "node_hours": [
                draw.node(gpu=10, cpu=0, memory=0),
                draw.node(gpu=10, cpu=0, memory=0, instance="i-2"),
            ],
            "pod_hours": [draw.pod("a", gpu=2, team_raw="vision")],
        },
        idle_policy=policy,
    )
    costs = built.costs("cost_kind, split_part(pod_id, '/', -1)")

    assert costs == {key: Decimal(cost) for key, cost in expected.items()}


def test_a_pool_without_holders_stays_idle_under_by_node(build: Build, draw: type[Draw]) -> None:
    """A pod of cores does not pay for idle GPUs; dividing by no holders loses nothing."""
    built = build(
        {
            "cost_lines": [draw.machine(99)],
            "node_hours": [draw.node(gpu=1, cpu=1, memory=0)],
            "pod_hours": [draw.pod("a", cpu="0.5", team_raw="vision")],
        },
        idle_policy="by_node",
    )

    costs = built.costs("cost_kind, team")
    assert {key: round(cost, 9) for key, cost in costs.items()} == {
        ("direct", "vision"): Decimal("4.5"),
        ("idle", "vision"): Decimal("4.5"),
        ("idle", None): Decimal(90),
    }
