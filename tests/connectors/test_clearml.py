"""The ClearML connector on a server that answers as ClearML's source says, and on a bad one.

The server gives only the fields that it is asked for; some of the others hold a secret.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from connectors.base import SourceError
from connectors.clearml import Clearml
from tests.connectors.fake_tracker import serving
from tests.connectors.run_nights import Nights

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.connectors.fake_tracker import Json, Reply, Tracker

AT = datetime(2026, 10, 3, 2, tzinfo=UTC)
SECRET, TOKEN, CANARY = "hunter2-of-clearml", "token-8f3c", "canary-3f9c"
DATASET = "5e4d"


@dataclass
class Server:
    """The tasks of a workspace, and the scrolls that are open."""

    tasks: list[Json]
    scrolls: dict[str, int] = field(default_factory=dict)

    def answer(self, path: str, asked: Json) -> Reply:
        """Answer as ClearML does: an envelope with a result and data."""
        if path == "/auth.login":
            return enveloped({"token": TOKEN})
        assert path == "/tasks.get_all_ex"
        assert asked["allow_public"] is False  # the examples that ClearML brings along
        found = sorted(
            filter(lambda one: fits(one, asked), self.tasks), key=lambda one: one["created"]
        )
        told: Json = {}
        if "scroll_id" in asked:
            scroll = asked["scroll_id"] or f"scroll-{len(self.scrolls)}"
            begin = self.scrolls.setdefault(scroll, 0)
            found = found[begin : begin + asked["size"]]
            self.scrolls[scroll] += len(found)
            told["scroll_id"] = scroll
        told["tasks"] = [shown(one, asked["only_fields"]) for one in found]
        return enveloped(told)


def enveloped(data: Json | None, code: int = 200, said: str = "OK") -> Reply:
    return code, {
        "meta": {"result_code": code, "result_msg": said, "error_stack": CANARY},
        "data": data,
    }


def fits(one: Json, asked: Json) -> bool:
    """Tell whether a task is asked for."""
    if "id" in asked:
        return bool(one["id"] in asked["id"])
    since = [
        datetime.fromisoformat(text.removeprefix(">=")) for text in asked.get("last_update", ())
    ]
    return all(datetime.fromisoformat(one["last_update"][:19]) >= time for time in since)


def shown(one: Json, names: list[str]) -> Json:
    """Return the fields of a task that are asked for, an object in the place of each id."""
    told: Json = {}
    for name in names:
        merge(told, picked(one, name.split(".")))
    return told


def picked(source: Any, parts: list[str]) -> Any:
    if isinstance(source, list) and parts:
        return [picked(each, parts) for each in source]
    if not isinstance(source, dict) or not parts:
        return source
    return {part: picked(source[part], parts[1:]) for part in parts[:1] if part in source} | {
        key: value for key, value in source.items() if key == "id"
    }


def merge(told: Json, more: Json) -> None:
    for key, value in more.items():
        if isinstance(value, dict):
            merge(told.setdefault(key, {}), value)
        else:
            told[key] = value


def task(name: str, hour: int, status: str = "completed", **more: Any) -> Json:
    """Return a task that started in an hour of 3 October and ended in the next."""
    given: Json = {
        "id": name,
        "name": f"train {name}",
        "type": "training",
        "status": status,
        "status_reason": "",
        "created": f"2026-10-03T{hour:02}:00:00.000000+00:00",
        "started": f"2026-10-03T{hour:02}:00:00.5+00:00",
        "completed": None if status == "in_progress" else f"2026-10-03T{hour + 1:02}:00:00+00:00",
        "last_update": f"2026-10-03T{hour + 1:02}:10:00+00:00",
        "last_worker_report": f"2026-10-03T{hour:02}:55:00",
        "user": {"id": "u1", "name": "Ann Able"},
        "project": {"id": "p1", "name": "vision/search"},
        "parent": {"id": "copied-from"},
        "tags": ["team:vision", "plain"],
        "system_tags": [],
        "script": {"version_num": "ab12", "repository": "git", "diff": CANARY},
        "last_worker": "gpu-box-7:gpu0,1",
        "runtime": {"hostname": "gpu-box-7", "gpu_count": 2, "env": CANARY},
        "hyperparams": {
            "Args": {"password": {"value": CANARY}},
            "properties": {"slurm_job_id": {"value": "4711"}, "api_key": {"value": CANARY}},
            "Datasets": {"images": {"value": DATASET}},
        },
        "models": {"output": [{"name": "best", "model": {"id": "m1", "name": "ranker"}}]},
    }
    return given | more


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEARML_API_ACCESS_KEY", "access")
    monkeypatch.setenv("CLEARML_API_SECRET_KEY", SECRET)


@pytest.fixture
def server() -> Server:
    return Server([task("t0", 0)])


@pytest.fixture
def tracker(server: Server) -> Iterator[Tracker]:
    with serving(server.answer) as served:
        yield served


@pytest.mark.parametrize("fault", [429, 503])
def test_what_passes_is_asked_again(tracker: Tracker, tmp_path: Path, fault: int) -> None:
    tracker.faults = [(fault, {}), (fault, {})]
    assert Nights("clearml", tmp_path).night(Clearml(tracker.uri), AT) == {"tasks": {"t0"}}
    assert tracker.credentials == [f"access:{SECRET}"] * 3 + [TOKEN]


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ([enveloped(None, 401, "Unauthorized (invalid credentials)")], "401 Unauthorized"),
        ([enveloped({"token": TOKEN}), enveloped(None, 400, "Invalid scroll")], "Invalid scroll"),
        ([enveloped({"token": TOKEN}), (200, {"data": []})], "ClearML answers 200"),
        ([enveloped({"token": TOKEN}), enveloped({"tasks": [task("t0", 0)]})], "no scroll_id"),
    ],
)
def test_what_is_refused_is_told_and_no_key_shown(
    tracker: Tracker, tmp_path: Path, faults: list[Reply], said: str
) -> None:
    tracker.faults = faults
    connector = Clearml(tracker.uri, page_size=1)
    with pytest.raises(SourceError, match=said) as raised:
        Nights("clearml", tmp_path).night(connector, AT)
    told = str(raised.value) + "".join(raised.value.__notes__) + repr(connector)
    assert not any(secret in told for secret in (SECRET, TOKEN, CANARY))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"root": "clearml.example"}, "not an address"),
        ({"root": f"https://ann:{CANARY}@clearml.example"}, "not an address"),
        ({"secret_key_env": "MLSPEND_NO_SUCH"}, "MLSPEND_NO_SUCH is not set"),
    ],
)
def test_settings_that_cannot_be_are_told(tmp_path: Path, settings: Json, said: str) -> None:
    with pytest.raises(SourceError, match=said) as raised:
        Nights("clearml", tmp_path).night(Clearml(**settings), AT)
    assert CANARY not in "".join(raised.value.__notes__)


def test_a_task_is_told_with_whose_it_is_and_without_its_secrets(
    server: Server, tracker: Tracker, tmp_path: Path
) -> None:
    made: Json = {"system_tags": ["dataset"], "type": "data_processing", "hyperparams": {}}
    server.tasks.append(
        task(DATASET, 1, project={"id": "p2", "name": "vision/.datasets/img"}, **made)
    )
    nights = Nights("clearml", tmp_path)
    nights.night(Clearml(tracker.uri), AT)
    runs = {row["native_id"]: row for row in nights.rows("clearml__runs")}
    told = runs["t0"]
    assert (told["run_name"], told["status"], told["kind"]) == ("train t0", "succeeded", "training")
    assert (told["user_raw"], told["team_raw"]) == ("Ann Able", "vision")
    assert (told["project_raw"], told["code_sha"]) == ("vision/search", "ab12")
    assert (told["started_at"].microsecond, told["ended_at"].hour) == (500_000, 1)
    assert told["parent_native_id"] is None  # what it was copied from
    assert (runs[DATASET]["kind"], runs[DATASET]["project_raw"]) == ("job", "vision")
    places = {row["run_key"]: row for row in nights.rows("clearml__run_places")}
    place = places[told["run_key"]]
    assert (place["node"], place["gpu_count"]) == ("gpu-box-7", 2)
    tagged = {row["tags"].get("slurm_job_id") for row in nights.rows("clearml__run_tags")}
    assert "4711" in tagged
    (dataset,) = nights.rows("clearml__run_inputs")
    assert (dataset["dataset_name"], dataset["dataset_digest"]) == ("img", DATASET)
    models = {
        (one["model_name"], one["model_version"]) for one in nights.rows("clearml__run_models")
    }
    assert models == {("ranker", "m1")}
    asked = {name for _, sent in tracker.asked for name in sent.get("only_fields", ())}
    whole = {"hyperparams", "hyperparams.Args", "script", "script.diff", "runtime", "configuration"}
    assert asked
    assert not asked & whole
    for secret in (CANARY, SECRET, TOKEN):
        assert secret not in nights.raw_text() + str(nights.cursors)


def test_all_pages_of_a_scroll_are_read(server: Server, tracker: Tracker, tmp_path: Path) -> None:
    server.tasks = [task(f"t{number}", number) for number in range(6)]
    told = Nights("clearml", tmp_path).night(Clearml(tracker.uri, page_size=2), AT)
    assert told == {"tasks": {f"t{number}" for number in range(6)}}
    assert list(server.scrolls.values()) == [6]


def test_steps_have_the_controller_that_they_run_in_as_their_parent(
    server: Server, tracker: Tracker, tmp_path: Path
) -> None:
    server.tasks = [task("pipe", 0, type="controller"), task("step", 0, parent={"id": "pipe"})]
    nights = Nights("clearml", tmp_path)
    nights.night(Clearml(tracker.uri), AT)
    rows = {row["native_id"]: row for row in nights.rows("clearml__runs")}
    assert (rows["step"]["parent_native_id"], rows["pipe"]["kind"]) == ("pipe", "pipeline")


def test_a_night_reads_what_was_updated_and_asks_for_what_was_not_over(
    server: Server, tracker: Tracker, tmp_path: Path
) -> None:
    past: Json = dict.fromkeys(("created", "started", "completed"), "2026-08-01T00:00:00+00:00")
    past |= dict.fromkeys(("last_update", "last_worker_report"), "2026-08-01T05:00:00+00:00")
    old, silent = (
        task("old", 0, **past),
        task("silent", 0, **past | {"status": "in_progress", "completed": None}),
    )
    draft = task("draft", 0, "created", started=None, completed=None)
    waits = task("waits", 0, "queued", started=None, completed=None)
    server.tasks = [old, silent, draft, waits, task("t1", 1, "in_progress")]
    nights = Nights("clearml", tmp_path)
    assert len(nights.night(Clearml(tracker.uri), AT)["tasks"]) == 5
    assert nights.night(Clearml(tracker.uri), AT + timedelta(hours=1)) == {}
    rows = {row["native_id"]: row for row in nights.rows("clearml__runs")}
    statuses = {name: row["status"] for name, row in rows.items()}
    assert statuses == {"old": "succeeded", "silent": "lost", "waits": "queued", "t1": "running"}
    assert rows["silent"]["ended_at"].isoformat() == "2026-08-01T05:00:00"

    server.tasks = [
        old | {"name": "changed without an update"},
        silent | {"status": "stopped", "status_reason": "Forced stop (non-responsive)"},
        draft,
        task("t1", 1),
    ]
    tracker.asked.clear()
    told = nights.night(Clearml(tracker.uri), AT + timedelta(days=1))
    assert told == {"tasks": {"silent", "t1", "waits"}}
    assert [asked["id"] for _, asked in tracker.asked if "id" in asked] == [["silent"], ["waits"]]
    rows = {row["native_id"]: row for row in nights.rows("clearml__runs")}
    statuses = {name: row["status"] for name, row in rows.items()}
    assert statuses == {"old": "succeeded", "silent": "lost", "waits": "lost", "t1": "succeeded"}
    assert rows["waits"]["started_at"] is None
    assert rows["old"]["run_name"] == "train old"


def test_a_task_that_is_reset_and_run_again_has_two_attempts(
    server: Server, tracker: Tracker, tmp_path: Path
) -> None:
    nights = Nights("clearml", tmp_path)
    server.tasks = [task("t0", 0, "in_progress")]
    nights.night(Clearml(tracker.uri), AT)
    first = nights.rows("clearml__runs")[0]
    again = {"created": "2026-10-03T00:00:00+00:00", "last_update": "2026-10-04T00:00:00+00:00"}
    server.tasks = [task("t0", 0, "queued", started=None, completed=None, **again)]
    nights.night(Clearml(tracker.uri), AT + timedelta(days=1))
    waiting = {row["attempt"]: row["status"] for row in nights.rows("clearml__runs")}
    assert waiting == {1: "lost", 2: "queued"}
    server.tasks = [task("t0", 12, "failed", **again)]
    nights.night(Clearml(tracker.uri), AT + timedelta(days=2))
    rows = {row["attempt"]: row for row in nights.rows("clearml__runs")}
    assert {number: row["status"] for number, row in rows.items()} == {1: "lost", 2: "failed"}
    assert rows[1]["run_key"] == first["run_key"]
    assert rows[1]["ended_at"] < rows[2]["started_at"] < rows[2]["ended_at"]


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        ("failed", "failed"),
        ("stopped", "cancelled"),
        ("published", "succeeded"),
        ("closed", "succeeded"),
        ("unknown", "lost"),
    ],
)
def test_statuses_mean_what_they_say(
    server: Server, tracker: Tracker, tmp_path: Path, status: str, meaning: str
) -> None:
    server.tasks = [task("t0", 0, status)]
    nights = Nights("clearml", tmp_path)
    nights.night(Clearml(tracker.uri), AT)
    assert nights.rows("clearml__runs")[0]["status"] == meaning
