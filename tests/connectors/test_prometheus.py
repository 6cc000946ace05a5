"""Telemetry from a real Prometheus, and from saved answers: what each pod, node and GPU did."""

from __future__ import annotations

import gzip
import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs
from urllib.request import Request, urlopen

import pytest

from connectors.base import Delivery, SourceError
from connectors.prometheus import Prometheus
from connectors.promql import QUERIES
from queries.catalog import HOME, read_model
from queries.engines.duckdb import Connection, Limits, connect
from queries.raw import Landed, LandedFile, create_raw_view
from tests.servers.prometheus import prometheus_with

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = date(2026, 10, 5)
MIDNIGHT = int(datetime(2026, 10, 5, tzinfo=UTC).timestamp())
SETTLED = datetime(2026, 10, 6, 3, tzinfo=UTC)
Sample = tuple[str, dict[str, str], int, float]


def series(
    metric: str, labels: dict[str, str], value: float, *, start: int = 0, minutes: int = 120
) -> Iterator[Sample]:
    """Yield one sample a minute, from `start` minutes after midnight."""
    for minute in range(start, start + minutes):
        yield metric, labels, MIDNIGHT + minute * 60 + 1, value


def pod(
    name: str, *, node: str, gpus: float, start: int = 0, minutes: int = 120, **labels: str
) -> Iterator[Sample]:
    """Yield what kube-state-metrics says of a pod of two containers' worth of requests."""
    base = {"namespace": "vision", "pod": name, "uid": f"uid-{name}"}
    alive = {"start": start, "minutes": minutes}
    running = {**base, "container": "main"}
    yield from series("kube_pod_container_status_running", running, 1, **alive)
    yield from series("kube_pod_info", {**base, "node": node}, 1, **alive)
    owned = {f"label_{key}": text for key, text in labels.items()}
    yield from series("kube_pod_labels", {**base, **owned}, 1, **alive)
    for resource, amount in (("cpu", 4), ("memory", 8 * 2**30), ("nvidia_com_gpu", gpus)):
        wanted = {**running, "node": node, "resource": resource}
        yield from series("kube_pod_container_resource_requests", wanted, amount)


def node(name: str, instance: str, gpus: int) -> Iterator[Sample]:
    """Yield what kube-state-metrics says of a node."""
    provider = {"node": name, "provider_id": f"aws:///us-east-1a/{instance}"}
    yield from series("kube_node_info", provider, 1)
    labels = {"node": name, "label_node_kubernetes_io_instance_type": "p4d.24xlarge"}
    yield from series("kube_node_labels", {**labels, "label_nvidia_com_gpu_count": str(gpus)}, 1)
    for resource, amount in (("cpu", 96), ("memory", 1152 * 2**30), ("nvidia_com_gpu", gpus)):
        capacity = {"node": name, "resource": resource}
        yield from series("kube_node_status_capacity", capacity, amount)


def gpu(uuid: str, pod_name: str, *, activity: float, minutes: int = 120) -> Iterator[Sample]:
    """Yield what an exporter says of a GPU, scraped without honor_labels."""
    labels = {"UUID": uuid, "Hostname": "node-a", "namespace": "gpu-operator", "pod": "dcgm-x"}
    labels |= {"exported_namespace": "vision", "exported_pod": pod_name}
    yield from series("DCGM_FI_PROF_GR_ENGINE_ACTIVE", labels, activity, minutes=minutes)
    yield from series("DCGM_FI_DEV_FB_USED", labels, 2048, minutes=minutes)


def company() -> Iterator[Sample]:
    """Two pods on one node; one completes after half an hour, its request lingers."""
    yield from pod("train", node="node-a", gpus=4, team="nlp", mlflow_run_id="run-1")
    yield from pod("short", node="node-a", gpus=2, minutes=30, team="vision")
    yield from node("node-a", "i-0abc", 8)
    yield from gpu("GPU-1", "train", activity=0.75)
    yield from gpu("GPU-2", "train", activity=0.0, minutes=20)


@dataclass
class Ledger:
    """Remembers what has been delivered, as the journal does."""

    seen: dict[tuple[str, str], str] = field(default_factory=dict)
    newest: str | None = None

    def has(self, table: str, unit: str, version: str) -> bool:
        return self.seen.get((table, unit)) == version

    def cursor(self, table: str) -> str | None:
        return self.newest if table else None

    def take(self, deliveries: Iterator[Delivery]) -> list[Delivery]:
        taken = list(deliveries)
        for row in taken:
            self.seen[row.table, row.unit] = row.version
            self.newest = row.cursor
        return taken


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with prometheus_with(company()) as address:
        yield address


@pytest.fixture
def con() -> Iterator[Connection]:
    connection = connect(Limits(threads=1))
    yield connection
    connection.close()


def stage(con: Connection, folder: Path, deliveries: list[Delivery]) -> None:
    """Land deliveries and run the three staging models on them."""
    landed = []
    for delivery in deliveries:
        path = folder / f"{delivery.unit}.parquet"
        with delivery.files[0].open() as stream:
            path.write_bytes(stream.read())
        digest = sha256(path.read_bytes()).hexdigest()
        at = delivery.version_at.replace(tzinfo=None)
        file = LandedFile(path, path.name, "parquet", digest)
        unit, version = delivery.unit, delivery.version
        landed.append(Landed("k8s", "prometheus", "samples", unit, version, at, (file,), at))
    create_raw_view(con, "prometheus", Prometheus.tables[0], landed)
    con.execute("create schema if not exists staging")
    for name in ("pod_hours", "node_hours", "gpu_hours"):
        model = read_model(HOME / "staging" / f"prometheus__{name}.sql")
        con.execute(f"create or replace table staging.{name} as {model.sql}")


def source(url: str) -> Prometheus:
    return Prometheus(url=url, cluster="main", backfill_days=1)


@pytest.mark.servers
def test_pods_hold_what_they_asked_for_while_they_ran(
    url: str, con: Connection, tmp_path: Path
) -> None:
    stage(con, tmp_path, Ledger().take(source(url).deliveries_at(Ledger(), SETTLED)))
    rows = con.execute(
        "select pod, hour(charge_hour), node, held_seconds, gpu_units::double, cpu_cores::double, "
        "memory_gib::double, team_raw, run_native_id from staging.pod_hours order by all"
    ).fetchall()
    assert rows == [
        ("short", 0, "node-a", 1800, 2.0, 4.0, 8.0, "vision", None),
        ("train", 0, "node-a", 3600, 4.0, 4.0, 8.0, "nlp", "run-1"),
        ("train", 1, "node-a", 3600, 4.0, 4.0, 8.0, "nlp", "run-1"),
    ]


@pytest.mark.servers
def test_nodes_are_known_as_the_bill_writes_them(url: str, con: Connection, tmp_path: Path) -> None:
    stage(con, tmp_path, Ledger().take(source(url).deliveries_at(Ledger(), SETTLED)))
    rows = con.execute(
        "select distinct instance_id, instance_type, gpu_capacity::double, cpu_capacity::double, "
        "memory_gib_capacity::double, up_seconds from staging.node_hours"
    ).fetchall()
    assert rows == [("i-0abc", "p4d.24xlarge", 8.0, 96.0, 1152.0, 3600)]


@pytest.mark.servers
def test_a_gpu_that_was_not_sampled_is_told_apart_from_one_that_was_idle(
    url: str, con: Connection, tmp_path: Path
) -> None:
    stage(con, tmp_path, Ledger().take(source(url).deliveries_at(Ledger(), SETTLED)))
    rows = con.execute(
        "select gpu_uuid, namespace, pod, activity, round(sample_share, 2) from staging.gpu_hours "
        "where hour(charge_hour) = 0 order by all"
    ).fetchall()
    assert rows == [
        ("GPU-1", "vision", "train", 0.75, 1.0),
        ("GPU-2", "vision", "train", 0.0, 0.33),
    ]


@pytest.mark.servers
def test_a_day_is_delivered_once_and_only_when_it_has_settled(url: str) -> None:
    ledger = Ledger()
    early = datetime(2026, 10, 6, 0, 30, tzinfo=UTC)
    assert [row.unit for row in source(url).deliveries_at(ledger, early)] == ["2026-10-04"]
    assert [row.unit for row in ledger.take(source(url).deliveries_at(ledger, SETTLED))] == [
        "2026-10-05"
    ]
    assert ledger.take(source(url).deliveries_at(ledger, SETTLED)) == []


@pytest.mark.servers
def test_saved_answers_give_the_rows_that_the_server_gives(
    url: str, con: Connection, tmp_path: Path
) -> None:
    folder = tmp_path / "answers" / DAY.isoformat()
    folder.mkdir(parents=True)
    labels = "label_user, label_team, label_project, label_mlflow_run_id, label_model"
    for number, (name, query) in enumerate(QUERIES.items()):
        form = {
            "query": query.replace("%(labels)s", labels).replace(" ", "+"),
            "start": MIDNIGHT + 3600,
            "end": MIDNIGHT + 86400,
            "step": 3600,
        }
        body = "&".join(f"{key}={_quoted(value)}" for key, value in form.items()).encode()
        with urlopen(Request(f"{url}/api/v1/query_range", body), timeout=30) as answer:  # noqa: S310
            content = answer.read()
        if number % 2:
            (folder / f"{name}.json.gz").write_bytes(gzip.compress(content))
        else:
            (folder / f"{name}.json").write_bytes(content)
    saved = Prometheus(root=str(folder.parent), cluster="main")
    tables = ("pod_hours", "node_hours", "gpu_hours")
    found = []
    for deliveries in (
        list(saved.deliveries(Ledger())),
        list(source(url).deliveries_at(Ledger(), SETTLED)),
    ):
        stage(con, tmp_path, deliveries)
        found.append(
            [con.execute(f"from staging.{table} order by all").fetchall() for table in tables]
        )
    assert found[0] == found[1]
    assert len(found[0][0]) == 3


def _quoted(value: object) -> str:
    return "".join(
        letter if letter.isalnum() or letter in "_.-+" else f"%{ord(letter):02X}"
        for letter in str(value)
    )


def answers_in(folder: Path, **answers: str) -> Prometheus:
    of_day = folder / DAY.isoformat()
    of_day.mkdir(parents=True)
    for name, text in answers.items():
        (of_day / f"{name}.json").write_text(text, encoding="utf-8")
    return Prometheus(root=str(folder))


@pytest.mark.parametrize(
    "text",
    [
        '{"status": "success", "data": {"resultType": "matrix", "result": [',
        '{"status": "error", "error": "query timed out"}',
        '{"status": "success", "data": {"resultType": "vector", "result": []}}',
        "[]",
        "",
    ],
)
def test_half_an_answer_is_refused(tmp_path: Path, text: str) -> None:
    saved = answers_in(tmp_path, pod_running=text)
    with pytest.raises(SourceError) as caught:
        list(saved.deliveries(Ledger()))
    assert "2026-10-05" in caught.value.__notes__[0]


def test_a_value_that_is_no_number_is_no_measurement(con: Connection, tmp_path: Path) -> None:
    metric = {"UUID": "GPU-1"}
    one = {"metric": metric, "values": [[MIDNIGHT + 3600, "NaN"], [MIDNIGHT + 7200, "0.5"]]}
    answer = {"status": "success", "data": {"resultType": "matrix", "result": [one]}}
    saved = answers_in(tmp_path / "answers", gpu_sm=json.dumps(answer))
    stage(con, tmp_path, list(saved.deliveries(Ledger())))
    rows = con.execute("select activity from staging.gpu_hours order by charge_hour").fetchall()
    assert rows == [(None,), (0.5,)]


def test_a_time_sliced_gpu_counts_by_its_share_and_a_mig_slice_by_its_size(
    con: Connection, tmp_path: Path
) -> None:
    def answer(*rows: tuple[dict[str, str], str]) -> str:
        result = [{"metric": labels, "values": [[MIDNIGHT + 3600, text]]} for labels, text in rows]
        return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})

    def held(name: str, resource: str) -> tuple[dict[str, str], str]:
        labels = {"namespace": "n", "pod": name, "uid": name, "node": "a", "resource": resource}
        return labels, "1"

    pods = [({"namespace": "n", "pod": name, "uid": name}, "60") for name in ("shared", "slice")]
    gpus = {"label_nvidia_com_gpu_count": "2", "label_nvidia_com_gpu_memory": "40960"}
    saved = answers_in(
        tmp_path / "answers",
        pod_running=answer(*pods),
        pod_request=answer(
            held("shared", "nvidia_com_gpu_shared"), held("slice", "nvidia_com_mig_1g_10gb")
        ),
        node_labels=answer(({"node": "a", **gpus}, "1")),
        node_capacity=answer(({"node": "a", "resource": "nvidia_com_gpu_shared"}, "8")),
    )
    stage(con, tmp_path, list(saved.deliveries(Ledger())))
    rows = con.execute("select pod, gpu_units::double from staging.pod_hours order by all")
    assert rows.fetchall() == [("shared", 0.25), ("slice", 0.25)]


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again_and_told_of_by_count(status: int) -> None:
    asked: list[str] = []

    class Busy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
            asked.append(form["query"][0])
            is_busy = len(asked) <= 2
            self.send_response(status if is_busy else 200)
            self.send_header("retry-after", "0")
            self.end_headers()
            if not is_busy:
                empty = {"status": "success", "data": {"resultType": "matrix", "result": []}}
                self.wfile.write(json.dumps(empty).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Busy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        (delivery,) = list(source(address).deliveries_at(Ledger(), SETTLED))
    finally:
        server.shutdown()
        server.server_close()
    assert delivery.unit == "2026-10-05"
    assert len(asked) == len(QUERIES) + 2
