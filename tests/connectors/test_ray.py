"""Ray's answers and events without Ray: what they mean, and what is wrong with bad ones."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from connectors.base import SourceError
from connectors.ray import Ray
from connectors.ray_answers import held_by
from tests.connectors.scheduler_nights import Nights

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT = datetime(2026, 10, 5, 2, tzinfo=UTC)
BEGAN = datetime.fromisoformat("2026-10-05T01:00")
START = int(BEGAN.replace(tzinfo=UTC).timestamp()) * 1000
JOB: dict[str, Any] = {
    "submission_id": "j",
    "job_id": "02",
    "status": "SUCCEEDED",
    "driver_node_id": "head",
}
JOB |= {"start_time": START, "end_time": START + 1000}


def event(status: str, at: int = START // 1000, **said: Any) -> str:
    given = {"submission_job_id": "j", "status": status, "start_time": str(START), **said}
    return json.dumps({"timestamp": at, "event_data": given})


def saved(folder: Path, text: str, name: str = "event_EXPORT_SUBMISSION_JOB.log") -> Ray:
    path = folder / "events" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return Ray(root=str(folder / "events"))


def task(node: str, gpus: float, since: int, until: int | None, **more: Any) -> dict[str, Any]:
    times = {"start_time_ms": START + since, "end_time_ms": until and START + until}
    resources = {"CPU": 1.0, "GPU": gpus}
    return {
        "type": "NORMAL_TASK",
        "node_id": node,
        "required_resources": resources,
        **times,
        **more,
    }


@pytest.mark.parametrize(
    ("tasks", "actors", "held"),
    [
        ([], [], [["head", "0"]]),
        ([task("a", 2, 0, 500)], [], [["a", "1000"]]),
        (
            [task("a", 0.25, -500, 400), task("b", 1, 900, None)],
            [],
            [["a", "100"], ["b", "100"]],
        ),
        ([task("a", 1, 0, 500, type="ACTOR_TASK")], [], [["head", "0"]]),
        (
            [task("a", 1, 0, 500, required_resources={"GPU_group_ab": 1, "GPU_group_0_ab": 1})],
            [],
            [["a", "500"]],
        ),
        (
            [],
            [
                {
                    "startTime": START,
                    "endTime": 0,
                    "address": {"nodeId": "a"},
                    "requiredResources": {"GPU": 4},
                }
            ],
            [["a", "4000"]],
        ),
    ],
)
def test_gpus_are_counted_for_as_long_as_they_were_held_within_the_job(
    tasks: list[dict[str, Any]], actors: list[dict[str, Any]], held: list[list[str]]
) -> None:
    found = held_by(JOB, tasks, actors, AT)
    assert [(node, Decimal(amount)) for node, amount in found] == [
        (node, Decimal(amount)) for node, amount in held
    ]


def test_the_last_event_of_a_job_counts_and_what_is_being_written_is_left(tmp_path: Path) -> None:
    lines = [event("PENDING"), event("RUNNING"), event("SUCCEEDED", end_time=str(START + 1000))]
    source, nights = saved(tmp_path, "\n".join([*lines, '{"timesta'])), Nights(tmp_path, "ray")
    assert nights.night(source, AT) == 1
    assert nights.rows("runs", "status, started_at, ended_at") == [
        ("succeeded", BEGAN, BEGAN + timedelta(seconds=1))
    ]
    assert nights.night(source, AT) == 0


def test_a_job_of_a_cluster_that_is_gone_ended_when_it_was_last_seen(tmp_path: Path) -> None:
    seen = START // 1000 + 60
    source = saved(tmp_path, event("RUNNING", seen) + "\n")
    nights = Nights(tmp_path, "ray")
    nights.night(source, AT)
    assert nights.rows("runs", "status, ended_at") == [("lost", BEGAN + timedelta(minutes=1))]


def test_an_id_that_begins_anew_with_another_cluster_is_another_attempt(tmp_path: Path) -> None:
    saved(
        tmp_path,
        event("SUCCEEDED", end_time=str(START + 1)) + "\n",
        "a/event_EXPORT_SUBMISSION_JOB.log",
    )
    later = event("FAILED", start_time=str(START + 5), end_time=str(START + 6)) + "\n"
    source = saved(tmp_path, later, "b/event_EXPORT_SUBMISSION_JOB.log")
    nights = Nights(tmp_path, "ray")
    nights.night(source, AT)
    assert nights.rows("runs", "attempt, status") == [(1, "succeeded"), (2, "failed")]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{}\n", "a line is no event of a job"),
        ("no JSON\n" + event("FAILED"), "a line is no event of a job"),
        (event("UNHEARD_OF") + "\n", "is no job: UNHEARD_OF"),
        (event("FAILED", start_time="yesterday") + "\n", "is no job"),
    ],
)
def test_a_bad_file_is_named_and_stops_itself_alone(tmp_path: Path, text: str, what: str) -> None:
    saved(tmp_path, text, "a/event_EXPORT_SUBMISSION_JOB.log")
    source = saved(tmp_path, event("FAILED") + "\n", "b/event_EXPORT_SUBMISSION_JOB.log")
    deliveries = source.deliveries_at(Nights(tmp_path, "ray"), AT)
    assert next(deliveries).unit.startswith("b/")
    with pytest.raises(SourceError, match=what) as error:
        next(deliveries)
    assert "line 1" in error.value.__notes__[0]


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({}, "give one of them"),
        ({"url": "head:8265"}, "no address"),
        ({"url": "http://ann:secret@head"}, "url holds credentials"),
        ({"root": "/nowhere"}, "there are no exported events"),
        (
            {"url": "http://127.0.0.1:9", "token_env": "MLSPEND_NO_SUCH"},
            "MLSPEND_NO_SUCH is not set",
        ),
    ],
)
def test_settings_that_cannot_be_are_told(
    tmp_path: Path, settings: dict[str, Any], what: str
) -> None:
    with pytest.raises(SourceError, match=what) as error:
        Nights(tmp_path, "ray").night(Ray(**settings), AT)
    assert "secret" not in str(error.value.__notes__)


@contextmanager
def dashboard(answers: dict[str, Any], asked: list[str | None]) -> Iterator[str]:
    """Serve answers in the form of Ray's dashboard, by path; note the credentials that come."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers["authorization"])
            data = answers.get(self.path.partition("?")[0])
            told = {"result": data is not None, "msg": "no such thing", "data": data or {}}
            self.send_response(200 if data is not None else 404)
            self.end_headers()
            self.wfile.write(json.dumps(told).encode())

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def listing(*rows: dict[str, Any], total: int | None = None) -> dict[str, Any]:
    count = len(rows)
    counts = {"total": total or count, "num_after_truncation": count}
    return {"result": {"result": list(rows), **counts}}


HOSTS = {"summary": [{"hostname": "i-0123456789abcdef0", "raylet": {"nodeId": "n1"}}]}


def answers_with(*jobs: dict[str, Any], total: int | None = None) -> dict[str, Any]:
    return {
        "/api/v0/jobs": listing(*jobs, total=total),
        "/api/v0/tasks": listing(task("n1", 2, 0, 500)),
        "/logical/actors": {"actors": {}},
        "/nodes": HOSTS,
    }


def test_a_job_that_ran_when_its_cluster_vanished_ended_when_it_was_last_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLSPEND_TEST_TOKEN", "canary-3f9c")
    runs = {**JOB, "status": "RUNNING", "end_time": None, "submission_id": "k", "job_id": "03"}
    answers = answers_with(JOB, runs)
    asked: list[str | None] = []
    nights = Nights(tmp_path, "ray")
    with dashboard(answers, asked) as address:
        source = Ray(url=address, token_env="MLSPEND_TEST_TOKEN")  # noqa: S106 - a variable's name
        assert nights.night(source, AT) == 2
        places = nights.rows("run_places", "node, instance_id, gpu_count")
        host = "i-0123456789abcdef0"
        assert (host, host, Decimal(1)) in places  # two GPUs for half of its second
        answers["/api/v0/tasks"] = listing()  # Ray has forgotten them
        assert nights.night(source, AT + timedelta(hours=1)) == 1
        assert nights.rows("runs", "native_id, status") == [("j", "succeeded"), ("k", "running")]
        assert (host, host, Decimal(1)) in nights.rows("run_places", "node, instance_id, gpu_count")
        answers["/api/v0/jobs"] = listing()
        assert nights.night(source, AT + timedelta(hours=2)) == 1
        assert nights.night(source, AT + timedelta(hours=3)) == 0
    last_seen = (AT + timedelta(hours=1)).replace(tzinfo=None)
    columns = "native_id, status, ended_at"
    assert nights.rows("runs", columns)[1] == ("k", "lost", last_seen)
    assert set(asked) == {"Bearer canary-3f9c"}
    assert "canary-3f9c" not in nights.text()


def test_jobs_that_ray_does_not_tell_are_not_taken_as_gone(tmp_path: Path) -> None:
    runs = {**JOB, "status": "RUNNING", "end_time": None, "submission_id": "k"}
    answers = answers_with(JOB, runs)
    nights = Nights(tmp_path, "ray")
    with dashboard(answers, []) as address:
        nights.night(Ray(url=address), AT)
        answers["/api/v0/jobs"] = listing(JOB, total=10_001)
        with pytest.raises(SourceError, match="more jobs than the 10000"):
            nights.night(Ray(url=address), AT + timedelta(hours=1))
        answers["/api/v0/jobs"] = listing(JOB, runs)
        assert nights.night(Ray(url=address), AT + timedelta(hours=2)) == 1
    assert nights.rows("runs", "native_id, status") == [("j", "succeeded"), ("k", "running")]


def test_an_address_that_is_no_dashboard_is_told(tmp_path: Path) -> None:
    with dashboard({}, []) as address, pytest.raises(SourceError, match="Ray answers 404"):
        Nights(tmp_path, "ray").night(Ray(url=address), AT)
    strange = {"/api/v0/jobs": listing({"status": "RUNNING"})}
    with dashboard(strange, []) as address, pytest.raises(SourceError, match="is no job"):
        Nights(tmp_path, "ray").night(Ray(url=address), AT)
