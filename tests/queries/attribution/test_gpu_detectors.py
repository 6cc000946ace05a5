"""Idle GPUs: what is dead, parked or underused, and what only looks so."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.queries.attribution.conftest import DAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.queries.attribution.conftest import Build, Draw, Row

MONTH = Decimal("30.4375")
DEAD: Row = {"activity": 0.0, "activity_max": 0.0, "memory_used_gib": 0.01, "power_watts": 55.0}
PARKED: Row = {"activity": 0.02, "activity_max": 0.03, "memory_used_gib": 9.0, "power_watts": 60.0}
SLOW: Row = {"activity": 0.2, "activity_max": 0.9, "memory_used_gib": 30.0, "power_watts": 180.0}
BUSY: Row = {"activity": 0.8, "activity_max": 1.0, "memory_used_gib": 60.0, "power_watts": 380.0}


def gpu(draw: type[Draw], hour: int, pod: str | None = "p", **more: object) -> Row:
    """Return what telemetry saw of a GPU in an hour."""
    return {
        "charge_date": DAY,
        "charge_hour": draw.at(hour),
        "cluster": "c1",
        "node": "node-i-1",
        "gpu_uuid": "g-1",
        "namespace": "lab" if pod else None,
        "pod": pod,
        "sample_share": 1.0,
    } | more


def held(draw: type[Draw], kinds: Sequence[Row | None], **pod: Any) -> dict[str, list[Row]]:
    """Return a machine of 10 an hour with one GPU, which the pod `p` holds: an entry an hour.

    An entry says what the GPU did; none is an hour of which telemetry knows nothing.
    """
    hours = range(len(kinds))
    asked: dict[str, Any] = {"gpu": 1, "team_raw": "vision", "user_raw": "ada"} | pod
    return {
        "cost_lines": [draw.machine(10, hour, region_id="us-east-1") for hour in range(24)],
        "node_hours": [draw.node(hour, gpu=1, cpu=0, memory=0) for hour in hours],
        "pod_hours": [draw.pod("p", hour, **asked) for hour in hours],
        "gpu_hours": [
            gpu(draw, hour) | kind for hour, kind in zip(hours, kinds, strict=True) if kind
        ],
        "raw.totals": [{"source": "aws", "provider": "AWS"}],
    }


def found(build: Build, tables: dict[str, list[Row]], **params: Any) -> dict[str, Decimal]:
    """Return detector -> monthly waste of the pod `p`."""
    rows = build(tables, **params).rows(
        "select detector, monthly_waste from marts.findings where resource_id = 'c1/lab/p'"
    )
    return dict(rows)


def test_a_dead_pod_wastes_what_it_paid_in_its_quiet_hours(build: Build, draw: type[Draw]) -> None:
    built = build(held(draw, [BUSY] * 20 + [DEAD] * 4))

    assert built.rows("select * exclude (finding_id) from marts.findings") == [
        (
            "dead_gpus",
            "c1/lab/p",
            "p",
            "AWS",
            "us-east-1",
            "ada",
            "vision",
            DAY,
            40 * MONTH,
            "USD",
            "high",
            "for 4 h of the last 7 days its GPUs were held and nothing ran on them",
            "stop the pod: nothing runs on its GPUs",
            "pod c1/lab/p",
            True,
            "open",
            DAY,
            DAY,
            None,
            None,
            None,
        )
    ]


@pytest.mark.parametrize(
    ("kind", "detector"), [(DEAD, "dead_gpus"), (PARKED, "parked_gpus"), (SLOW, "underused_gpus")]
)
def test_each_kind_of_quiet_is_found_by_its_detector_alone(
    build: Build, draw: type[Draw], kind: Row, detector: str
) -> None:
    waste = 240 * MONTH * (Decimal("0.8") if kind is SLOW else 1)
    assert found(build, held(draw, [kind] * 24)) == {detector: waste}


def test_a_busy_pod_is_nobodys_finding(build: Build, draw: type[Draw]) -> None:
    assert found(build, held(draw, [BUSY] * 24)) == {}


@pytest.mark.parametrize(
    "kind",
    [
        None,
        DEAD | {"sample_share": 0.6},
        PARKED | {"sample_share": 0.6},
        DEAD | {"activity": None},
        DEAD | {"power_watts": 300.0},
        DEAD | {"activity_max": 0.4},
        PARKED | {"power_watts": 300.0},
    ],
)
def test_what_is_not_known_or_not_sure_is_no_finding(
    build: Build, draw: type[Draw], kind: Row | None
) -> None:
    assert found(build, held(draw, [kind] * 24)) == {}


def test_unknown_hours_are_counted_as_such(build: Build, draw: type[Draw]) -> None:
    kinds = [None] * 3 + [DEAD | {"sample_share": 0.6}] * 2 + [BUSY] * 19
    built = build(held(draw, kinds))

    assert built.rows("from marts.telemetry_coverage") == [
        (DAY, "c1", Decimal(24), Decimal(19), Decimal(5), Decimal(24), Decimal(0))
    ]


def test_a_pod_with_one_busy_gpu_is_not_quiet(build: Build, draw: type[Draw]) -> None:
    tables = held(draw, [DEAD] * 24, gpu=2)
    tables["gpu_hours"] += [gpu(draw, hour, gpu_uuid="g-2") | BUSY for hour in range(24)]

    assert found(build, tables) == {}


def test_a_gpu_that_was_not_sampled_makes_the_pod_unknown(build: Build, draw: type[Draw]) -> None:
    assert found(build, held(draw, [DEAD] * 24, gpu=2)) == {}


def test_a_time_sliced_gpu_is_unknown_and_a_slice_of_its_own_is_not(
    build: Build, draw: type[Draw]
) -> None:
    assert found(build, held(draw, [DEAD] * 24, gpu=Decimal("0.5"))) == {}

    sliced = held(draw, [DEAD | {"gpu_instance_id": "7"}] * 24, gpu=Decimal("0.5"))
    assert found(build, sliced) == {"dead_gpus": 120 * MONTH}


def test_quiet_hours_must_be_in_a_row(build: Build, draw: type[Draw]) -> None:
    assert found(build, held(draw, [PARKED, BUSY] * 12)) == {}
    in_pairs = found(build, held(draw, [PARKED, PARKED, BUSY] * 8))
    assert in_pairs["parked_gpus"] == 160 * MONTH
    assert "dead_gpus" not in in_pairs


def test_a_pod_that_is_gone_is_nothing_to_stop(build: Build, draw: type[Draw]) -> None:
    tables = held(draw, [DEAD] * 24)
    later = DAY + timedelta(days=2)
    start = draw.at(0, later)
    moved = {"charge_date": later, "charge_period_start": start, "charge_period_end": start}
    tables["cost_lines"].append(draw.line(1) | moved)
    tables["pod_hours"].append(draw.pod("q", gpu=1) | {"charge_date": later, "charge_hour": start})

    assert found(build, tables) == {}


def test_a_pod_that_serves_a_model_may_wait(build: Build, draw: type[Draw]) -> None:
    assert found(build, held(draw, [PARKED] * 24, model_raw="m")) == {}


def test_small_waste_is_left_out_and_the_bound_is_a_parameter(
    build: Build, draw: type[Draw]
) -> None:
    tables = held(draw, [BUSY] * 23 + [DEAD])
    assert found(build, tables) == {"dead_gpus": 10 * MONTH}
    assert found(build, tables, min_waste=305.0) == {}


def nodes(draw: type[Draw], held_hours: range, idle: int = 24) -> dict[str, list[Row]]:
    """Return a machine that is up for `idle` hours; a pod holds it in some."""
    return {
        "cost_lines": [draw.machine(10, hour, tags={"team": "vision"}) for hour in range(idle)],
        "node_hours": [draw.node(hour, gpu=8, cpu=0, memory=0) for hour in range(idle)],
        "pod_hours": [draw.pod("p", hour, gpu=8) for hour in held_hours]
        + [draw.pod("agent", hour) for hour in range(idle)],
    }


def nodes_found(build: Build, tables: dict[str, list[Row]]) -> list[tuple[Any, ...]]:
    """Return resource, team and waste of the machines found."""
    return build(tables).rows(
        "select resource_id, owner_team, monthly_waste from marts.findings "
        "where detector = 'unallocated_gpu_nodes'"
    )


def test_a_machine_without_pods_on_its_gpus_wastes_its_idle_hours(
    build: Build, draw: type[Draw]
) -> None:
    assert nodes_found(build, nodes(draw, range(18))) == [("i-1", "vision", 60 * MONTH)]


def test_a_machine_that_is_mostly_held_or_that_nobody_watches_is_left_alone(
    build: Build, draw: type[Draw]
) -> None:
    assert nodes_found(build, nodes(draw, range(21))) == []

    unwatched = nodes(draw, range(18))
    unwatched["node_hours"] = []
    assert nodes_found(build, unwatched) == []


def test_a_node_that_was_never_up_is_no_finding(build: Build, draw: type[Draw]) -> None:
    never_up = nodes(draw, range(18))
    for row in never_up["node_hours"]:
        row["up_seconds"] = 0
    assert nodes_found(build, never_up) == []


def bare(
    draw: type[Draw], kinds: Sequence[Row | None], node: str = "i-1", **machine: Any
) -> dict[str, list[Row]]:
    """Return a machine of 10 an hour with one GPU, in no cluster; an entry is an hour."""
    more: Row = {"region_id": "us-east-1", "x_gpu_count": 1, "tags": {"team": "vision"}} | machine
    seen = [(hour, kind) for hour, kind in enumerate(kinds) if kind]
    return {
        "cost_lines": [draw.machine(10, hour, **more) for hour in range(24)],
        "gpu_hours": [
            gpu(draw, hour, pod=None, node=node, cluster=None) | kind for hour, kind in seen
        ],
        "raw.totals": [{"source": "aws", "provider": "AWS"}],
    }


def bare_found(build: Build, tables: dict[str, list[Row]]) -> list[tuple[Any, ...]]:
    """Return resource, team, waste and confidence of the machines found."""
    return build(tables).rows(
        "select resource_id, owner_team, monthly_waste, confidence from marts.findings "
        "where detector = 'idle_gpu_machines'"
    )


def test_a_machine_of_its_own_on_which_nothing_runs_wastes_its_quiet_hours(
    build: Build, draw: type[Draw]
) -> None:
    dead = bare(draw, [BUSY] * 18 + [DEAD] * 6)
    assert bare_found(build, dead) == [("i-1", "vision", 60 * MONTH, "high")]

    parked = bare(draw, [BUSY] * 12 + [PARKED] * 12)
    held_by_a_run = {
        "runs": [draw.run("r", 0, 24, user_raw="ada", team_raw="speech")],
        "run_places": [{"run_key": "r", "instance_id": "i-1"}],
    }
    assert bare_found(build, parked | held_by_a_run) == [("i-1", "speech", 120 * MONTH, "medium")]


def test_a_machine_is_known_by_what_a_run_says_its_host_is(build: Build, draw: type[Draw]) -> None:
    tables = bare(draw, [DEAD] * 24, node="gpu-box-7")
    assert bare_found(build, tables) == []

    tables["runs"] = [draw.run("r", 0, 1)]
    tables["run_places"] = [{"run_key": "r", "node": "gpu-box-7", "instance_id": "i-1"}]
    assert [row[0] for row in bare_found(build, tables)] == ["i-1"]


@pytest.mark.parametrize(
    ("kinds", "machine"),
    [
        ([BUSY] * 24, {}),
        ([None] * 24, {}),
        ([DEAD | {"sample_share": 0.6}] * 24, {}),
        ([DEAD | {"power_watts": 300.0}] * 24, {}),
        ([DEAD, BUSY] * 12, {}),
        ([DEAD] * 24, {"x_gpu_count": 2}),
    ],
    ids=["busy", "unseen", "seen in part", "power", "not in a row", "another GPU unseen"],
)
def test_a_machine_of_its_own_that_may_work_is_no_finding(
    build: Build, draw: type[Draw], kinds: list[Row | None], machine: Row
) -> None:
    assert bare_found(build, bare(draw, kinds, **machine)) == []


def test_a_node_of_a_cluster_is_left_to_the_detectors_of_pods(
    build: Build, draw: type[Draw]
) -> None:
    tables = bare(draw, [DEAD] * 24, node="node-i-1")
    tables["node_hours"] = [draw.node(hour, gpu=1, cpu=0, memory=0) for hour in range(24)]
    tables["runs"] = [draw.run("r", 0, 1)]
    tables["run_places"] = [{"run_key": "r", "node": "node-i-1", "instance_id": "i-1"}]

    assert bare_found(build, tables) == []
