"""A real Ray, asked night by night: jobs that hold GPUs, fail, are stopped, and are forgotten."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from connectors.ray import Ray
from tests.connectors.scheduler_nights import Nights
from tests.servers.ray_server import ray_server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.servers.ray_server import RayServer

__all__ = ["ray_server"]
pytestmark = [pytest.mark.servers, pytest.mark.timeout(400)]
CANARY = "canary-3f9c"
WORK = """python -c "
import ray, time
ray.init(log_to_driver=False)
held = ray.remote(num_gpus=2)(lambda: time.sleep(4))
ray.get(held.remote())
" """


def night_until(nights: Nights, source: Ray, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while True:
        nights.night(source, datetime.now(UTC))
        if is_so():
            return
        assert time.monotonic() < deadline, nights.rows("runs")
        time.sleep(1)


def statuses(nights: Nights) -> dict[str, str]:
    return dict(nights.rows("runs", "native_id, status"))


def test_what_a_cluster_did_is_known_night_by_night(ray_server: RayServer, tmp_path: Path) -> None:
    nights, source = Nights(tmp_path, "ray"), Ray(url=ray_server.address)
    metadata = {"user": "ann", "team": "vision", "mlflow_run_id": "r1"}
    secret = {"env_vars": {"TOKEN": CANARY}}
    began = datetime.now(UTC).replace(tzinfo=None)
    done = ray_server.work(
        "submit", entrypoint=WORK, metadata=metadata, runtime_env=secret, entrypoint_num_gpus=1
    )
    failed = ray_server.work("submit", entrypoint=f"sh -c 'exit 3' {CANARY}")
    stopped = ray_server.work("submit", entrypoint="sleep 600")
    night_until(nights, source, lambda: statuses(nights).get(stopped) == "running")
    ray_server.work("stop", id=stopped)
    night_until(
        nights,
        source,
        lambda: statuses(nights) == {done: "succeeded", failed: "failed", stopped: "cancelled"},
    )
    told = nights.rows("runs", "native_id, user_raw, team_raw, kind, system, attempt")
    assert (done, "ann", "vision", "job", "ray", 1) in told
    gpus, started, ended = next(
        row[1:]
        for row in nights.rows("runs", "native_id, gpu_count, started_at, ended_at")
        if row[0] == done
    )
    assert began < started < ended < datetime.now(UTC).replace(tzinfo=None)
    assert Decimal(1) / 4 < gpus < 3  # one for a part of its time, two more for a part of that
    hosts = {row[0] for row in nights.rows("run_places", "node")}
    assert hosts == {socket.gethostname()}
    tagged = nights.rows("run_tags", "called, tags['mlflow_run_id']")
    assert ("metadata", "r1") in tagged
    assert CANARY not in nights.text()
    before = nights.rows("runs")
    assert nights.night(source, datetime.now(UTC)) == 0

    events = Nights(tmp_path, "ray")
    assert events.night(Ray(root=str(ray_server.exported)), datetime.now(UTC)) == 3
    assert statuses(events) == statuses(nights)
    columns = "native_id, user_raw, started_at, ended_at"
    assert events.rows("runs", columns) == nights.rows("runs", columns)
    assert CANARY not in events.text()
    assert nights.rows("runs") == before
