"""From series of a real Prometheus, and of a VictoriaMetrics, to what each run costs.

One cluster, one machine for each way of holding GPUs. A machine of G GPUs, 96 cores and 1152 GiB
is billed at 9 G + 0.9 x 96 + 0.1 x 1152 an hour, so that at the default weights a GPU costs 9 an
hour, a core 0.9 and a GiB 0.1: what a run must cost can be written down.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING

import pytest

from queries.engines.duckdb import Limits, connect
from tests.connectors.telemetry import (
    GIB,
    SETTLED,
    Ledger,
    Sample,
    gpu,
    node,
    pod,
    series,
    source,
    stage,
    tables_of,
)
from tests.queries.attribution.conftest import Draw, Warehouse
from tests.servers.prometheus import prometheus_with
from tests.servers.victoria_metrics import victoria_metrics_with

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

pytestmark = pytest.mark.servers

REST = Decimal("0.9") * 96 + Decimal("0.1") * 1152
"""What a machine's cores and memory cost an hour."""
BASE = Decimal("4.4")
"""What the 4 cores and 8 GiB of a pod cost an hour."""


def held(gpus: str, hours: str = "2") -> Decimal:
    """Return what a pod of 4 cores and 8 GiB costs that holds so many GPUs for so many hours."""
    return (BASE + 9 * Decimal(gpus)) * Decimal(hours)


def labelled(name: str, machine: str, gpus: float, **more: object) -> Iterator[Sample]:
    """Yield a pod whose label names the run of its own name."""
    yield from pod(name, node=machine, gpus=gpus, mlflow_run_id=name, **more)  # type: ignore[arg-type]


def offers(machine: str, **amounts: float) -> Iterator[Sample]:
    """Yield resources that a machine has beside the one that `node` tells."""
    for resource, amount in amounts.items():
        named = {"node": machine, "instance": "ksm-0", "resource": resource}
        yield from series("kube_node_status_capacity", named, amount)


def mig() -> Iterator[Sample]:
    """Yield one A100 with 40 GB, cut into slices of three sizes; DCGM tells each by its number."""
    resource = "nvidia_com_mig_3g_20gb"
    yield from node("mig", "i-mig", 1, resource=resource, label_nvidia_com_gpu_memory="40960")
    yield from offers("mig", nvidia_com_mig_2g_10gb=1, nvidia_com_mig_1g_5gb=1)
    for number, size, busy in ((1, "3g_20gb", 0.9), (5, "2g_10gb", 0.25), (13, "1g_5gb", 0.0)):
        name, resource = f"mig-{size[:2]}", f"nvidia_com_mig_{size}"
        yield from labelled(name, "mig", 1, resource=resource)
        yield from gpu("GPU-M", name, activity=busy, Hostname="mig", GPU_I_ID=str(number))


def sliced() -> Iterator[Sample]:
    """Yield two GPUs in eight time slices, as a resource of their own and as the plain one."""
    for name, resource in (("turns", "nvidia_com_gpu_shared"), ("plain", "nvidia_com_gpu")):
        yield from node(name, f"i-{name}", 8, resource=resource, label_nvidia_com_gpu_count="2")
        yield from labelled(f"{name}-one", name, 1, resource=resource)
        yield from labelled(f"{name}-three", name, 3, resource=resource)
        for number in range(2):
            uuid = f"GPU-{name}-{number}"
            yield from gpu(uuid, f"{name}-one", activity=0.5, Hostname=name)


def mps() -> Iterator[Sample]:
    """Yield one GPU that MPS gives to ten, on a machine without DCGM."""
    shared = "nvidia_com_gpu_shared"
    yield from node("mps", "i-mps", 10, resource=shared, label_nvidia_com_gpu_count="1")
    yield from labelled("mps-four", "mps", 4, resource=shared)


def spellings() -> Iterator[Sample]:
    """Yield GPUs as old and new exporters tell of them, with honor_labels and without."""
    yield from node("dcgm", "i-dcgm", 4)
    yield from labelled("old", "dcgm", 1)
    yield from gpu("GPU-O", "old", activity=50, metric="DCGM_FI_DEV_GPU_UTIL", Hostname="dcgm")
    yield from labelled("new", "dcgm", 1)
    ratio = "DCGM_FI_PROF_GR_ENGINE_UTIL_RATIO"
    yield from gpu("GPU-N", "new", activity=0.75, metric=ratio, Hostname="dcgm")
    yield from labelled("honoured", "dcgm", 1)
    yield from gpu("GPU-H", "", activity=0.25, namespace="vision", pod="honoured", Hostname="dcgm")
    # nobody's: the exporter's own pod is not its holder
    yield from gpu("GPU-X", "", activity=0.0, Hostname="dcgm")


def moving() -> Iterator[Sample]:
    """Yield a pod that completes and stays on record, and one that moves to another machine."""
    yield from node("done", "i-done", 8)
    yield from labelled("completed", "done", 2, minutes=30)
    gone = {"namespace": "vision", "pod": "completed", "uid": "uid-completed", "node": "done"}
    yield from series("kube_pod_info", {**gone, "instance": "ksm-0"}, 1, start=30, minutes=90)
    for name in ("from", "to"):
        yield from node(name, f"i-{name}", 8)
    yield from labelled("moved", "from", 4, uid="first", minutes=45)
    yield from labelled("moved", "to", 4, uid="second", start=45, minutes=75)


def cores() -> Iterator[Sample]:
    """Yield a pod that uses more than it asked for, and one that asked for parts of a core."""
    yield from node("cores", "i-cores", 8, label_nvidia_com_gpu_count="8")
    yield from labelled("greedy", "cores", 1)
    used = {"namespace": "vision", "pod": "greedy", "container": "main"}
    # 10 cores: 600 seconds a minute
    yield from series("container_cpu_usage_seconds_total", used, 90_000, growth=600)
    yield from series("container_memory_working_set_bytes", used, 12 * GIB)
    yield from gpu("GPU-C", "greedy", activity=0.25, Hostname="cores")
    # 1 GiB a minute: 17 MiB/s
    network = {"namespace": "vision", "pod": "greedy", "interface": "eth0"}
    yield from series("container_network_receive_bytes_total", network, GIB, growth=GIB)
    yield from labelled("small", "cores", 0, cpu=0.25, memory=GIB / 2)


def lost() -> Iterator[Sample]:
    """Yield a machine of which kube-state-metrics tells for an hour, and DCGM for two."""
    yield from node("lost", "i-lost", 8, minutes=60, label_nvidia_com_gpu_count="8")
    yield from labelled("seen", "lost", 8, minutes=60)
    yield from gpu("GPU-L", "seen", activity=1.0, Hostname="lost")


def half_seen() -> Iterator[Sample]:
    """Yield a machine of which only its pod is told in the second hour, as shards of them do."""
    yield from node("shard", "i-shard", 8, minutes=60)
    yield from labelled("sharded", "shard", 4)


def empty() -> Iterator[Sample]:
    """Yield a machine that is there for both hours, and nobody on it."""
    yield from node("empty", "i-empty", 8)


WHOLE = ("done", "from", "to", "cores", "lost", "shard", "empty")
GPUS = {"mig": 1, "turns": 2, "plain": 2, "mps": 1, "dcgm": 4} | dict.fromkeys(WHOLE, 8)
"""Physical GPUs of each machine."""


@pytest.fixture(scope="module", params=[prometheus_with, victoria_metrics_with])
def built(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Warehouse]:
    """Return what attribution makes of the cluster's two hours and its machines' bill."""
    scenes: Iterable[Iterator[Sample]] = (
        *(mig(), sliced(), mps(), spellings(), moving(), cores(), lost(), half_seen(), empty()),
    )
    con = connect(Limits(threads=1))
    with request.param(chain(*scenes)) as url:
        folder = tmp_path_factory.mktemp("telemetry")
        stage(con, folder, source(url).deliveries_at(Ledger(), SETTLED))
    tables = tables_of(con)
    con.close()
    tables["cost_lines"] = [
        Draw.machine(9 * gpus + REST, hour, f"i-{name}")
        for name, gpus in GPUS.items()
        for hour in (0, 1)
    ]
    runs = {row["run_native_id"] for row in tables["pod_hours"] if row["run_native_id"]}
    tables["raw.totals"] = [{"source": "aws", "provider": "AWS"}]
    tables["runs"] = [Draw.run(str(run), 0, 2) for run in sorted(map(str, runs))]
    warehouse = Warehouse(threads=1)
    warehouse.fill(tables)
    warehouse.build()
    yield warehouse
    warehouse.con.close()


RUNS: Mapping[str, Decimal] = {
    "mig-3g": held("0.5"),
    "mig-2g": held("0.285714"),
    "mig-1g": held("0.142857"),
    "turns-one": held("0.25"),
    "turns-three": held("0.75"),
    "plain-one": held("0.25"),
    "plain-three": held("0.75"),
    "mps-four": held("0.4"),
    "old": held("1"),
    "new": held("1"),
    "honoured": held("1"),
    "completed": held("2", "0.5"),
    "moved": held("4"),
    "greedy": 2 * (9 + Decimal("0.9") * 10 + Decimal("0.1") * 12),
    "small": 2 * (Decimal("0.9") / 4 + Decimal("0.1") / 2),
    "seen": held("8", "1"),
    "sharded": held("4"),
}


def test_each_run_costs_what_its_pods_held(built: Warehouse) -> None:
    """To a millionth: GPUs are counted to six digits, and shares are cut at twelve."""
    costs = {
        run: round(cost, 6) for run, cost in built.costs("run_id", "run_id is not null").items()
    }

    assert costs == {run: round(cost, 6) for run, cost in RUNS.items()}


def test_a_pod_that_moves_leaves_on_each_machine_what_it_held_there(built: Warehouse) -> None:
    costs = built.costs("resource_id", "run_id = 'moved'")

    assert {machine: round(cost, 6) for machine, cost in costs.items()} == {
        "i-from": held("4", "0.75"),
        "i-to": held("4", "1.25"),
    }


def test_what_no_pod_held_is_idle_and_what_nobody_saw_is_not(built: Warehouse) -> None:
    """Machine by machine: stranded slices, turns that nobody took, GPUs and cores left over."""
    of_machine = {name: f"{name}-" for name in ("mig", "turns", "plain", "mps", "empty")}
    of_machine |= {"done": "completed", "lost": "seen", "shard": "sharded"}
    idle = built.costs("resource_id", "cost_kind = 'idle'")
    for name, prefix in of_machine.items():
        spent = sum((cost for run, cost in RUNS.items() if run.startswith(prefix)), Decimal(0))
        hours = 1 if name == "lost" else 2
        left = hours * (9 * GPUS[name] + REST) - spent
        assert round(idle[f"i-{name}"], 6) == round(left, 6), name

    assert built.costs("resource_id, user_rule", "cost_kind = 'unattributed'") == {
        ("i-lost", "lost_telemetry"): 9 * 8 + REST
    }


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("GPU-M", [("1", "mig-3g", 0.9), ("13", "mig-1g", 0.0), ("5", "mig-2g", 0.25)]),
        ("GPU-turns-0", [(None, "turns-one", 0.5)]),
        ("GPU-O", [(None, "old", 0.5)]),
        ("GPU-N", [(None, "new", 0.75)]),
        ("GPU-H", [(None, "honoured", 0.25)]),
        ("GPU-X", [(None, None, 0.0)]),
    ],
)
def test_each_device_and_slice_is_its_holders(
    built: Warehouse, device: str, expected: list[tuple[str | None, str | None, float]]
) -> None:
    rows = built.rows(
        "select distinct gpu_instance_id, pod, round(activity, 6) from staging.gpu_hours "
        f"where gpu_uuid = '{device}' order by all"
    )

    assert rows == expected


def test_time_slices_are_not_judged_and_slices_of_their_own_are(built: Warehouse) -> None:
    """DCGM names one user of a shared device: what the others do is unknown, not idle."""
    shares = built.rows(
        "select distinct split_part(pod_id, '/', -1), seen_share from attribution.gpu_holder_hours "
        "inner join attribution.gpu_holders using (holder_hash) "
        "where split_part(pod_id, '/', -1) in ('mig-1g', 'turns-one', 'turns-three', 'old') "
        "order by all"
    )

    assert shares == [("mig-1g", 1.0), ("old", 1.0), ("turns-one", 0.0), ("turns-three", 0.0)]


def test_what_a_pod_uses_and_receives_tells_why_its_gpu_waits(built: Warehouse) -> None:
    """It uses all cores that it holds, and its GPU is active for a quarter of the time."""
    used = built.rows(
        "select distinct cpu_used_cores::double, received_mib_per_second "
        "from staging.pod_hours where pod = 'greedy'"
    )
    assert [tuple(round(amount, 3) for amount in row) for row in used] == [(10, 17.067)]

    rows = built.rows(
        "select gpu_use, effective_cost from marts.gpu_uses where gpu_use = 'starved'"
    )
    assert [(use, round(cost, 6)) for use, cost in rows] == [
        ("starved", round(RUNS["greedy"] * 3 / 4, 6))
    ]
