"""The Prefect connector on a real Prefect, and on a server that answers badly."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from connectors.base import SourceError
from connectors.prefect import Prefect
from tests.connectors.run_nights import Nights

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.prefect_server import PrefectServer

pytest_plugins = ["tests.servers.prefect_server"]

AT = datetime(2026, 10, 3, 2, tzinfo=UTC)
RUN: dict[str, Any] = {
    "id": "r1",
    "flow_id": "f1",
    "name": "acrid-cow",
    "state_type": "RUNNING",
    "state_name": "Running",
    "run_count": 1,
    "start_time": "2026-10-03T01:00:00+01:00",
    "end_time": None,
    "tags": ["team:vision", "plain"],
    "infrastructure_pid": "gpu-box-7:4711",
    "created_by": {"type": "USER", "display_value": "ann@acme.example"},
    "parameters": {"api_key": "canary-3f9c"},
}


@dataclass
class Line:
    """A canned Prefect; what goes wrong with the next requests is in `faults`."""

    runs: list[dict[str, Any]] = field(default_factory=lambda: [dict(RUN)])
    faults: list[int] = field(default_factory=list)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    uri: str = ""

    def answer(self, path: str, body: Any) -> tuple[int, object]:
        """Return a status and an answer."""
        self.asked.append((path, body))
        if self.faults:
            return self.faults.pop(0), {"detail": "no"}
        if path == "/api/flow_runs/filter":
            return 200, self.runs[body["offset"] : body["offset"] + body["limit"]]
        if path == "/api/task_runs/filter":
            return 200, []
        if path.startswith("/api/flows/"):
            return 200, {"name": "train"}
        found = [run for run in self.runs if path == f"/api/flow_runs/{run['id']}"]
        return (200, found[0]) if found else (404, {"detail": "Flow run not found"})


@pytest.fixture
def line() -> Iterator[Line]:
    served = Line()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            text = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, told = served.answer(self.path, json.loads(text) if text else None)
            content = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("retry-after", "0")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _serve  # noqa: N815  (the library's names)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.uri = f"http://127.0.0.1:{server.server_port}/api"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("fault", [429, 503])
def test_what_passes_is_asked_again(line: Line, tmp_path: Path, fault: int) -> None:
    line.faults = [fault]
    assert Nights("prefect", tmp_path).night(Prefect(line.uri), AT) == {"flow_runs": {"r1"}}


def test_a_key_that_is_refused_is_told_and_not_shown(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_FOR_TEST", "hunter2")
    line.faults = [401]
    connector = Prefect(line.uri, token_env="KEY_FOR_TEST")  # noqa: S106
    with pytest.raises(SourceError, match="Prefect answers 401") as raised:
        Nights("prefect", tmp_path).night(connector, AT)
    said = "\n".join(raised.value.__notes__)
    assert "token_env" in said
    assert "hunter2" not in said + repr(connector)


@pytest.mark.parametrize("root", ["prefect.example", "https://ann:hunter2@prefect.example/api"])
def test_an_address_that_will_not_do_is_told(tmp_path: Path, root: str) -> None:
    with pytest.raises(SourceError, match="not an address") as raised:
        Nights("prefect", tmp_path).night(Prefect(root), AT)
    assert "hunter2" not in "".join(raised.value.__notes__)


def test_an_answer_that_is_no_list_is_told(line: Line, tmp_path: Path) -> None:
    line.faults = [200]
    with pytest.raises(SourceError, match="Prefect answers 200"):
        Nights("prefect", tmp_path).night(Prefect(line.uri), AT)


def test_a_run_is_told_whole_and_pages_are_all_read(line: Line, tmp_path: Path) -> None:
    line.runs = [RUN | {"id": f"r{number}"} for number in range(5)]
    nights = Nights("prefect", tmp_path)
    told = nights.night(Prefect(line.uri, page_size=2), AT)
    assert told == {"flow_runs": {f"r{number}" for number in range(5)}}
    run = nights.rows("prefect__runs")[0]
    assert (run["run_name"], run["experiment"], run["kind"]) == ("acrid-cow", "train", "pipeline")
    assert (run["user_raw"], run["team_raw"]) == ("ann@acme.example", "vision")
    assert nights.rows("prefect__run_places")[0]["node"] == "gpu-box-7"
    assert "canary-3f9c" not in nights.raw_text()
    assert sum(path.startswith("/api/flows/") for path, _ in line.asked) == 1


def test_a_run_goes_on_until_it_is_over_or_gone(line: Line, tmp_path: Path) -> None:
    nights = Nights("prefect", tmp_path)
    nights.night(Prefect(line.uri), AT)
    assert nights.rows("prefect__runs")[0]["status"] == "running"
    assert nights.night(Prefect(line.uri), AT + timedelta(hours=1)) == {}
    line.runs = []
    assert nights.night(Prefect(line.uri), AT + timedelta(days=1)) == {"flow_runs": {"r1"}}
    (run,) = nights.rows("prefect__runs")
    assert (run["status"], run["ended_at"]) == ("lost", AT.replace(tzinfo=None))


@pytest.mark.servers
def test_tries_subflows_and_later_changes_are_read_from_a_real_server(
    prefect_server: PrefectServer, tmp_path: Path
) -> None:
    end = tmp_path / "end"
    waiting = prefect_server.start("wait", str(end))
    assert prefect_server.start("train").wait(60) == 0
    prefect_server.wait("train", "FAILED")
    prefect_server.wait("wait", "RUNNING")
    nights, now = Nights("prefect", tmp_path), datetime.now(UTC) + timedelta(seconds=5)
    connector = Prefect(prefect_server.uri, page_size=2)
    assert set(nights.night(connector, now)) == {"flow_runs", "task_runs"}

    rows = nights.rows("prefect__runs")
    found = {(row["run_name"].split("-")[0], row["attempt"]): row for row in rows}
    flows = {row["experiment"]: row for row in rows if row["kind"] == "pipeline"}
    assert {name: row["status"] for name, row in flows.items()} == {
        "train": "failed",
        "child": "succeeded",
        "wait": "running",
    }
    assert [found["flaky", number]["status"] for number in (1, 2)] == ["failed", "succeeded"]
    assert found["flaky", 1]["ended_at"] <= found["flaky", 2]["started_at"]
    assert found["broken", 1]["status"] == "failed"
    stand_in = found["child", 1]
    assert flows["child"]["parent_native_id"] == stand_in["native_id"]
    assert stand_in["parent_native_id"] == flows["train"]["native_id"]
    assert (flows["train"]["team_raw"], flows["train"]["project_raw"]) == ("vision", "search")
    tagged = {row["tags"].get("mlflow_run_id") for row in nights.rows("prefect__run_tags")}
    assert "8f3c" in tagged
    assert "canary-3f9c" not in nights.raw_text()
    assert nights.night(connector, now + timedelta(seconds=1)) == {}

    end.touch()
    waiting.wait(60)
    waited = prefect_server.wait("wait", "COMPLETED")
    told = nights.night(connector, now + timedelta(seconds=60))
    assert told == {"flow_runs": {waited}}
    later = {row["native_id"]: row for row in nights.rows("prefect__runs")}
    assert later[waited]["status"] == "succeeded"
