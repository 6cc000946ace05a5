"""How busy GPUs were, as MLflow logs it: whole days, each once, in each way of reading."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from connectors.mlflow import Mlflow
from connectors.mlflow_gpus import GPU_METRICS, is_gpu_key
from tests.connectors.mlflow_nights import HOUR, Nights, Store

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.mlflow_server import MlflowServer
    from tests.servers.postgres import PostgresServer

pytest_plugins = ["tests.servers.mlflow_server"]

AT = datetime(2026, 10, 3, 2, tzinfo=UTC)
NOW = int(AT.timestamp() * 1000)
MIDNIGHT = NOW - 2 * HOUR
GPU = "system/gpu_0_utilization_percentage"


def points(nights: Nights) -> list[tuple[str, int, str]]:
    """Return what has landed, in its order."""
    return [(row["run_id"], row["timestamp"], row["value"]) for row in nights.raw("gpu_metrics")]


def test_only_how_busy_a_gpu_was_is_read() -> None:
    assert is_gpu_key(GPU)
    assert is_gpu_key("system/node_1/gpu_11_utilization_percentage")
    assert not is_gpu_key("system/gpu_0_memory_usage_percentage")
    assert not is_gpu_key("my_gpu_0_utilization_percentage")


def test_a_day_is_delivered_once_and_whole_when_it_is_over(tmp_path: Path) -> None:
    store = Store(tmp_path / "mlflow.db")
    store.run("r1", MIDNIGHT - 26 * HOUR, None, "RUNNING", finops__instance_id="i-1,i-2")
    times = range(MIDNIGHT - 26 * HOUR, MIDNIGHT + HOUR, HOUR)
    store.gpu("r1", GPU, [(at, 50.0) for at in times])
    store.gpu("r1", "loss", [(at, 0.5) for at in times])
    nights, source = Nights(tmp_path), Mlflow(str(store.path), gpu_metrics=True)
    assert "gpu_metrics" in nights.night(source, AT)
    units = [one.unit for one in nights.landed if one.table == "gpu_metrics"]
    assert units == ["2026-10-01", "2026-10-02"]
    assert points(nights) == [("r1", at, "50.0") for at in times if at < MIDNIGHT]
    assert {row["instance_id"] for row in nights.raw("gpu_metrics")} == {"i-1,i-2"}
    assert nights.night(source, AT + timedelta(hours=5)) == set()

    store.update("r1", end_time=MIDNIGHT + HOUR, status="FINISHED")
    assert "gpu_metrics" in nights.night(source, AT + timedelta(days=1))
    assert points(nights) == [("r1", at, "50.0") for at in times]


def test_nothing_is_asked_unless_the_config_says_so(tmp_path: Path) -> None:
    """The store has no table of metrics at all: a reader's rights may end before it."""
    store = Store(tmp_path / "mlflow.db")
    store.run("r1", NOW - 30 * HOUR, NOW - 20 * HOUR)
    nights = Nights(tmp_path)
    assert GPU_METRICS.name not in nights.night(Mlflow(str(store.path)), AT)


@pytest.mark.servers
@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_a_server_and_its_database_tell_the_same(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, store: str
) -> None:
    """6,000 points of one GPU are more than one request may ask for."""
    mlflow: MlflowServer = request.getfixturevalue(f"mlflow_on_{store}")
    login = {}
    if store == "postgres":
        postgres: PostgresServer = request.getfixturevalue("postgres_server")
        monkeypatch.setenv("OWNER", postgres.user)
        monkeypatch.setenv("OWNER_PASSWORD", postgres.password)
        login = {"username_env": "OWNER", "password_env": "OWNER_PASSWORD"}
    made = mlflow.work("busy_gpus", begun=MIDNIGHT - 30 * HOUR, count=6000)
    server = Mlflow(mlflow.uri, gpu_metrics=True)
    database = Mlflow(mlflow.store, gpu_metrics=True, **login)  # type: ignore[arg-type]
    told = {}
    for way, source in (("server", server), ("database", database)):
        (tmp_path / way).mkdir()
        nights = Nights(tmp_path / way)
        nights.night(source, AT)
        first = len(points(nights))
        nights.night(source, AT + timedelta(days=1))
        told[way] = (first, points(nights))
    assert told["server"] == told["database"]
    first, found = told["server"]
    step = 32 * HOUR // 6000
    assert found == [
        (made["run"], MIDNIGHT - 30 * HOUR + number * step, f"{number % 100:.1f}")
        for number in range(6000)
    ]
    assert first == 5625
