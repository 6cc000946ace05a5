"""What runs are for, as MLflow has it: each point of a history once, in each way of reading."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from connectors import mlflow_histories
from connectors.base import SourceError
from connectors.mlflow import Mlflow
from connectors.mlflow_objectives import Named
from connectors.tally import counting
from tests.connectors.mlflow_nights import HOUR, Nights, Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.servers.mlflow_server import MlflowServer
    from tests.servers.postgres import PostgresServer

pytest_plugins = ["tests.servers.mlflow_server"]

AT = datetime(2026, 10, 3, 2, tzinfo=UTC)
NOW = int(AT.timestamp() * 1000)
Seen = tuple[str, str, int, int, str]


def points(nights: Nights) -> list[Seen]:
    """Return what has landed, in its order."""
    return [
        (row["run_id"], row["metric"], row["step"], row["timestamp"] - NOW, row["value"])
        for row in nights.raw("objectives")
    ]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "mlflow.db")
    for column in ("key text", "step bigint"):
        made.connection.execute(f"alter table latest_metrics add column {column}")
    made.connection.execute(
        "create table metrics (run_uuid text, key text, step bigint, timestamp bigint, value real, "
        "is_nan int)"
    )
    made.run("r1", NOW - HOUR, None, "RUNNING")
    return made


def log(
    store: Store, run: str, metric: str, points: Sequence[tuple[int, int, float | None]]
) -> None:
    """Log (step, time since NOW, value); no value: not a number."""
    rows = [(run, metric, step, NOW + at, value or 0, value is None) for step, at, value in points]
    store.connection.executemany("insert into metrics values (?, ?, ?, ?, ?, ?)", rows)
    store.connection.execute(
        "delete from latest_metrics where run_uuid = ? and key = ?", (run, metric)
    )
    store.connection.execute(
        "insert into latest_metrics (run_uuid, key, step, timestamp) select run_uuid, key, step, "
        "timestamp from metrics where run_uuid = ? and key = ? order by step desc, timestamp desc "
        "limit 1",
        (run, metric),
    )


def test_a_night_reads_the_points_after_those_it_has(store: Store, tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    source = Mlflow(str(store.path), objectives=("val_*", "loss"))
    log(store, "r1", "loss", [(0, -9, 3.0), (1, -8, None), (1, -7, 1.7976931348623157e308)])
    log(store, "r1", "val_acc", [(1, -8, 0.5)])
    log(store, "r1", "valXacc", [(1, -8, 0.5)])
    log(store, "r1", "LOSS", [(1, -8, 0.5)])
    assert "objectives" in nights.night(source, AT)
    first = [
        ("r1", "loss", 0, -9, "3.0"),
        ("r1", "loss", 1, -8, "nan"),
        ("r1", "loss", 1, -7, "inf"),
        ("r1", "val_acc", 1, -8, "0.5"),
    ]
    assert points(nights) == first
    assert "objectives" not in nights.night(source, AT + timedelta(hours=1))

    log(store, "r1", "loss", [(1, -6, 2.0), (2, -5, 1.0)])
    store.update("r1", end_time=NOW, status="FINISHED")
    assert "objectives" in nights.night(source, AT + timedelta(days=1))
    second = [("r1", "loss", 1, -6, "2.0"), ("r1", "loss", 2, -5, "1.0")]
    assert points(nights) == first + second
    assert "objectives" not in nights.night(source, AT + timedelta(days=1, hours=1))

    log(store, "r1", "val_acc", [(2, 5, 0.75)])  # the run is over: its history is told whole
    nights.night(source, AT + timedelta(days=2))
    again = [("r1", "val_acc", 1, -8, "0.5"), ("r1", "val_acc", 2, 5, "0.75")]
    assert points(nights) == first + second + again

    rows = nights.rows("mlflow__run_objectives", "metric, step, value")
    assert [(row["metric"], row["step"], row["value"]) for row in rows] == [
        ("loss", 0, 3.0),
        ("loss", 1, 2.0),
        ("loss", 1, None),
        ("loss", 1, None),
        ("loss", 2, 1.0),
        ("val_acc", 1, 0.5),
        ("val_acc", 2, 0.75),
    ]


def test_a_night_that_broke_off_before_the_histories_tells_them_later(
    store: Store, tmp_path: Path
) -> None:
    nights, source = Nights(tmp_path), Mlflow(str(store.path), objectives=("loss",))
    log(store, "r1", "loss", [(0, -9, 3.0)])
    store.update("r1", end_time=NOW, status="FINISHED")
    nights.night(source, AT, killed_before="objectives")
    assert points(nights) == []
    nights.night(source, AT + timedelta(days=1))
    assert points(nights) == [("r1", "loss", 0, -9, "3.0")]


def test_pages_of_points_lose_none(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many at one step and time, of several runs and metrics."""
    monkeypatch.setattr(mlflow_histories, "_ROWS", 3)
    monkeypatch.setattr(mlflow_histories, "_PAIRS", 2)
    wanted = []
    for run in ("r2", "r3", "r4"):
        store.run(run, NOW - HOUR, NOW)
        for metric in ("a_loss", "b_loss"):
            log(store, run, metric, [(0, 0, float(number)) for number in range(7)])
            wanted += [(run, metric, 0, 0, f"{number:.1f}") for number in range(7)]
    nights = Nights(tmp_path)
    nights.night(Mlflow(str(store.path), objectives=("?_loss",)), AT)
    assert sorted(points(nights)) == wanted


def test_names_are_taken_as_written() -> None:
    named = Named.of(["", "val/*", "a%_[x]"], "here")
    assert named is not None
    assert [named.has(one) for one in ("val/loss", "val", "a%_[x]", "a%_x", "Val/loss")] == [
        *(True, False, True, False, False)
    ]
    assert named.likes() == ["val/%", "a!%!_[x]"]
    assert Named.of(("",), "here") is None
    with pytest.raises(SourceError, match="names every metric there is"):
        Named.of(("*",), "here")


@pytest.mark.servers
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_server_and_its_database_tell_the_same_histories(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    """9,000 points with steps, 3,000 without: more than a request, or a window, may ask for."""
    mlflow: MlflowServer = request.getfixturevalue(f"mlflow_on_{kind}")
    login = {}
    if kind == "postgres":
        postgres: PostgresServer = request.getfixturevalue("postgres_server")
        monkeypatch.setenv("OWNER", postgres.user)
        monkeypatch.setenv("OWNER_PASSWORD", postgres.password)
        login = {"username_env": "OWNER", "password_env": "OWNER_PASSWORD"}
    monkeypatch.setattr(mlflow_histories, "_ROWS", 2000)
    wanted = ("*_loss", "val/loss")
    sources = {
        "server": Mlflow(mlflow.uri, objectives=wanted),
        "database": Mlflow(mlflow.store, objectives=wanted, **login),  # type: ignore[arg-type]
    }
    nights = {way: Nights(tmp_path / way) for way in sources}
    begun = NOW - HOUR
    run = mlflow.work("learn", begun=begun)["run"]
    told: dict[str, list[list[Seen]]] = {way: [] for way in sources}
    for night in range(3):
        for way, source in sources.items():
            nights[way].folder.mkdir(exist_ok=True)
            before = len(points(nights[way]))
            with counting() as tally:
                nights[way].night(source, AT + timedelta(days=night))
            told[way].append(sorted(points(nights[way])[before:]))
            if night == 2 and way == "server":
                assert tally.requests <= 12  # nothing is asked of metrics that have not changed
        if night == 0:
            mlflow.work("learn", begun=begun, run=run)
    assert told["server"] == told["database"]
    first, second, third = told["server"]
    assert len(first) == 6000 + 3000 + 4 + 1
    assert len(second) == 3000 + 1 + 1
    assert third == []
    odd = [value for _, metric, _, _, value in first if metric == "odd_loss"]
    assert odd == ["nan", "inf", "-inf", "0.25"]
    assert [value for of, *_, value in first if of != run] == [repr(0.1 + 0.2)]
    assert len(set(first + second)) == 12_007
