"""The Dagster connector on a real Dagster, and on a server that answers badly."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from connectors.base import SourceError
from connectors.dagster import Dagster
from tests.connectors.run_nights import Nights

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.dagster_server import DagsterServer

pytest_plugins = ["tests.servers.dagster_server"]

AT = datetime(2026, 10, 3, 2, tzinfo=UTC)
BEGUN = datetime(2026, 10, 3, tzinfo=UTC).timestamp()
RUN: dict[str, Any] = {
    "runId": "r1",
    "jobName": "__ASSET_JOB",
    "status": "STARTED",
    "creationTime": BEGUN,
    "startTime": BEGUN + 0.5,
    "endTime": None,
    "updateTime": BEGUN,
    "tags": [{"key": "team", "value": "vision"}],
    "assetSelection": [{"path": ["lab", "images"]}],
    "stepStats": [{"stepKey": "s", "status": None, "attempts": [{"startTime": BEGUN + 1}]}],
    "assetMaterializations": [],
}
WENT_WRONG = {"__typename": "PythonError", "message": "the disk is full"}


@dataclass
class Line:
    """A canned Dagster; what goes wrong with the next requests is in `faults`."""

    runs: list[dict[str, Any]] = field(default_factory=lambda: [dict(RUN)])
    faults: list[tuple[int, object]] = field(default_factory=list)
    uri: str = ""

    def answer(self, asked: Any) -> tuple[int, object]:
        """Return a status and an answer."""
        if self.faults:
            return self.faults.pop(0)
        given = asked["variables"]
        if "id" in given:
            found = [run for run in self.runs if run["runId"] == given["id"]]
            told = (
                {"__typename": "Run", **found[0]} if found else {"__typename": "RunNotFoundError"}
            )
            return 200, {"data": {"runOrError": told}}
        ids = [run["runId"] for run in self.runs]
        first = ids.index(given["cursor"]) + 1 if given["cursor"] else 0
        page = self.runs[first : first + given["limit"]]
        return 200, {"data": {"runsOrError": {"__typename": "Runs", "results": page}}}


@pytest.fixture
def line() -> Iterator[Line]:
    served = Line()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["content-length"]))
            status, told = served.answer(json.loads(text))
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


@pytest.mark.parametrize("fault", [429, 503])
def test_what_passes_is_asked_again(line: Line, tmp_path: Path, fault: int) -> None:
    line.faults = [(fault, {})]
    assert Nights("dagster", tmp_path).night(Dagster(line.uri), AT) == {"runs": {"r1"}}


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ((401, {}), "Dagster answers 401"),
        ((400, {"errors": [{"message": "Cannot query field 'a'"}]}), "Cannot query field 'a'"),
        (
            (200, {"data": {"runsOrError": {"__typename": "PythonError", "message": "lost"}}}),
            "lost",
        ),
        ((200, {"data": None}), "Dagster answers 200"),
    ],
)
def test_what_is_refused_is_told_and_no_token_shown(
    line: Line,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: tuple[int, object],
    said: str,
) -> None:
    monkeypatch.setenv("TOKEN_FOR_TEST", "hunter2")
    line.faults = [fault]
    connector = Dagster(line.uri, token_env="TOKEN_FOR_TEST")  # noqa: S106
    with pytest.raises(SourceError, match=said) as raised:
        Nights("dagster", tmp_path).night(connector, AT)
    assert "hunter2" not in str(raised.value) + "".join(raised.value.__notes__) + repr(connector)


def test_every_page_is_read_and_assets_have_the_name_of_what_they_are(
    line: Line, tmp_path: Path
) -> None:
    line.runs = [RUN | {"runId": f"r{number}"} for number in range(5)]
    nights = Nights("dagster", tmp_path)
    told = nights.night(Dagster(line.uri, page_size=2), AT)
    assert told == {"runs": {f"r{number}" for number in range(5)}}
    rows = nights.rows("dagster__runs")
    assert {row["run_name"] for row in rows} == {"lab/images", "lab/images.s"}
    assert len(rows) == 10


def test_a_run_goes_on_until_it_is_over_or_gone(line: Line, tmp_path: Path) -> None:
    nights = Nights("dagster", tmp_path)
    nights.night(Dagster(line.uri), AT)
    assert {row["status"] for row in nights.rows("dagster__runs")} == {"running"}
    assert nights.night(Dagster(line.uri), AT + timedelta(hours=1)) == {}
    line.runs = []
    assert nights.night(Dagster(line.uri), AT + timedelta(days=1)) == {"runs": {"r1"}}
    for row in nights.rows("dagster__runs"):
        assert (row["status"], row["ended_at"]) == ("lost", AT.replace(tzinfo=None))


@pytest.mark.servers
def test_steps_attempts_and_later_changes_are_read_from_a_real_server(
    dagster_server: DagsterServer, tmp_path: Path
) -> None:
    started = [
        dagster_server.start("job", "execute", "-j", "train"),
        dagster_server.start("asset", "materialize", "--select", "images"),
    ]
    waiting = dagster_server.start("job", "execute", "-j", "wait")
    assert [each.wait(120) for each in started] == [1, 0]
    waited = dagster_server.wait("wait", "hold")
    nights, now = Nights("dagster", tmp_path), datetime.now(UTC) + timedelta(seconds=5)
    connector = Dagster(dagster_server.uri, page_size=2)
    nights.night(connector, now)

    found = {(row["run_name"], row["attempt"]): row for row in nights.rows("dagster__runs")}
    assert {key: row["status"] for key, row in found.items()} == {
        ("train", 1): "failed",
        ("train.flaky", 1): "failed",
        ("train.flaky", 2): "succeeded",
        ("train.broken", 1): "failed",
        ("images", 1): "succeeded",
        ("images.images", 1): "succeeded",
        ("wait", 1): "running",
        ("wait.hold", 1): "running",
    }
    first, second = found["train.flaky", 1], found["train.flaky", 2]
    assert first["ended_at"] <= second["started_at"]
    assert first["parent_native_id"] == found["train", 1]["native_id"]
    assert (first["user_raw"], first["team_raw"]) == ("ann", "vision")
    (output,) = nights.rows("dagster__run_outputs")
    assert output["dataset_uri"] == "s3://acme-data/images/v3"
    assert output["dataset_digest"] == "third"
    tagged = [row["tags"].get("mlflow_run_id") for row in nights.rows("dagster__run_tags")]
    assert tagged.count("8f3c") == 1
    assert nights.night(connector, now + timedelta(seconds=1)) == {}

    (dagster_server.folder / "end").touch()
    assert waiting.wait(90) == 0
    assert nights.night(connector, now + timedelta(seconds=60)) == {"runs": {waited}}
    later = {row["run_name"]: row["status"] for row in nights.rows("dagster__runs")}
    assert (later["wait"], later["wait.hold"]) == ("succeeded", "succeeded")
