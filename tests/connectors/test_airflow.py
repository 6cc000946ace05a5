"""The Airflow connector on a real Airflow, and on a server that answers badly."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from connectors.airflow import Airflow
from connectors.airflow_rest import key_of
from connectors.base import SourceError
from tests.connectors.run_nights import Nights

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.airflow_server import AirflowServer

pytest_plugins = ["tests.servers.airflow_server"]

AT = datetime(2026, 10, 3, 2, tzinfo=UTC)
RUN = {
    "dag_id": "etl",
    "dag_run_id": "r1",
    "state": "running",
    "start_date": "2026-10-03T01:00:00+01:00",
}


@dataclass
class Line:
    """A canned Airflow with one run; what goes wrong with the next requests is in `faults`."""

    runs: list[dict[str, Any]] = field(default_factory=lambda: [dict(RUN)])
    faults: list[int] = field(default_factory=list)
    has_cursors: bool = True
    tokens: int = 0
    seen: list[str] = field(default_factory=list)
    uri: str = ""

    def answer(self, path: str, token: str) -> tuple[int, object]:  # noqa: PLR0911  (routes)
        """Return a status and an answer."""
        self.seen.append(path)
        if path.startswith("/auth/token"):
            self.tokens += 1
            return 201, {"access_token": f"t{self.tokens}"}
        if self.faults:
            return self.faults.pop(0), {}
        if token != f"Bearer t{self.tokens}":
            return 401, {}
        if path.startswith("/api/v2/dags?"):
            return 200, {"dags": [], "total_entries": 0}
        if "taskInstances" in path:
            return 200, {"task_instances": [], "total_entries": 0, "next_cursor": None}
        if path.startswith("/api/v2/dags/~/dagRuns"):
            offset = int(path.partition("offset=")[2].partition("&")[0] or 0)
            page: dict[str, object] = {"total_entries": len(self.runs)}
            if self.has_cursors:
                return 200, page | {"dag_runs": self.runs, "next_cursor": None}
            return 200, page | {"dag_runs": self.runs[offset : offset + 1]}
        return 404, {"detail": "The DagRun was not found"}


@pytest.fixture
def line() -> Iterator[Line]:
    served = Line()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, told = served.answer(self.path, self.headers.get("authorization", ""))
            content = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("retry-after", "0")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.uri = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("fault", [401, 429, 503])
def test_what_passes_is_asked_again(line: Line, tmp_path: Path, fault: int) -> None:
    line.faults = [fault]
    assert Nights("airflow", tmp_path).night(Airflow(line.uri), AT) == {"dag_runs": {"etl/r1"}}
    assert line.tokens == (2 if fault == 401 else 1)


def test_a_token_that_was_given_and_expired_is_told_and_not_shown(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN_FOR_TEST", "hunter2")
    connector = Airflow(line.uri, token_env="TOKEN_FOR_TEST")  # noqa: S106
    with pytest.raises(SourceError, match="Airflow answers 401") as raised:
        Nights("airflow", tmp_path).night(connector, AT)
    said = "\n".join(raised.value.__notes__)
    assert "token_env" in said
    assert "hunter2" not in said + repr(connector)
    assert line.tokens == 0


def test_a_time_that_is_none_is_told(line: Line, tmp_path: Path) -> None:
    line.runs[0]["start_date"] = "yesterday"
    with pytest.raises(SourceError, match="'yesterday' is not a time with an offset"):
        Nights("airflow", tmp_path).night(Airflow(line.uri), AT)


def test_credentials_in_the_address_are_told_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as raised:
        Nights("airflow", tmp_path).night(Airflow("https://ann:hunter2@airflow.example"), AT)
    assert "hunter2" not in str(raised.value) + "".join(raised.value.__notes__)


def test_a_server_without_cursors_is_read_whole(line: Line, tmp_path: Path) -> None:
    line.has_cursors = False
    line.runs = [RUN | {"dag_run_id": f"r{number}"} for number in range(3)]
    told = Nights("airflow", tmp_path).night(Airflow(line.uri), AT)
    assert told == {"dag_runs": {"etl/r0", "etl/r1", "etl/r2"}}


def test_a_run_goes_on_until_it_is_over_or_gone(line: Line, tmp_path: Path) -> None:
    nights = Nights("airflow", tmp_path)
    nights.night(Airflow(line.uri), AT)
    (run,) = nights.rows("airflow__dag_runs")
    assert run["status"] == "running"
    assert run["started_at"] == datetime(2026, 10, 3)  # noqa: DTZ001
    assert run["last_seen_at"] == AT.replace(tzinfo=None)
    assert nights.night(Airflow(line.uri), AT + timedelta(hours=1)) == {}
    assert nights.night(Airflow(line.uri), AT + timedelta(days=1)) == {"dag_runs": {"etl/r1"}}
    line.runs = []
    assert nights.night(Airflow(line.uri), AT + timedelta(days=2)) == {"dag_runs": {"etl/r1"}}
    assert nights.night(Airflow(line.uri), AT + timedelta(days=3)) == {}
    (run,) = nights.rows("airflow__dag_runs")
    assert run["status"] == "lost"
    assert run["ended_at"] == (AT + timedelta(days=1)).replace(tzinfo=None)


@pytest.mark.servers
def test_every_try_is_read_from_a_real_server_and_later_changes_too(
    airflow_server: AirflowServer, tmp_path: Path
) -> None:
    airflow_server.trigger("train", "r:1+a")
    airflow_server.trigger("wait", "w1")
    airflow_server.trigger("wait", "w2")
    airflow_server.wait("train", "r:1+a", "failed")
    airflow_server.wait("wait", "w1", "running")
    airflow_server.wait("wait", "w2", "running")
    nights, now = Nights("airflow", tmp_path), datetime.now(UTC) + timedelta(seconds=5)
    connector = Airflow(airflow_server.uri, page_size=2)
    assert set(nights.night(connector, now)) == {"dags", "dag_runs", "task_tries"}
    found = {(row["native_id"], row["attempt"]): row for row in nights.rows("airflow__runs")}
    assert {key: row["status"] for key, row in found.items()} == {
        ("train/r:1+a/flaky", 1): "failed",
        ("train/r:1+a/flaky", 2): "succeeded",
        ("train/r:1+a/spread/0", 1): "succeeded",
        ("train/r:1+a/spread/1", 1): "succeeded",
        ("train/r:1+a/broken", 1): "failed",
        ("wait/w1/hold", 1): "running",
        ("wait/w2/hold", 1): "running",
    }
    first, second = found["train/r:1+a/flaky", 1], found["train/r:1+a/flaky", 2]
    assert first["ended_at"] <= second["started_at"]
    assert (first["user_raw"], first["team_raw"], first["project_raw"]) == (
        "ann",
        "vision",
        "search",
    )
    assert first["parent_native_id"] == "train/r:1+a"
    places = nights.rows("airflow__run_places")
    assert len(places) == 7
    assert all(place["node"] for place in places)
    assert [p["gpu_count"] for p in places if p["namespace"] == "ml"] == [2, 2]
    assert "canary-3f9c" not in nights.raw_text()
    assert nights.night(connector, now + timedelta(seconds=1)) == {}

    (airflow_server.dags / "w1.end").touch()
    airflow_server.wait("wait", "w1", "success")
    told = nights.night(connector, now + timedelta(seconds=60))
    assert told == {"dag_runs": {"wait/w1"}, "task_tries": {"wait/w1/hold"}}
    later = {row["native_id"]: row for row in nights.rows("airflow__runs", "airflow__dag_runs")}
    assert [later[f"wait/{one}"]["status"] for one in ("w1", "w1/hold")] == ["succeeded"] * 2
    assert [later[f"wait/{one}"]["status"] for one in ("w2", "w2/hold")] == ["running"] * 2

    # Airflow deletes no run that goes on: it is ended first, between two nights
    airflow_server.ask("PATCH", "dags/wait/dagRuns/w2", {"state": "failed"})
    airflow_server.ask("DELETE", "dags/wait/dagRuns/w2")
    told = nights.night(connector, now + timedelta(seconds=90))
    assert told == {"dag_runs": {"wait/w2"}, "task_tries": {"wait/w2/hold"}}
    later = {row["native_id"]: row for row in nights.rows("airflow__runs", "airflow__dag_runs")}
    assert [later[f"wait/{one}"]["status"] for one in ("w2", "w2/hold")] == ["lost"] * 2


@pytest.mark.servers
def test_assets_say_what_tasks_wrote_and_read(
    airflow_server: AirflowServer, tmp_path: Path
) -> None:
    """The event is the second try's; a task with an inlet read it, and the run that it began."""
    airflow_server.add("airflow_asset_dags.py", 4)
    airflow_server.trigger("prepare", "p1")
    airflow_server.wait("prepare", "p1", "success")
    deadline = time.monotonic() + 120
    begun: list[str] = []
    while not begun and time.monotonic() < deadline:
        found = airflow_server.ask("GET", "dags/fit/dagRuns")["dag_runs"]
        begun = [one["dag_run_id"] for one in found if one["state"] == "success"]
        time.sleep(0.5)
    (run_id,) = begun
    nights, now = Nights("airflow", tmp_path), datetime.now(UTC) + timedelta(seconds=5)
    connector = Airflow(airflow_server.uri)
    assert "asset_events" in nights.night(connector, now)
    assert nights.night(connector, now + timedelta(seconds=1)) == {}
    rows = nights.rows("airflow__runs", "airflow__dag_runs")
    names = {row["run_key"]: (row["native_id"], row["attempt"]) for row in rows}
    wrote = [
        (names[row["run_key"]], row["dataset_uri"]) for row in nights.rows("airflow__run_outputs")
    ]
    assert wrote == [(("prepare/p1/write", 2), "s3://acme-data/images")]
    read = {
        (*names[row["run_key"]], row["dataset_uri"], row["dataset_name"])
        for row in nights.rows("airflow__run_inputs")
    }
    run_key = key_of("fit", run_id)
    assert read == {
        (run_key, 1, "s3://acme-data/images", "images"),
        (f"{run_key}/read", 1, "s3://acme-data/images", "images"),
    }
