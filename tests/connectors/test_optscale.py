"""The OptScale connector on a tracker that answers as its published source does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from connectors.base import SourceError
from connectors.optscale import Optscale
from tests.connectors.run_nights import Nights
from tests.servers.platforms import CANARY, Platform, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT = datetime(2026, 10, 3, 2, tzinfo=UTC)
START = int(datetime(2026, 10, 3, tzinfo=UTC).timestamp())
TASKS = [{"_id": "t1", "key": "resnet", "name": "ResNet", "owner_id": "5f-ann", "token": CANARY}]
DATASETS = [{"_id": "d1", "path": f"s3a://acme/images/?sig={CANARY}", "name": "images"}]
RUN: dict[str, Any] = {
    "_id": "r1",
    "name": "focused-cray",
    "number": 7,
    "task_id": "t1",
    "start": START,
    "finish": START + 3600,
    "state": 2,
    "command": f"train --key {CANARY}",
    "hyperparameters": {"key": CANARY},
    "data": {"loss": 0.1},
    "git": {"remote": "r", "branch": "b", "commit_id": "abc123", "status": "dirty"},
    "executors": ["i-0123456789abcdef0", "i-0123456789abcdef1"],
    "dataset_id": "d1",
    "tags": {"team": "vision", "mlflow_run_id": "8f3c"},
    "deleted_at": 0,
}


@pytest.fixture
def runs() -> list[dict[str, Any]]:
    return [dict(RUN)]


@pytest.fixture
def server(runs: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    monkeypatch.setenv("OPTSCALE_FOR_TEST", CANARY)
    lists: dict[str, Any] = {"tasks": TASKS, "datasets": DATASETS, "runs": runs}
    there = {f"/arcee/v2/{name}": listed for name, listed in lists.items()}
    absent = 404, {"description": "Not Found", "status": 404, "message": "Not found"}
    tracker = Platform(
        lambda path, _: (200, there[path]) if path in there else None,
        {"x-api-key": CANARY},
        absent,
    )
    with serving(tracker) as served:
        yield served


def source(server: Platform) -> Optscale:
    return Optscale(server.address, bearer_env="OPTSCALE_FOR_TEST")


def test_a_run_is_told_with_its_machines_and_without_its_secrets(
    server: Platform, tmp_path: Path
) -> None:
    nights = Nights("optscale", tmp_path)
    assert nights.night(source(server), AT) == {"runs": {"r1"}}
    (run,) = nights.rows("optscale__runs")
    assert (run["run_name"], run["experiment"], run["status"]) == (
        "focused-cray #7",
        "ResNet",
        "succeeded",
    )
    assert (run["user_raw"], run["team_raw"]) == ("5f-ann", "vision")
    assert (run["code_sha"], run["code_is_dirty"]) == ("abc123", True)
    assert run["ended_at"] - run["started_at"] == timedelta(hours=1)
    machines = [place["instance_id"] for place in nights.rows("optscale__run_places")]
    assert machines == RUN["executors"]
    (read,) = nights.rows("optscale__run_inputs")
    assert (read["dataset_uri"], read["dataset_name"]) == ("s3://acme/images", "images")
    (told,) = nights.rows("optscale__run_tags")
    assert told["tags"]["mlflow_run_id"] == "8f3c"
    assert CANARY not in nights.raw_text() + str(nights.cursors)


def test_nights_deliver_what_differs(
    server: Platform, runs: list[dict[str, Any]], tmp_path: Path
) -> None:
    nights = Nights("optscale", tmp_path)
    runs.append({**RUN, "_id": "r2", "state": 1, "finish": None})
    runs.append({**RUN, "_id": "r3", "state": 1, "finish": None})
    nights.night(source(server), AT)
    assert nights.night(source(server), AT + timedelta(hours=1)) == {}
    runs[0]["tags"] = {"team": "search"}
    runs[1] |= {"state": 3, "finish": START + 7200}
    del runs[2]
    told = nights.night(source(server), AT + timedelta(days=300))
    assert told == {"runs": {"r1", "r2", "r3"}}
    status = {row["native_id"]: row["status"] for row in nights.rows("optscale__runs")}
    assert status == {"r1": "succeeded", "r2": "failed", "r3": "lost"}
    assert nights.night(source(server), AT + timedelta(days=301)) == {}


@pytest.mark.parametrize("fault", [429, 503, "half"])
def test_what_passes_is_asked_again(server: Platform, tmp_path: Path, fault: int | str) -> None:
    server.faults = [fault]
    assert Nights("optscale", tmp_path).night(source(server), AT) == {"runs": {"r1"}}


def test_a_token_that_is_refused_is_told_and_not_shown(
    server: Platform, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.credentials = {"x-api-key": "another"}
    with pytest.raises(SourceError, match="OptScale answers 401") as raised:
        Nights("optscale", tmp_path).night(source(server), AT)
    said = "\n".join([str(raised.value), *raised.value.__notes__])
    assert "bearer_env" in said
    assert CANARY not in said + repr(source(server)) + caplog.text


def test_what_is_no_run_and_what_is_no_list_is_told(
    server: Platform, runs: list[dict[str, Any]], tmp_path: Path
) -> None:
    nights = Nights("optscale", tmp_path)
    runs[0]["start"] = "yesterday"
    with pytest.raises(SourceError, match="is no run: r1"):
        nights.night(source(server), AT)
    server.route = lambda *_: (200, {"runs": []})
    with pytest.raises(SourceError, match="OptScale answers 200"):
        nights.night(source(server), AT)
