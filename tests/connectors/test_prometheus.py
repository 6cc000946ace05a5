"""Telemetry from a real Prometheus: what each pod, node and GPU did, whatever the scraping did."""

from __future__ import annotations

import gzip
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from connectors.base import SourceError
from connectors.prometheus import Prometheus
from connectors.promql import QUERIES, query_text
from queries.engines.duckdb import Connection, Limits, connect
from tests.connectors.telemetry import (
    DAY,
    GIB,
    MIDNIGHT,
    SETTLED,
    Ledger,
    Sample,
    gpu,
    mount,
    node,
    pod,
    series,
    source,
    stage,
)
from tests.servers.prometheus import prometheus_with
from tests.servers.victoria_metrics import victoria_metrics_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.servers

HOLDS = (
    "select pod, hour(charge_hour), held_seconds, gpu_units::double from staging.pod_hours "
    "order by all"
)


def company() -> Iterator[Sample]:
    """Two pods on one node; one completes after half an hour, its request lingers."""
    yield from pod("train", node="node-a", gpus=4, team="nlp", mlflow_run_id="run-1")
    yield from pod("short", node="node-a", gpus=2, minutes=30, team="vision")
    yield from node("node-a", "i-0ABC", 8, label_nvidia_com_gpu_count="8")
    yield from gpu("GPU-1", "train", activity=0.75)
    yield from gpu("GPU-2", "train", activity=0.0, minutes=20)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with prometheus_with(company()) as address:
        yield address


@pytest.fixture
def con() -> Iterator[Connection]:
    connection = connect(Limits(threads=1))
    yield connection
    connection.close()


@pytest.fixture
def staged(con: Connection, tmp_path: Path) -> Callable[[Iterable[Sample]], Connection]:
    """Put samples into a Prometheus of their own, and stage what the connector makes of them."""

    def run(samples: Iterable[Sample]) -> Connection:
        with prometheus_with(samples) as address:
            stage(con, tmp_path, source(address).deliveries_at(Ledger(), SETTLED))
        return con

    return run


def test_victoria_metrics_tells_the_same(url: str, tmp_path: Path) -> None:
    """The other engine, on the same samples: the same holds, machines and GPUs to the last bit."""

    def told(address: str, folder: str) -> list[list[tuple[Any, ...]]]:
        con = connect(Limits(threads=1))
        (tmp_path / folder).mkdir()
        stage(con, tmp_path / folder, source(address).deliveries_at(Ledger(), SETTLED))
        tables = ("pod_hours", "node_hours", "gpu_hours")
        found = [
            con.execute(f"select * from staging.{table} order by all").fetchall()
            for table in tables
        ]
        con.close()
        return found

    with victoria_metrics_with(company()) as other:
        pods, machines, gpus = told(other, "victoria")
    assert pods
    assert machines
    assert gpus
    assert [pods, machines, gpus] == told(url, "prometheus")


def test_pods_hold_what_they_asked_for_while_they_ran(
    url: str, con: Connection, tmp_path: Path
) -> None:
    stage(con, tmp_path, source(url).deliveries_at(Ledger(), SETTLED))
    rows = con.execute(
        "select pod, hour(charge_hour), node, held_seconds, gpu_units::double, cpu_cores::double, "
        "memory_gib::double, team_raw, run_native_id from staging.pod_hours order by all"
    ).fetchall()
    assert rows == [
        ("short", 0, "node-a", 1800, 2.0, 4.0, 8.0, "vision", None),
        ("train", 0, "node-a", 3600, 4.0, 4.0, 8.0, "nlp", "run-1"),
        ("train", 1, "node-a", 3600, 4.0, 4.0, 8.0, "nlp", "run-1"),
    ]


def test_volumes_are_known_by_the_claims_of_pods(staged: Callable[..., Connection]) -> None:
    """Named by the driver's handle, by older drivers' words, or, last, by the cluster itself."""
    made = "/subscriptions/1/resourceGroups/g/providers/Microsoft.Compute/disks/pvc-3"
    con = staged(
        chain(
            company(),
            mount("train", "data", "pvc-1", csi_volume_handle="vol-0AB", csi_driver="ebs"),
            mount("short", "data", "pvc-1", minutes=30, csi_volume_handle="vol-0AB"),
            mount("train", "old", "pvc-2", ebs_volume_id="aws://us-east-1a/vol-0cd"),
            mount("train", "azure", "pvc-3", csi_volume_handle=made),
            mount("train", "share", "pvc-4", csi_volume_handle="fs-1::fsap-2"),
            mount("train", "unsaid", "pvc-5"),
        )
    )
    rows = con.execute(
        "select pod, claim, volume_id, list(hour(charge_hour) order by charge_hour) "
        "from staging.pod_claims group by all order by all"
    ).fetchall()
    assert rows == [
        ("short", "data", "vol-0ab", [0]),
        ("train", "azure", "pvc-3", [0, 1]),
        ("train", "data", "vol-0ab", [0, 1]),
        ("train", "old", "vol-0cd", [0, 1]),
        ("train", "share", "fs-1", [0, 1]),
        ("train", "unsaid", "pvc-5", [0, 1]),
    ]


def test_nodes_are_known_as_the_bill_writes_them(url: str, con: Connection, tmp_path: Path) -> None:
    stage(con, tmp_path, source(url).deliveries_at(Ledger(), SETTLED))
    rows = con.execute(
        "select distinct instance_id, instance_type, gpu_capacity::double, cpu_capacity::double, "
        "memory_gib_capacity::double, up_seconds from staging.node_hours"
    ).fetchall()
    assert rows == [("i-0ABC", "p4d.24xlarge", 8.0, 96.0, 1152.0, 3600)]


def test_a_gpu_that_was_not_sampled_is_told_apart_from_one_that_was_idle(
    url: str, con: Connection, tmp_path: Path
) -> None:
    stage(con, tmp_path, source(url).deliveries_at(Ledger(), SETTLED))
    rows = con.execute(
        "select gpu_uuid, namespace, pod, activity, round(sample_share, 2) from staging.gpu_hours "
        "where hour(charge_hour) = 0 order by all"
    ).fetchall()
    assert rows == [
        ("GPU-1", "vision", "train", 0.75, 1.0),
        ("GPU-2", "vision", "train", 0.0, 0.33),
    ]


def test_a_day_is_delivered_once_and_only_when_it_has_settled(url: str) -> None:
    ledger = Ledger()
    early = SETTLED.replace(hour=0, minute=30)
    with pytest.raises(SourceError, match="no sample of 2026-10-04"):
        list(source(url).deliveries_at(ledger, early))
    assert [row.unit for row in ledger.take(source(url).deliveries_at(ledger, SETTLED))] == [
        "2026-10-05"
    ]
    assert ledger.take(source(url).deliveries_at(ledger, SETTLED)) == []


def test_a_day_that_the_server_has_lost_stays_as_it_was_delivered(url: str) -> None:
    ledger = Ledger()
    ledger.take(source(url).deliveries_at(ledger, SETTLED))
    only_later = node("node-a", "i-0abc", 8, start=24 * 60)
    with prometheus_with(only_later) as wiped:
        later = source(wiped).deliveries_at(ledger, SETTLED.replace(day=7))
        assert [row.unit for row in ledger.take(later)] == ["2026-10-06"]
    assert ledger.cursor("samples") == "2026-10-05/2026-10-06"


def test_saved_answers_give_the_rows_that_the_server_gives(
    url: str, con: Connection, tmp_path: Path
) -> None:
    folder = tmp_path / "answers" / DAY.isoformat()
    folder.mkdir(parents=True)
    labels = ("label_user", "label_team", "label_project", "label_mlflow_run_id", "label_model")
    for number, name in enumerate(QUERIES):
        query = query_text(name, labels=labels, scrape_seconds=60)
        form = {"query": query, "start": MIDNIGHT + 3600, "end": MIDNIGHT + 86400, "step": 3600}
        request = Request(f"{url}/api/v1/query_range", urlencode(form).encode())  # noqa: S310 - loopback
        with urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
            content = answer.read()
        if number % 2:
            (folder / f"{name}.json.gz").write_bytes(gzip.compress(content))
        else:
            (folder / f"{name}.json").write_bytes(content)
    saved = Prometheus(root=str(folder.parent), cluster="main")
    found = []
    for deliveries in (
        list(saved.deliveries(Ledger())),
        list(source(url).deliveries_at(Ledger(), SETTLED)),
    ):
        stage(con, tmp_path, deliveries)
        tables = ("pod_hours", "node_hours", "gpu_hours")
        query = "from staging.{} order by all"
        found.append([con.execute(query.format(table)).fetchall() for table in tables])
    assert found[0] == found[1]
    assert [len(rows) for rows in found[0]] == [3, 2, 3]


def by(replica: str, *, start: int = 0, minutes: int = 120) -> Iterator[Sample]:
    """Yield a node and a pod as one replica of kube-state-metrics tells of them."""
    yield from node("node-a", "i-0abc", 8, replica=replica, start=start, minutes=minutes)
    yield from pod("train", node="node-a", gpus=4, replica=replica, start=start, minutes=minutes)


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(lambda: chain(by("a"), by("b")), id="two replicas"),
        pytest.param(
            lambda: chain(by("a", minutes=25), by("b", start=25, minutes=95)), id="a restart"
        ),
        pytest.param(
            lambda: chain(
                node("node-a", "i-0abc", 8, replica="a"),
                pod("train", node="node-a", gpus=4, replica="b"),
            ),
            id="two shards",
        ),
    ],
)
def test_replicas_restarts_and_shards_of_kube_state_metrics_change_nothing(
    staged: Callable[[Iterable[Sample]], Connection], samples: Callable[[], Iterable[Sample]]
) -> None:
    con = staged(samples())
    assert con.execute(HOLDS).fetchall() == [("train", 0, 3600, 4.0), ("train", 1, 3600, 4.0)]
    ups = con.execute("select up_seconds from staging.node_hours").fetchall()
    assert ups == [(3600,), (3600,)]


def test_scraping_more_often_than_configured_does_not_lengthen_an_hour(
    staged: Callable[[Iterable[Sample]], Connection],
) -> None:
    status = {"namespace": "vision", "pod": "short", "uid": "u", "container": "main"}
    running = series("kube_pod_container_status_running", status, 1, minutes=30, each=30)
    con = staged(chain(node("node-a", "i-0abc", 8, each=30), running))
    assert con.execute(HOLDS).fetchall() == [("short", 0, 1800, 0.0)]


def test_a_pod_holds_its_gpus_while_any_of_its_containers_runs(
    staged: Callable[[Iterable[Sample]], Connection],
) -> None:
    sidecar = {"namespace": "vision", "pod": "train", "uid": "uid-train", "container": "proxy"}
    asked = {**sidecar, "node": "node-a", "resource": "cpu"}
    con = staged(
        chain(
            node("node-a", "i-0abc", 8),
            pod("train", node="node-a", gpus=4, minutes=30),
            series("kube_pod_container_status_running", sidecar, 1, minutes=60),
            series("kube_pod_container_resource_requests", asked, 1, minutes=60),
        )
    )
    assert con.execute(HOLDS).fetchall() == [("train", 0, 3600, 4.0)]
    assert con.execute("select cpu_cores::double from staging.pod_hours").fetchall() == [(5.0,)]


def test_pods_of_one_name_within_an_hour_share_what_was_used_by_time(
    staged: Callable[[Iterable[Sample]], Connection],
) -> None:
    used = {"namespace": "vision", "pod": "db-0", "container": "main"}
    con = staged(
        chain(
            node("node-a", "i-0abc", 8),
            pod("db-0", node="node-a", gpus=0, uid="first", minutes=30),
            pod("db-0", node="node-a", gpus=0, uid="second", start=30, minutes=30),
            # 8 cores: 480 seconds a minute
            series("container_cpu_usage_seconds_total", used, 0, minutes=60, growth=480),
            series("container_memory_working_set_bytes", used, 16 * GIB, minutes=60),
        )
    )
    rows = con.execute(
        "select pod_uid, held_seconds, round(cpu_cores::double, 1), memory_gib::double "
        "from staging.pod_hours order by all"
    ).fetchall()
    assert rows == [("first", 1800, 8.0, 16.0), ("second", 1800, 8.0, 16.0)]


def test_use_counts_where_it_is_more_than_was_asked_for_and_whole_pods_do_not_count_twice(
    staged: Callable[[Iterable[Sample]], Connection],
) -> None:
    used = {"namespace": "vision", "pod": "short", "container": "main"}
    of_pod = {"namespace": "vision", "pod": "short"}  # the control group above the containers
    con = staged(
        chain(
            node("node-a", "i-0abc", 8),
            pod("short", node="node-a", gpus=1, minutes=30),
            series("container_cpu_usage_seconds_total", used, 0, minutes=31, growth=600),
            series("container_cpu_usage_seconds_total", of_pod, 0, minutes=31, growth=600),
            series("container_memory_working_set_bytes", used, 12 * GIB, minutes=30),
            series("container_memory_working_set_bytes", of_pod, 12 * GIB, minutes=30),
        )
    )
    rows = con.execute("select cpu_cores::double, memory_gib::double from staging.pod_hours")
    ((cores, memory),) = rows.fetchall()
    assert cores == pytest.approx(10, rel=0.05)
    assert memory == 12


def test_a_node_that_came_again_under_its_name_is_the_machine_seen_longer(
    staged: Callable[[Iterable[Sample]], Connection],
) -> None:
    con = staged(
        chain(
            node("node-a", "i-0old", 8, minutes=20),
            node("node-a", "i-0new", 8, start=20, minutes=100),
            node("node-b", "i-0b", 8),
        )
    )
    rows = con.execute(
        "select node, hour(charge_hour), instance_id, up_seconds from staging.node_hours "
        "order by all"
    ).fetchall()
    assert rows == [
        ("node-a", 0, "i-0new", 2400),
        ("node-a", 1, "i-0new", 3600),
        ("node-b", 0, "i-0b", 3600),
        ("node-b", 1, "i-0b", 3600),
    ]


def test_a_pod_on_a_node_that_nobody_knows_still_has_its_row(
    staged: Callable[[Iterable[Sample]], Connection],
) -> None:
    con = staged(pod("train", node="ghost", gpus=4))
    assert con.execute(HOLDS).fetchall() == [("train", 0, 3600, 4.0), ("train", 1, 3600, 4.0)]
    assert con.execute("select count(*) from staging.node_hours").fetchone() == (0,)


def test_time_sliced_gpus_count_by_the_physical_ones_that_dcgm_sees(
    staged: Callable[[Iterable[Sample]], Connection],
) -> None:
    con = staged(
        chain(
            node("node-a", "i-0abc", 8, resource="nvidia_com_gpu_shared"),
            pod("train", node="node-a", gpus=1, resource="nvidia_com_gpu_shared"),
            gpu("GPU-1", "train", activity=0.5),
            gpu("GPU-2", "", activity=0.0),
        )
    )
    assert con.execute(HOLDS).fetchall() == [("train", 0, 3600, 0.25), ("train", 1, 3600, 0.25)]
    capacity = con.execute("select distinct gpu_capacity::double from staging.node_hours")
    assert capacity.fetchall() == [(2.0,)]


def test_gpus_that_are_cut_do_not_stand_behind_those_that_are_shared_in_turns(
    staged: Callable[[Iterable[Sample]], Connection],
) -> None:
    """Of four GPUs two are cut into slices, and two are offered eight times."""
    cut = [gpu(f"GPU-{number}", "", activity=0.1, GPU_I_ID="1") for number in (1, 2)]
    con = staged(
        chain(
            node("node-a", "i-0abc", 8),
            node("node-a", "i-0abc", 14, resource="nvidia_com_mig_1g_5gb"),
            pod("turns", node="node-a", gpus=4),
            pod("slice", node="node-a", gpus=7, resource="nvidia_com_mig_1g_5gb"),
            *cut,
            gpu("GPU-3", "", activity=0.1),
            gpu("GPU-4", "", activity=0.1),
        )
    )
    assert [row for row in con.execute(HOLDS).fetchall() if row[1] == 0] == [
        ("slice", 0, 3600, 1.0),
        ("turns", 0, 3600, 1.0),
    ]


def test_gpus_that_are_offered_whole_do_not_stand_behind_those_that_are_shared(
    staged: Callable[[Iterable[Sample]], Connection],
) -> None:
    """Of four GPUs two are offered whole, and two are offered eight times by another name."""
    con = staged(
        chain(
            node("node-a", "i-0abc", 2),
            node("node-a", "i-0abc", 8, resource="nvidia_com_gpu_shared"),
            pod("turns", node="node-a", gpus=4, resource="nvidia_com_gpu_shared"),
            pod("whole", node="node-a", gpus=1),
            *(gpu(f"GPU-{number}", "", activity=0.1) for number in range(4)),
        )
    )
    assert [row for row in con.execute(HOLDS).fetchall() if row[1] == 0] == [
        ("turns", 0, 3600, 1.0),
        ("whole", 0, 3600, 1.0),
    ]


def test_slices_offered_as_gpus_count_as_slices(
    staged: Callable[[Iterable[Sample]], Connection],
) -> None:
    slices = [gpu("GPU-1", "", activity=0.1, GPU_I_ID=str(number)) for number in range(7)]
    con = staged(
        chain(
            node("node-a", "i-0abc", 7, label_nvidia_com_gpu_count="7"),
            pod("train", node="node-a", gpus=1),
            *slices,
        )
    )
    assert con.execute(HOLDS).fetchall() == [
        ("train", 0, 3600, 0.142857),
        ("train", 1, 3600, 0.142857),
    ]
    capacity = con.execute("select distinct gpu_capacity::double from staging.node_hours")
    assert capacity.fetchall() == [(1.0,)]
    seen = con.execute("select count(distinct gpu_instance_id) from staging.gpu_hours").fetchone()
    assert seen == (7,)


def test_slices_of_an_unknown_number_of_gpus_leave_the_number_to_the_instance_type(
    staged: Callable[[Iterable[Sample]], Connection],
) -> None:
    con = staged(
        chain(
            node("node-a", "i-0abc", 7, resource="nvidia_com_mig_1g_5gb"),
            pod("train", node="node-a", gpus=1, resource="nvidia_com_mig_1g_5gb"),
            node("node-b", "i-0b", 0),
        )
    )
    assert con.execute(HOLDS).fetchall()[0] == ("train", 0, 3600, 0.142857)
    rows = con.execute("select distinct node, gpu_capacity::double from staging.node_hours")
    assert sorted(rows.fetchall()) == [("node-a", None), ("node-b", 0.0)]


def test_resources_that_count_something_else_are_no_gpus(
    staged: Callable[[Iterable[Sample]], Connection],
) -> None:
    con = staged(
        chain(
            node("node-a", "i-0abc", 81920, resource="nvidia_com_gpumem"),
            pod("train", node="node-a", gpus=4096, resource="nvidia_com_gpumem"),
        )
    )
    assert con.execute(HOLDS).fetchall()[0] == ("train", 0, 3600, 0.0)


def test_the_exporter_itself_holds_no_gpu(
    staged: Callable[[Iterable[Sample]], Connection],
) -> None:
    con = staged(
        chain(
            node("node-a", "i-0abc", 8),
            pod("train", node="node-a", gpus=2),
            gpu("GPU-1", "train", activity=0.5),
            gpu("GPU-2", "", activity=0.0),  # idle: only the exporter's own labels
            gpu("GPU-3", "", activity=0.25, namespace="vision", pod="train"),  # honor_labels
        )
    )
    rows = con.execute(
        "select gpu_uuid, namespace, pod from staging.gpu_hours where hour(charge_hour) = 0 "
        "order by all"
    ).fetchall()
    assert rows == [
        ("GPU-1", "vision", "train"),
        ("GPU-2", None, None),
        ("GPU-3", "vision", "train"),
    ]


def test_an_exporter_that_restarts_leaves_one_row_with_the_mean_of_what_was_seen(
    staged: Callable[[Iterable[Sample]], Connection],
) -> None:
    con = staged(
        chain(
            node("node-a", "i-0abc", 8),
            gpu("GPU-1", "train", activity=0.2, minutes=15, pod="exporter-x"),
            gpu("GPU-1", "train", activity=0.6, start=15, minutes=45, pod="exporter-y"),
        )
    )
    rows = con.execute(
        "select pod, round(activity, 6), activity_max, memory_used_gib, sample_share "
        "from staging.gpu_hours"
    ).fetchall()
    assert rows == [("train", 0.5, 0.6, 2.0, 1.0)]


def test_a_gpu_that_changes_hands_has_a_row_for_each_holder(
    staged: Callable[[Iterable[Sample]], Connection],
) -> None:
    con = staged(
        chain(
            gpu("GPU-1", "first", activity=1.0, minutes=15),
            gpu("GPU-1", "", activity=0.0, start=15, minutes=15),
            gpu("GPU-1", "second", activity=0.5, start=30, minutes=30),
        )
    )
    rows = con.execute(
        "select pod, activity, sample_share from staging.gpu_hours order by pod nulls first"
    ).fetchall()
    assert rows == [(None, 0.0, 0.25), ("first", 1.0, 0.25), ("second", 0.5, 0.5)]


def test_either_spelling_of_dcgm_will_do_and_the_better_measure_counts(
    staged: Callable[[Iterable[Sample]], Connection],
) -> None:
    metrics: dict[str, list[tuple[str, float]]] = {
        "old": [("DCGM_FI_PROF_SM_ACTIVE", 0.1), ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", 0.9)],
        "new": [("DCGM_FI_PROF_SM_UTIL_RATIO", 0.2), ("DCGM_FI_PROF_GR_ENGINE_UTIL_RATIO", 0.9)],
        "both": [("DCGM_FI_PROF_SM_ACTIVE", 0.3), ("DCGM_FI_PROF_SM_UTIL_RATIO", 0.3)],
        "engine": [("DCGM_FI_PROF_GR_ENGINE_UTIL_RATIO", 0.4), ("DCGM_FI_DEV_GPU_UTIL", 90)],
        "device": [("DCGM_FI_DEV_GPU_UTIL", 50)],
    }
    samples = [
        gpu(uuid, "train", activity=value, metric=metric, minutes=60)
        for uuid, pairs in metrics.items()
        for metric, value in pairs
    ]
    # each metric's memory is the same series: say it once
    once = dict.fromkeys((m, tuple(sorted(lb.items())), at, v) for m, lb, at, v in chain(*samples))
    con = staged((metric, dict(labels), at, value) for metric, labels, at, value in once)
    rows = con.execute("select gpu_uuid, round(activity, 6) from staging.gpu_hours").fetchall()
    assert dict(rows) == {"old": 0.1, "new": 0.2, "both": 0.3, "engine": 0.4, "device": 0.5}


def test_a_query_that_the_server_refuses_is_reported_in_its_words() -> None:
    with prometheus_with(node("node-a", "i-0abc", 8)) as address:
        too_many = Prometheus(url=f"{address}/nowhere", backfill_days=1)
        with pytest.raises(SourceError, match="404") as caught:
            list(too_many.deliveries_at(Ledger(), SETTLED))
    assert address in caught.value.__notes__[0]
