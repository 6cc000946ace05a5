"""What the cost of GPU machines did: unallocated, dead, starved, of the wrong class, or in use."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from tests.queries.attribution.conftest import Build, Draw, Row, Warehouse


class Case(NamedTuple):
    """What a pod's GPU does in an hour, and where the 10 that it costs then go."""

    gpu: dict[str, Any]
    uses: dict[str, str]
    pod: dict[str, Any] = {}  # noqa: RUF012 - never written to


BUSY_CORES = {"cpu_used_cores": Decimal("3.4")}
CASES = {
    "idle-gpu": Case({"activity": 0.0, "memory_used_gib": 0.1}, {"dead": "10"}),
    "notebook": Case({"activity": 0.04, "memory_used_gib": 30.0}, {"dead": "10"}),
    "powered": Case({"activity": 0.04, "power_watts": 300.0}, {"slow": "9.6", "in use": "0.4"}),
    "server": Case({"activity": 0.04}, {"waiting": "10"}, {"model_raw": "m"}),
    "cores": Case(
        {"activity": 0.35, "memory_used_gib": 1.0}, {"starved": "6.5", "in use": "3.5"}, BUSY_CORES
    ),
    "data": Case(
        {"activity": 0.2, "memory_used_gib": 39.0},
        {"starved": "8", "in use": "2"},
        {"received_mib_per_second": 50.0, "cpu_used_cores": 1},
    ),
    "small": Case(
        {"activity": 0.25, "memory_used_gib": 19.0}, {"wrong class": "7.5", "in use": "2.5"}
    ),
    "unclear": Case({"activity": 0.25, "memory_used_gib": 21.0}, {"slow": "7.5", "in use": "2.5"}),
    "no-memory": Case({"activity": 0.25}, {"slow": "7.5", "in use": "2.5"}),
    "busy": Case({"activity": 0.3, "memory_used_gib": 1.0}, {"in use": "10"}),
    "busy-cores": Case({"activity": 0.4, "memory_used_gib": 39.0}, {"in use": "10"}, BUSY_CORES),
    "unseen": Case({"activity": 0.0, "sample_share": 0.8}, {"unknown": "10"}),
}
"""By pod; each is alone on a machine with one A100 of 40 GiB at 10 an hour, and holds all of it."""
WEB = round(Decimal(10) * 36 / 126, 6)
"""What 4 cores cost, at 0.9 each beside a GPU at 9."""


def _machine(draw: type[Draw], name: str, hours: int = 1) -> dict[str, list[Row]]:
    kind = {"instance_type": "p4d.24xlarge", "gpu": 1, "cpu": 4, "memory": 0}
    return {
        "cost_lines": [draw.machine(10, hour, f"i-{name}") for hour in range(hours)],
        "node_hours": [draw.node(hour, f"i-{name}", **kind) for hour in range(hours)],
    }


def _pod(draw: type[Draw], name: str, case: Case, hour: int = 0) -> dict[str, list[Row]]:
    known = {"charge_date": draw.day, "charge_hour": draw.at(hour), "cluster": "c1"}
    device = {"gpu_uuid": name, "namespace": "lab", "pod": name, "sample_share": 1.0}
    asked = {"gpu": 1, "cpu": 4, "team_raw": f"team-{name}"}
    return {
        "pod_hours": [draw.pod(name, hour, f"i-{name}", **asked | case.pod)],
        "gpu_hours": [known | {"node": f"node-i-{name}"} | device | case.gpu],
    }


def _others(draw: type[Draw]) -> dict[str, list[Row]]:
    """Return a pod without GPUs, a run on a bare machine, and a machine that nobody watches."""
    machines = [
        draw.machine(10, 0, f"i-{name}", x_instance_type="p4d.24xlarge", tags={"team": name})
        for name in ("bare", "tagged")
    ]
    return {
        "cost_lines": machines,
        "pod_hours": [draw.pod("web", 0, "i-shared", cpu=4, team_raw="web")],
        "runs": [draw.run("r", gpu_count=8, team_raw="run")],
        "run_places": [{"run_key": "r", "instance_id": "i-bare"}],
    }


@pytest.fixture(scope="module")
def built(build: Build, draw: type[Draw]) -> Warehouse:
    """Return a day on which each case has a machine, and one machine has nobody."""
    tables: dict[str, list[Row]] = {"raw.totals": [{"source": "aws", "provider": "AWS"}]}
    parts = [_machine(draw, "nobody")]
    for name, case in CASES.items():
        parts += [_machine(draw, name), _pod(draw, name, case)]
    # a pod that is busy in one hour and dead in the next, then gone; then telemetry is, too
    parts += [_machine(draw, "mixed", 4), _pod(draw, "mixed", CASES["busy"])]
    parts += [_pod(draw, "mixed", CASES["idle-gpu"], 1)]
    parts += [_machine(draw, "shared"), _others(draw)]
    for part in parts:
        for table, rows in part.items():
            tables.setdefault(table, []).extend(rows)
    tables["node_hours"] = [
        row
        for row in tables["node_hours"]
        if (row["instance_id"], row["charge_hour"]) != ("i-mixed", draw.at(3))
    ]
    return build(tables)


@pytest.mark.parametrize("name", CASES)
def test_what_a_pod_paid_goes_by_what_its_gpu_did(built: Warehouse, name: str) -> None:
    rows = built.rows(
        f"select gpu_use, effective_cost from marts.gpu_uses where team = 'team-{name}'"
    )

    assert dict(rows) == {use: Decimal(cost) for use, cost in CASES[name].uses.items()}


def test_a_day_is_cut_by_the_hours_and_what_nobody_held_or_saw_stands_beside(
    built: Warehouse,
) -> None:
    rows = built.rows(
        "select team, gpu_use, effective_cost from marts.gpu_uses "
        "where team = 'team-mixed' or team not like 'team-%' order by all"
    )

    assert [(team, use, round(cost, 6)) for team, use, cost in rows] == [
        # nobody's machine, the third hour of the mixed one, the GPU beside the pod without
        ("(idle)", "unallocated", 10 + 10 + 10 - WEB),
        ("run", "unwatched", Decimal(10)),
        ("tagged", "unwatched", Decimal(10)),
        ("team-mixed", "dead", Decimal(10)),
        ("team-mixed", "in use", Decimal(10)),
        ("unattributed", "lost", Decimal(10)),
        ("web", "unwatched", WEB),
    ]


def test_the_uses_add_up_to_what_the_gpu_machines_cost(built: Warehouse) -> None:
    """Every machine here has GPUs."""
    uses = built.rows("select sum(effective_cost), count(distinct gpu_use) from marts.gpu_uses")
    billed = built.rows("select sum(effective_cost), 10 from marts.machines_daily")

    assert uses == billed == [(Decimal(10 * (len(CASES) + 8)), 10)]
