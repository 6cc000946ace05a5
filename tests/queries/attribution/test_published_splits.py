"""Splits that others have published, worked through by our models.

Source: https://docs.aws.amazon.com/cur/latest/userguide/example-accelerated-instances.html,
https://docs.aws.amazon.com/cur/latest/userguide/example-split-cost-allocation-data.html
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from queries.engines.duckdb import Limits, connect
from tests.connectors.telemetry import Ledger, answer, save, stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from queries.engines.duckdb import Connection
    from tests.queries.attribution.conftest import Build, Draw, Row

HELD: dict[str, dict[str, Any]] = {
    "1": {"gpu": 1, "cpu": 16, "memory": 100},
    "2": {"gpu": 3, "cpu": 18, "memory": 140},
    "3": {"gpu": 2, "cpu": 16, "memory": 100},
    "4": {"gpu": 2, "cpu": 16, "memory": 100},
}
"""What AWS's four pods are allocated of 8 GPUs, 64 cores (66: too many) and 488 GiB."""
ONE_EACH: dict[str, dict[str, Any]] = {"gpu": {"gpu": 1}, "core": {"cpu": 1}, "gib": {"memory": 1}}
PRINTED = {"1": ("1.85", "0.06"), "2": ("3.18", "0.09"), "3": ("2.35", "0.06")}
"""AWS's split cost and unused cost, of $10; pod 4 is like pod 3."""


def accelerated(draw: type[Draw]) -> dict[str, list[Row]]:
    """Return AWS's hour: a p3.16xlarge at $10 and four pods."""
    pods = [draw.pod(pod, team_raw="lab", **held) for pod, held in HELD.items()]
    return {"cost_lines": [draw.machine(10)], "node_hours": [draw.node()], "pod_hours": pods}


def test_pods_on_an_accelerated_machine_cost_what_aws_prints(
    build: Build, draw: type[Draw]
) -> None:
    """Cores are promised twice and share their pool; only memory is left over."""
    built = build(accelerated(draw), idle_policy="by_node")
    costs = built.costs("split_part(pod_id, '/', -1), cost_kind")
    rounded = {key: round(cost, 2) for key, cost in costs.items()}

    for pod, (split, unused) in (PRINTED | {"4": PRINTED["3"]}).items():
        assert rounded[pod, "direct"] == Decimal(split)
        assert rounded[pod, "idle"] == Decimal(unused)
    assert len(rounded) == 2 * len(HELD)
    assert sum(costs.values()) == 10


def test_unused_memory_is_all_that_stays_idle_when_nobody_else_pays(
    build: Build, draw: type[Draw]
) -> None:
    """48 GiB of 488: by AWS's formula 48 x 0.1 / 178.4 of $10."""
    costs = build(accelerated(draw)).costs("cost_kind")

    assert round(costs["idle"], 9) == round(Decimal(10) * Decimal("4.8") / Decimal("178.4"), 9)


def test_the_price_of_a_gib_is_misprinted_by_aws_and_contradicts_its_own_table(
    build: Build, draw: type[Draw]
) -> None:
    """$0.00506 is printed, 0.1 x $0.056 meant: with the print pod 1 would not cost $1.85."""
    one = [draw.pod(kind, **held) for kind, held in ONE_EACH.items()]
    costs = build(accelerated(draw) | {"pod_hours": one}).costs(
        "split_part(pod_id, '/', -1)", "pod_id is not null"
    )
    misprinted = Decimal("0.00506")

    assert round(costs["gib"], 4) == Decimal("0.0056") != round(misprinted, 4)
    assert round(costs["gpu"], 3) == Decimal("0.504")
    assert round(costs["core"], 2) == Decimal("0.05")
    cores = costs["core"] * 64 * 16 / 66
    assert round(costs["gpu"] + cores + 100 * costs["gib"], 2) == Decimal("1.85")
    assert round(costs["gpu"] + cores + 100 * misprinted, 2) != Decimal("1.85")


def test_a_machine_without_gpus_is_split_nine_to_one(build: Build, draw: type[Draw]) -> None:
    """AWS: an m5.xlarge (4 cores, 16 GiB) at $1 costs $0.17 a core and $0.02 a GiB."""
    built = build(
        {
            "cost_lines": [draw.machine(1)],
            "node_hours": [draw.node(gpu=0, cpu=4, memory=16)],
            "pod_hours": [draw.pod("core", cpu=1), draw.pod("gib", memory=1)],
        }
    )
    costs = built.costs("split_part(pod_id, '/', -1)", "pod_id is not null")

    assert {pod: round(cost, 2) for pod, cost in costs.items()} == {
        "core": Decimal("0.17"),
        "gib": Decimal("0.02"),
    }


@pytest.fixture
def con() -> Iterator[Connection]:
    connection = connect(Limits(threads=1))
    yield connection
    connection.close()


class Slice(NamedTuple):
    """A MIG slice, and what it is of its device."""

    resource: str
    device_mib: str
    slices: int
    most: int
    """Koku: a slice is `slices` / `most`, 7 on an A100 and 4 on an A30."""
    share: str
    """Ours."""


A100_40, A100_80, A30 = "40960", "81920", "24576"
SLICES = [
    Slice("nvidia_com_mig_1g_5gb", A100_40, 1, 7, "0.142857"),
    Slice("nvidia_com_mig_2g_10gb", A100_40, 2, 7, "0.285714"),
    Slice("nvidia_com_mig_4g_20gb", A100_40, 4, 7, "0.571429"),
    Slice("nvidia_com_mig_7g_40gb", A100_40, 7, 7, "1"),
    Slice("nvidia_com_mig_1g_10gb", A100_80, 1, 7, "0.142857"),
    Slice("nvidia_com_mig_7g_80gb", A100_80, 7, 7, "1"),
    Slice("nvidia_com_mig_1g_6gb", A30, 1, 4, "0.25"),
    Slice("nvidia_com_mig_2g_12gb", A30, 2, 4, "0.5"),
    Slice("nvidia_com_mig_4g_24gb", A30, 4, 4, "1"),
]
WIDE_SLICES = [
    Slice("nvidia_com_mig_1g_10gb", A100_40, 1, 7, "0.25"),
    Slice("nvidia_com_mig_3g_20gb", A100_40, 3, 7, "0.5"),
    Slice("nvidia_com_mig_3g_40gb", A100_80, 3, 7, "0.5"),
]
"""Of more memory than compute: nobody else can have the memory."""


def share_of(con: Connection, folder: Path, held: Slice) -> Decimal:
    """Return the GPUs that a pod holds with one slice."""
    pod = {"namespace": "lab", "pod": "p", "uid": "u"}
    labels = {"node": "n", "label_nvidia_com_gpu_memory": held.device_mib}
    source = save(
        folder,
        pod_running=answer((pod, "60")),
        pod_node=answer((pod | {"node": "n"}, "1")),
        pod_request=answer((pod | {"node": "n", "resource": held.resource}, "1")),
        node_labels=answer((labels, "1")),
    )
    stage(con, folder, source.deliveries(Ledger()))
    ((units,),) = con.execute("select gpu_units from staging.pod_hours").fetchall()
    return Decimal(units)


@pytest.mark.parametrize("held", SLICES, ids=lambda held: f"{held.resource} of {held.device_mib}")
def test_a_slice_is_the_part_of_its_device_that_koku_counts(
    con: Connection, tmp_path: Path, held: Slice
) -> None:
    koku = round(Decimal(held.slices) / held.most, 6)

    assert share_of(con, tmp_path, held) == Decimal(held.share) == koku


@pytest.mark.parametrize(
    "held", WIDE_SLICES, ids=lambda held: f"{held.resource} of {held.device_mib}"
)
def test_a_slice_with_more_memory_than_compute_is_more_than_koku_counts(
    con: Connection, tmp_path: Path, held: Slice
) -> None:
    ours = share_of(con, tmp_path, held)

    assert ours == Decimal(held.share) > Decimal(held.slices) / held.most


def test_slices_that_make_up_a_device_cost_all_of_it_and_stranded_ones_stay_idle(
    build: Build, draw: type[Draw]
) -> None:
    """4g + 3g count 1.07 devices and share one; 3g alone leaves half of it idle."""
    four, three = (
        draw.pod(pod, gpu=gpu, team_raw="lab")
        for pod, gpu in (("four", "0.571429"), ("three", "0.5"))
    )
    base = {
        "cost_lines": [draw.machine(15)],
        "node_hours": [draw.node(gpu=1, cpu=0, memory=0)],
    }
    full = build(base | {"pod_hours": [four, three]}).costs("pod_id")
    assert {pod: round(cost, 4) for pod, cost in full.items()} == {
        "c1/lab/four": Decimal(8),
        "c1/lab/three": Decimal(7),
    }

    half = build(base | {"pod_hours": [three]}).costs("cost_kind")
    assert half == {"direct": Decimal("7.5"), "idle": Decimal("7.5")}


def test_a_month_s_rate_is_split_as_koku_splits_it(build: Build, draw: type[Draw]) -> None:
    """Koku: rate / days of the month x uptime / 86400 x slices / most; the rest is unallocated.

    An A30 at 744 a month of 31 days. Koku keeps what no pod had as a row of its own, too.
    """
    rate, days, most = 744, 31, 4
    held = {"half": (range(9, 15), 2), "quarter": (range(24), 1)}
    koku = {
        pod: Decimal(rate) / days * (len(hours) * 3600) / 86400 * slices / most
        for pod, (hours, slices) in held.items()
    }
    built = build(
        {
            "cost_lines": [draw.machine(rate // days, None)],
            "node_hours": [draw.node(hour, gpu=1, cpu=0, memory=0) for hour in range(24)],
            "pod_hours": [
                draw.pod(pod, hour, gpu=Decimal(slices) / most, team_raw="lab")
                for pod, (hours, slices) in held.items()
                for hour in hours
            ],
        }
    )

    costs = built.costs("coalesce(split_part(pod_id, '/', -1), cost_kind)")
    assert costs == {**koku, "idle": Decimal(rate) / days - sum(koku.values())}
    assert koku == {"half": 3, "quarter": 6}
