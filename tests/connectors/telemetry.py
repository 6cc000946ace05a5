"""A small cluster's telemetry for tests: as samples for a real server, or as saved answers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from connectors.prometheus import Prometheus
from connectors.promql import QUERIES
from queries.catalog import HOME, read_model
from queries.checks import check_model
from queries.engines.duckdb import create_macros
from queries.landed import Landed, LandedFile
from queries.raw import create_raw_view
from queries.stage import check_feed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from connectors.base import Delivery
    from queries.engines.duckdb import Connection

DAY = date(2026, 10, 5)
MIDNIGHT = int(datetime(2026, 10, 5, tzinfo=UTC).timestamp())
SETTLED = datetime(2026, 10, 6, 3, tzinfo=UTC)
GIB = 2**30
STAGED = ("pod_hours", "pod_claims", "node_hours", "gpu_hours", "served_hours")
Sample = tuple[str, dict[str, str], int, float]


def series(  # noqa: PLR0913 - what a series is made of
    metric: str,
    labels: dict[str, str],
    value: float,
    *,
    start: int = 0,
    minutes: int = 120,
    each: int = 60,
    growth: float = 0,
) -> Iterator[Sample]:
    """Yield a sample each so many seconds, from `start` minutes after midnight."""
    for number, second in enumerate(range(start * 60, (start + minutes) * 60, each)):
        yield metric, labels, MIDNIGHT + second + 1, value + number * growth


def pod(  # noqa: PLR0913 - what a pod is made of
    name: str,
    *,
    node: str,
    gpus: float,
    uid: str = "",
    start: int = 0,
    minutes: int = 120,
    resource: str = "nvidia_com_gpu",
    replica: str = "ksm-0",
    namespace: str = "vision",
    cpu: float = 4,
    memory: float = 8 * GIB,
    **labels: str,
) -> Iterator[Sample]:
    """Yield what kube-state-metrics says of a pod; its requests stay on record to the end."""
    base = {"namespace": namespace, "pod": name, "uid": uid or f"uid-{name}", "instance": replica}
    running = {**base, "container": "main"}
    status = "kube_pod_container_status_running"
    yield from series(status, running, 1, start=start, minutes=minutes)
    after = start + minutes
    yield from series(status, running, 0, start=after, minutes=max(0, 120 - after))
    yield from series("kube_pod_info", {**base, "node": node}, 1, start=start, minutes=minutes)
    owned = {f"label_{key}": text for key, text in labels.items()}
    yield from series("kube_pod_labels", {**base, **owned}, 1, start=start, minutes=minutes)
    for kind, amount in (("cpu", cpu), ("memory", memory), (resource, gpus)):
        wanted = {**running, "node": node, "resource": kind}
        requests = "kube_pod_container_resource_requests"
        yield from series(requests, wanted, amount, start=start, minutes=120 - start)


def mount(
    pod_name: str, claim: str, volume: str, *, start: int = 0, minutes: int = 120, **handle: str
) -> Iterator[Sample]:
    """Yield what kube-state-metrics says of a claim, its volume and the pod that mounts it."""
    span = {"start": start, "minutes": minutes}
    claimed = {"namespace": "vision", "persistentvolumeclaim": claim, "instance": "ksm-0"}
    by = {"pod": pod_name, "uid": f"uid-{pod_name}", "volume": "data"}
    yield from series("kube_pod_spec_volumes_persistentvolumeclaims_info", claimed | by, 1, **span)
    bound = claimed | {"volumename": volume, "storageclass": "gp3"}
    yield from series("kube_persistentvolumeclaim_info", bound, 1)
    made = {"persistentvolume": volume, "storageclass": "gp3", "instance": "ksm-0"}
    yield from series("kube_persistentvolume_info", made | handle, 1)


def node(  # noqa: PLR0913 - what a node is made of
    name: str,
    instance: str,
    gpus: float,
    *,
    start: int = 0,
    minutes: int = 120,
    resource: str = "nvidia_com_gpu",
    replica: str = "ksm-0",
    each: int = 60,
    **labels: str,
) -> Iterator[Sample]:
    """Yield what kube-state-metrics says of a node."""
    span = {"start": start, "minutes": minutes, "each": each}
    named = {"node": name, "instance": replica}
    provider = {**named, "provider_id": f"aws:///us-east-1a/{instance}"}
    yield from series("kube_node_info", provider, 1, **span)
    kind = {"label_node_kubernetes_io_instance_type": "p4d.24xlarge"}
    yield from series("kube_node_labels", {**named, **kind, **labels}, 1, **span)
    for what, amount in (("cpu", 96), ("memory", 1152 * GIB), (resource, gpus)):
        capacity = {**named, "resource": what}
        yield from series("kube_node_status_capacity", capacity, amount, **span)


def gpu(  # noqa: PLR0913 - what an exporter says
    uuid: str,
    pod_name: str,
    *,
    activity: float,
    start: int = 0,
    minutes: int = 120,
    metric: str = "DCGM_FI_PROF_GR_ENGINE_ACTIVE",
    **labels: str,
) -> Iterator[Sample]:
    """Yield what an exporter says of a GPU, scraped without honor_labels; '' holds none."""
    named = {"UUID": uuid, "Hostname": "node-a", "namespace": "gpu-operator", "pod": "exporter-x"}
    if pod_name:
        named |= {"exported_namespace": "vision", "exported_pod": pod_name}
    named |= labels
    yield from series(metric, named, activity, start=start, minutes=minutes)
    yield from series("DCGM_FI_DEV_FB_USED", named, 2048, start=start, minutes=minutes)


@dataclass
class Ledger:
    """Remembers what has been delivered, as the journal does."""

    seen: dict[tuple[str, str], str] = field(default_factory=dict)
    cursors: dict[str, str | None] = field(default_factory=dict)

    def has(self, table: str, unit: str, version: str) -> bool:
        return self.seen.get((table, unit)) == version

    def cursor(self, table: str) -> str | None:
        return self.cursors.get(table)

    def take(self, deliveries: Iterable[Delivery]) -> list[Delivery]:
        """Take deliveries one by one, so that those before an error stay."""
        taken = []
        for row in deliveries:
            taken.append(row)
            self.seen[row.table, row.unit] = row.version
            self.cursors[row.table] = row.cursor
        return taken


def source(url: str, **settings: Any) -> Prometheus:
    return Prometheus(url=url, cluster="main", **{"backfill_days": 1, **settings})


def stage(con: Connection, folder: Path, deliveries: Iterable[Delivery]) -> None:
    """Land deliveries, run the staging models on them, and check what they promise."""
    landed = []
    for delivery in deliveries:
        files = []
        for number, file in enumerate(delivery.files):
            path = folder / f"{delivery.unit}-{number}.parquet"
            with file.open() as stream:
                path.write_bytes(stream.read())
            digest = sha256(path.read_bytes()).hexdigest()
            files.append(LandedFile(path, file.name, "parquet", digest))
        at = delivery.version_at.replace(tzinfo=None)
        unit, version = delivery.unit, delivery.version
        landed.append(Landed("k8s", "prometheus", "samples", unit, version, at, tuple(files), at))
    create_macros(con, {})
    create_raw_view(con, "prometheus", Prometheus.tables[0], landed)
    con.execute("create schema if not exists staging")
    for name in STAGED:
        model = read_model(HOME / "staging" / f"prometheus__{name}.sql")
        con.execute(f"create or replace table {model.name} as {model.sql}")
        con.execute(f"create or replace view staging.{name} as select * from {model.name}")
        check_model(con, model)
        check_feed(con, model, model.name)


def tables_of(con: Connection) -> dict[str, list[dict[str, Any]]]:
    """Return what was staged, table by table, as rows of the canonical tables."""
    tables = {}
    for table in STAGED:
        found = con.execute(f"select * from staging.{table}")
        names = [column[0] for column in found.description or ()]
        tables[table] = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    return tables


def answer(*rows: tuple[dict[str, str], str]) -> str:
    """Return an answer with one value for each series, at the end of the first hour."""
    result = [{"metric": labels, "values": [[MIDNIGHT + 3600, text]]} for labels, text in rows]
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})


def save(folder: Path, day: str = DAY.isoformat(), **answers: str) -> Prometheus:
    """Save answers of a day, the others empty, and return the source that reads the folder."""
    of_day = folder / day
    of_day.mkdir(parents=True, exist_ok=True)
    for name in QUERIES:
        (of_day / f"{name}.json").write_text(answers.get(name, answer()), encoding="utf-8")
    return Prometheus(root=str(folder), cluster="main")
