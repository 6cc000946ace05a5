"""Hours that telemetry lost: what nobody can know is unattributed, and only that."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.queries.attribution.conftest import Build, Draw, Row, Warehouse

LOST = ("unattributed", None, "lost_telemetry")


def _costs(built: Warehouse) -> dict[object, Decimal]:
    return built.costs("cost_kind, team, team_rule")


def test_an_hour_without_samples_is_unattributed_and_one_without_pods_is_idle(
    build: Build, draw: type[Draw]
) -> None:
    """Hour 0 a pod has all GPUs, hour 1 only the node is seen, hour 2 nothing is."""
    built = build(
        {
            "cost_lines": [draw.machine(5, hour, tags={"team": "infra"}) for hour in range(3)],
            "node_hours": [draw.node(hour, gpu=8, cpu=0, memory=0) for hour in (0, 1)],
            "pod_hours": [draw.pod("p", gpu=8, team_raw="vision")],
        }
    )

    assert _costs(built) == {
        ("direct", "vision", "pod_label"): Decimal(5),
        ("idle", None, None): Decimal(5),
        LOST: Decimal(5),
    }
    assert built.rows(
        "select idle_cost, lost_cost, lost_hours, up_hours from marts.machines_daily"
    ) == [(Decimal(5), Decimal(5), Decimal(1), Decimal(3))]
    assert built.rows(
        "select dimension, member, sum(effective_cost) from marts.spend_daily "
        "where cost_kind = 'unattributed' and dimension in ('team', 'model') "
        "group by all order by 1"
    ) == [("model", "unattributed", Decimal(5)), ("team", "unattributed", Decimal(5))]


@pytest.mark.parametrize("policy", ["separate", "by_node", "by_cluster"])
def test_no_idle_policy_makes_somebody_pay_for_what_was_lost(
    build: Build, draw: type[Draw], policy: str
) -> None:
    """A bare run holds a fifth of the lost hour; its pod neighbour is seen in the other."""
    built = build(
        {
            "cost_lines": [
                draw.machine(10, hour, x_gpu_count=10, x_cpu_count=0, x_memory_gib=0)
                for hour in (0, 1)
            ],
            "node_hours": [draw.node(0, gpu=10, cpu=0, memory=0)],
            "pod_hours": [draw.pod("p", gpu=10, team_raw="vision")],
            "runs": [draw.run("r", 1, 2, gpu_count=2)],
            "run_places": [{"run_key": "r", "instance_id": "i-1"}],
        },
        idle_policy=policy,
    )

    assert built.costs("cost_kind, run_id") == {
        ("direct", None): Decimal(10),
        ("direct", "r"): Decimal(2),
        ("unattributed", None): Decimal(8),
    }


def test_a_machine_that_only_runs_watch_has_no_telemetry_to_lose(
    build: Build, draw: type[Draw]
) -> None:
    built = build(
        {
            "cost_lines": [draw.machine(4, hour) for hour in (0, 1)],
            "runs": [draw.run("r", 0, 1)],
            "run_places": [{"run_key": "r", "instance_id": "i-1"}],
        }
    )

    assert built.costs("cost_kind") == {"direct": Decimal(4), "idle": Decimal(4)}


def test_what_the_bill_says_of_pods_fills_the_hour_that_telemetry_lost(
    build: Build, draw: type[Draw]
) -> None:
    """Split cost allocation data of hour 1: the bill's pods, and no loss."""
    split: Row = {
        "charge_date": draw.day,
        "charge_hour": draw.at(1),
        "cluster": "c1",
        "namespace": "lab",
        "pod": "q",
        "pod_uid": "q",
        "instance_id": "i-1",
        "tags": {},
        "gpu_units": 4,
        "cpu_cores": 0,
        "memory_gib": 0,
        "gpu_capacity": 8,
        "cpu_capacity": 0,
        "memory_gib_capacity": 0,
    }
    built = build(
        {
            "cost_lines": [draw.machine(8, hour) for hour in range(3)],
            "node_hours": [draw.node(0, gpu=8, cpu=0, memory=0)],
            "pod_hours": [draw.pod("p", gpu=8)],
            "billed_pods": [split],
        }
    )

    assert built.costs("cost_kind, split_part(pod_id, '/', -1)") == {
        ("unattributed", "p"): Decimal(8),
        ("unattributed", "q"): Decimal(4),
        ("idle", None): Decimal(4),
        ("unattributed", None): Decimal(8),
    }
    assert built.rows("select sum(lost_cost) from marts.machines_daily") == [(Decimal(8),)]


@pytest.mark.parametrize(
    ("used", "seen", "lost"),
    [
        (24, range(24), 0),
        (24, range(2, 22), 4),
        (20, range(2, 22), 0),  # it was not up in the hours without samples
        (None, range(2, 22), 0),  # the bill does not tell
    ],
)
def test_a_day_loses_the_hours_that_the_bill_has_and_telemetry_has_not(
    build: Build, draw: type[Draw], used: int | None, seen: range, lost: int
) -> None:
    """A pod has half of the GPUs whenever the machine is seen; licences repeat the hours."""
    hours: Row = {"consumed_quantity": used, "consumed_unit": "Hours"} if used else {}
    built = build(
        {
            "cost_lines": [
                draw.machine(200, None) | hours,
                draw.machine(40, None, service_name="Licences") | hours,
            ],
            "node_hours": [draw.node(hour, gpu=8, cpu=0, memory=0) for hour in seen],
            "pod_hours": [draw.pod("p", hour, gpu=4, team_raw="vision") for hour in seen],
        }
    )
    costs = {key: round(cost, 9) for key, cost in _costs(built).items()}
    of_lost = Decimal(240) * lost / 24

    assert costs.pop(LOST, Decimal(0)) == of_lost
    assert costs == {
        ("direct", "vision", "pod_label"): (240 - of_lost) / 2,
        ("idle", None, None): (240 - of_lost) / 2,
    }


def test_minutes_without_samples_are_spread_over_the_rest_of_their_hour(
    build: Build, draw: type[Draw]
) -> None:
    """Forty minutes of node and pod are seen of a billed hour: none of it is lost."""
    built = build(
        {
            "cost_lines": [draw.machine(9)],
            "node_hours": [draw.node(gpu=8, cpu=0, memory=0, up_seconds=2400)],
            "pod_hours": [draw.pod("p", gpu=4, held_seconds=2400, team_raw="vision")],
        }
    )

    assert _costs(built) == {
        ("direct", "vision", "pod_label"): Decimal("4.5"),
        ("idle", None, None): Decimal("4.5"),
    }


def test_the_hours_lost_are_told_by_cluster_and_day(build: Build, draw: type[Draw]) -> None:
    """Of the GPU hours that were billed, how many telemetry saw nothing of."""
    built = build(
        {
            "cost_lines": [draw.machine(5, hour, x_gpu_count=8) for hour in range(3)],
            "node_hours": [draw.node(hour, gpu=8, cpu=0, memory=0) for hour in (0, 1)],
            "pod_hours": [draw.pod("p", gpu=8, team_raw="vision")],
        }
    )

    assert built.rows(
        "select cluster, held_gpu_hours, unknown_gpu_hours, machine_hours, lost_machine_hours "
        "from marts.telemetry_coverage"
    ) == [("c1", Decimal(8), Decimal(8), Decimal(3), Decimal(1))]
