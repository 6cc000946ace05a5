"""The Kubeflow connector on a server that answers as its API's description says."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from connectors.base import SourceError
from connectors.kubeflow import Kubeflow
from tests.connectors.run_nights import Nights
from tests.servers.platforms import CANARY, Platform, page, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT = datetime(2026, 10, 3, 2, tzinfo=UTC)
NEVER = "1970-01-01T00:00:00Z"
API = "/apis/v2beta1"


def at(hour: int, minute: int = 0) -> str:
    return f"2026-10-03T{hour:02}:{minute:02}:00Z"


def node(name: str, **more: Any) -> dict[str, Any]:
    times = {"create_time": at(0, 1), "start_time": at(0, 1), "end_time": at(0, 30)}
    return {"run_id": "r1", "task_id": f"t-{name}", "display_name": name, **times} | {
        "state": "SUCCEEDED",
        **more,
    }


def run_of(run_id: str = "r1", **more: Any) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "experiment_id": "e1",
        "display_name": "train-resnet",
        "service_account": "ann-trainer",
        "created_at": at(0),
        "scheduled_at": at(0),
        "finished_at": at(1),
        "state": "SUCCEEDED",
        "state_history": [
            {"update_time": at(0), "state": "PENDING"},
            {"update_time": at(0, 1), "state": "RUNNING"},
            {"update_time": at(1), "state": "SUCCEEDED"},
        ],
        "runtime_config": {"parameters": {"key": CANARY}},
        "error": {"code": 0, "message": CANARY},
        "plugins_output": {"mlflow": {"entries": {"root_run_id": {"value": "8f3c"}}}},
        "run_details": {
            "task_details": [
                node("root"),
                node("root-driver"),
                node("train-driver"),
                node("train", state="FAILED"),
                node("executor"),
                node("test-driver"),
            ]
        },
        **more,
    }


def kfp(runs: list[dict[str, Any]]) -> Platform:
    """Return a server with runs, which it filters by one time and pages."""

    def route(path: str, query: dict[str, str]) -> tuple[int, Any] | None:
        if path == f"{API}/experiments/e1":
            return 200, {"experiment_id": "e1", "display_name": "vision", "namespace": "ann"}
        if path != f"{API}/runs":
            found = [run for run in runs if path == f"{API}/runs/{run['run_id']}"]
            return (200, found[0]) if found else None
        wanted = runs
        for predicate in json.loads(query.get("filter", "{}")).get("predicates", ()):
            assert predicate["operation"] == "GREATER_THAN_EQUALS"
            key, since = predicate["key"], predicate["timestamp_value"]
            wanted = [run for run in wanted if run[key] >= since]
        told, more = page(wanted, query.get("page_token"), min(int(query["page_size"]), 200))
        return 200, ({"runs": told} if told else {}) | ({"next_page_token": more} if more else {})

    return Platform(route)


@contextmanager
def nights_of(
    tmp_path: Path, *runs: dict[str, Any]
) -> Iterator[tuple[Platform, list[dict[str, Any]], Nights]]:
    there = list(runs)
    with serving(kfp(there)) as server:
        yield server, there, Nights("kubeflow", tmp_path)


def test_a_run_is_told_with_its_nodes_and_without_its_secrets(tmp_path: Path) -> None:
    with nights_of(tmp_path, run_of()) as (server, _, nights):
        source = Kubeflow(server.address, namespace_is_team=True)
        assert nights.night(source, AT) == {"runs": {"r1"}}
    found = {row["native_id"]: row for row in nights.rows("kubeflow__runs")}
    assert set(found) == {"r1", "r1/t-train", "r1/t-test-driver"}
    run, train = found["r1"], found["r1/t-train"]
    assert (run["run_name"], run["experiment"], run["user_raw"]) == (
        "train-resnet",
        "vision",
        "ann-trainer",
    )
    assert (run["kind"], run["status"], run["team_raw"]) == ("pipeline", "succeeded", "ann")
    assert run["started_at"] == datetime.fromisoformat("2026-10-03T00:01")
    assert run["ended_at"] == datetime.fromisoformat("2026-10-03T01:00")
    assert (train["kind"], train["status"], train["parent_native_id"]) == ("job", "failed", "r1")
    (mention,) = nights.rows("kubeflow__run_mentions")
    assert (mention["system"], mention["native_id"], mention["relation"]) == (
        "mlflow",
        "8f3c",
        "same",
    )
    assert nights.rows("kubeflow__run_places") == []
    assert CANARY not in nights.raw_text()


def test_a_pod_that_a_later_server_names_is_the_nodes_place(tmp_path: Path) -> None:
    named = run_of(run_details={"task_details": [node("train", pod_name="train-x-1")]})
    with nights_of(tmp_path, named) as (server, _, nights):
        nights.night(Kubeflow(server.address), AT)
    (place,) = nights.rows("kubeflow__run_places")
    assert (place["namespace"], place["pod"]) == ("ann", "train-x-1")


def test_pages_are_all_read_and_an_experiment_is_asked_once(tmp_path: Path) -> None:
    runs = [run_of(f"r{number}") for number in range(5)]
    with nights_of(tmp_path, *runs) as (server, _, nights):
        told = nights.night(Kubeflow(server.address, page_size=2), AT)
        asked = [path for path, _ in server.asked]
    assert told == {"runs": {f"r{number}" for number in range(5)}}
    assert asked.count(f"{API}/runs") == 3
    assert asked.count(f"{API}/experiments/e1") == 1


def test_a_run_is_read_again_until_it_is_over_and_then_no_more(tmp_path: Path) -> None:
    old: dict[str, Any] = {
        "created_at": "2026-08-01T00:00:00Z",
        "state_history": [],
        "run_details": {},
    }
    goes_on = run_of(state="RUNNING", finished_at=NEVER, **old)
    with nights_of(tmp_path, goes_on) as (server, there, nights):
        source = Kubeflow(server.address)
        nights.night(source, AT)
        (run,) = nights.rows("kubeflow__runs")
        assert (run["status"], run["ended_at"]) == ("running", None)
        assert nights.night(source, AT + timedelta(hours=1)) == {}
        there[0] = run_of(**old)
        assert nights.night(source, AT + timedelta(days=1)) == {"runs": {"r1"}}
        (run,) = nights.rows("kubeflow__runs")
        assert (run["status"], run["ended_at"]) == (
            "succeeded",
            datetime.fromisoformat("2026-10-03T01:00"),
        )
        assert nights.night(source, AT + timedelta(days=2)) == {}
        # a retry begins the same run again, however old it is
        there[0] = run_of(**old | {"state": "FAILED", "finished_at": "2026-10-04T01:00:00Z"})
        assert nights.night(source, AT + timedelta(days=3)) == {"runs": {"r1"}}


def test_a_run_that_is_deleted_while_it_goes_on_is_lost(tmp_path: Path) -> None:
    goes_on = run_of(state="RUNNING", finished_at=NEVER, run_details={})
    with nights_of(tmp_path, goes_on) as (server, there, nights):
        nights.night(Kubeflow(server.address), AT)
        there.clear()
        nights.night(Kubeflow(server.address), AT + timedelta(days=1))
        assert nights.night(Kubeflow(server.address), AT + timedelta(days=2)) == {}
    (run,) = nights.rows("kubeflow__runs")
    assert (run["status"], run["ended_at"]) == ("lost", AT.replace(tzinfo=None))


def test_a_run_that_the_server_cannot_read_is_kept_without_times(tmp_path: Path) -> None:
    broken = {"run_id": "r9", "experiment_id": "e1", "error": {"message": CANARY}}
    with nights_of(tmp_path, broken) as (server, _, nights):
        assert nights.night(Kubeflow(server.address), AT) == {"runs": {"r9"}}
    (run,) = nights.rows("kubeflow__runs")
    assert (run["started_at"], run["status"]) == (None, "queued")
    assert CANARY not in nights.raw_text()


@pytest.mark.parametrize("fault", [429, 503, "half"])
def test_what_passes_is_asked_again(tmp_path: Path, fault: int | str) -> None:
    with nights_of(tmp_path, run_of()) as (server, _, nights):
        server.faults = [fault]
        assert nights.night(Kubeflow(server.address), AT) == {"runs": {"r1"}}


def test_credentials_come_from_a_file_or_the_environment_and_are_shown_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("KFP_COOKIE", f"authservice_session={CANARY}")
    kept = tmp_path / "bearer"
    kept.write_text(f"{CANARY}\n", encoding="utf-8")
    with nights_of(tmp_path, run_of()) as (server, _, nights):
        server.credentials = {"authorization": f"Bearer {CANARY}"}
        nights.night(Kubeflow(server.address, bearer_env=f"file:{kept}"), AT)
        server.credentials = {"cookie": f"authservice_session={CANARY}"}
        nights.night(Kubeflow(server.address, cookie_env="KFP_COOKIE"), AT)
        server.credentials = {"authorization": "Bearer another"}
        source = Kubeflow(server.address, bearer_env=f"file:{kept}")
        with pytest.raises(SourceError, match="Pipelines answers 401") as raised:
            nights.night(source, AT)
    said = "\n".join([str(raised.value), *raised.value.__notes__])
    assert "bearer_file" in said
    text = said + repr(source) + caplog.text + nights.raw_text() + str(nights.cursors)
    assert CANARY not in text


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"root": "ml-pipeline:8888"}, "root is not an address"),
        ({"root": "http://ann:hunter2@kfp"}, "root is not an address"),
        ({"root": "http://kfp", "bearer_env": "NO_SUCH_1"}, "NO_SUCH_1 is not set"),
        ({"root": "http://kfp", "bearer_env": "file:/no/such"}, "cannot be read"),
        ({"root": "http://kfp", "overlap_days": 0}, "1 or more"),
    ],
)
def test_settings_that_cannot_be_are_told(
    tmp_path: Path, settings: dict[str, Any], what: str
) -> None:
    with pytest.raises(SourceError, match=what) as error:
        Nights("kubeflow", tmp_path).night(Kubeflow(**settings), AT)
    assert "hunter2" not in "".join(error.value.__notes__)


def test_an_answer_that_is_no_list_of_runs_is_told(tmp_path: Path) -> None:
    nights = Nights("kubeflow", tmp_path)
    with serving(Platform(lambda *_: (200, {"runs": "none"}))) as server:
        with pytest.raises(SourceError, match="answers 200"):
            nights.night(Kubeflow(server.address), AT)
        server.route = lambda *_: (404, {})
        with pytest.raises(SourceError, match="answers 404"):
            nights.night(Kubeflow(server.address), AT)
