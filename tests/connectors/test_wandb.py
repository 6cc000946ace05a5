"""The W&B connector on a server that answers as W&B's own client expects it, and on a bad one."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from connectors.base import SourceError
from connectors.wandb import Wandb
from tests.connectors.fake_tracker import serving
from tests.connectors.run_nights import Nights

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.connectors.fake_tracker import Json, Reply, Tracker

AT = datetime(2026, 10, 3, 2, tzinfo=UTC)
KEY, CANARY = "hunter2-of-wandb", "canary-3f9c"


def artifact(kind: str, name: str, version: int) -> Json:
    """Return an artifact as W&B's client reads it."""
    project = {"name": "search", "entity": {"name": "acme"}}
    return {
        "versionIndex": version,
        "digest": f"d-{name}-{version}",
        "artifactType": {"name": kind},
        "artifactSequence": {"name": name, "project": project},
    }


def page(nodes: list[Any], after: str | None, size: int) -> Json:
    """Return a page of a connection; a cursor is the number of what was given so far."""
    end = int(after or 0) + size
    told = nodes[int(after or 0) : end]
    info = {"endCursor": str(end), "hasNextPage": end < len(nodes)}
    return {"pageInfo": info, "edges": [{"node": node, "cursor": ""} for node in told]}


@dataclass
class Service:
    """The projects of an entity, each with its runs, oldest first."""

    projects: dict[str, list[Json]]
    inputs: list[Json] = field(default_factory=list)
    """Artifacts that every run read."""

    def answer(self, path: str, asked: Json) -> Reply:
        """Answer as W&B does; what it does not know is null."""
        assert path == "/graphql"
        given, query = asked["variables"], asked["query"]
        if given["entity"] != "acme":
            return 200, {"data": {"models": None, "project": None}}
        if "models(" in query:
            nodes = [{"name": name} for name in self.projects]
            return 200, {"data": {"models": page(nodes, given["cursor"], given["perPage"])}}
        runs = self.projects.get(given["project"])
        if runs is None:
            return 200, {"data": {"project": None}}
        if "run" in given:
            told: list[Json | None] = [
                self._told(one) for one in runs if one["name"] == given["run"]
            ]
            if "artifacts:" in query and told:
                told = [{"artifacts": page(self.inputs, given["cursor"], 50)}]
            return 200, {"data": {"project": {"run": (told or [None])[0]}}}
        asked_for = [
            self._told(one) for one in runs if self._fits(one, json.loads(given["filters"]))
        ]
        found = page(asked_for, given["cursor"], given["perPage"])
        return 200, {"data": {"project": {"runs": found}}}

    def _told(self, one: Json) -> Json:
        return {**one, "inputArtifacts": page(self.inputs, None, 20)}

    def _fits(self, one: Json, wanted: Json) -> bool:
        """Tell whether a run is asked for; times are compared as W&B does, as they are written."""
        conditions = [
            (name, told["$gte"]) for each in wanted.get("$or", ()) for name, told in each.items()
        ]
        assert all(datetime.fromisoformat(time).tzinfo for _, time in conditions)
        return not wanted or any((one[name] or "") >= time for name, time in conditions)


def run(name: str, hour: int, state: str = "finished", **more: Any) -> Json:
    """Return a run that began in an hour of 3 October and gave its last heartbeat in the next."""
    given = {
        "name": name,
        "displayName": f"{name}-of-ann",
        "state": state,
        "group": "ddp",
        "jobType": "train",
        "sweepName": None,
        "commit": "ab12",
        "createdAt": f"2026-10-03T{hour:02}:00:00Z",
        "heartbeatAt": f"2026-10-03T{hour + 1:02}:00:00Z",
        "host": "gpu-box-7",
        "tags": ["team:vision", "plain"],
        "config": json.dumps(
            {
                "slurm_job_id": {"value": 4711, "desc": None},
                "finops": {"value": {"gpu_count": 2, "input_dataset": "s3a://acme/img/"}},
                "api_key": {"value": CANARY},
                "_wandb": {"value": {"team": "not theirs"}},
            }
        ),
        "user": {"username": "ann"},
        "outputArtifacts": page([artifact("model", "ranker", 3)], None, 50),
    }
    return given | more


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)


@pytest.fixture
def service() -> Service:
    return Service({"search": [run("r0", 0)]})


@pytest.fixture
def tracker(service: Service) -> Iterator[Tracker]:
    with serving(service.answer) as served:
        yield served


def source(tracker: Tracker, **settings: Any) -> Wandb:
    return Wandb("acme", root=tracker.uri, **settings)


@pytest.mark.parametrize("fault", [429, 502])
def test_what_passes_is_asked_again(tracker: Tracker, tmp_path: Path, fault: int) -> None:
    tracker.faults = [(fault, {}), (fault, {})]
    told = Nights("wandb", tmp_path).night(source(tracker), AT)
    assert told == {"runs": {"acme/search/r0"}}
    assert set(tracker.credentials) == {f"api:{KEY}"}


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ((401, {"errors": [{"message": "user is not logged in"}]}), "401 user is not logged in"),
        ((400, {"errors": [{"message": 'Cannot query field "host"'}]}), "Cannot query field"),
        ((200, {"data": {"models": None}, "errors": ["permission denied"]}), "permission denied"),
        ((200, {"data": None}), "W&B answers 200"),
        ((200, {"data": {"models": None}}), "there is no acme, or the API key may not see it"),
    ],
)
def test_what_is_refused_is_told_and_no_key_shown(
    tracker: Tracker, tmp_path: Path, fault: Reply, said: str
) -> None:
    tracker.faults = [fault]
    connector = source(tracker)
    with pytest.raises(SourceError, match=said) as raised:
        Nights("wandb", tmp_path).night(connector, AT)
    assert KEY not in str(raised.value) + "".join(raised.value.__notes__) + repr(connector)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"root": "wandb.example"}, "not an address"),
        ({"root": f"https://ann:{CANARY}@wandb.example"}, "not an address"),
        ({"api_key_env": "MLSPEND_NO_SUCH"}, "MLSPEND_NO_SUCH is not set"),
    ],
)
def test_settings_that_cannot_be_are_told(tmp_path: Path, settings: Json, said: str) -> None:
    with pytest.raises(SourceError, match=said) as raised:
        Nights("wandb", tmp_path).night(Wandb("acme", **settings), AT)
    assert CANARY not in "".join(raised.value.__notes__)


def test_a_project_that_is_not_there_is_told(tracker: Tracker, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no acme/serach"):
        Nights("wandb", tmp_path).night(source(tracker, projects=("serach",)), AT)


def test_a_run_is_told_with_whose_it_is_and_without_its_secrets(
    service: Service, tracker: Tracker, tmp_path: Path
) -> None:
    service.inputs = [artifact("dataset", "img", 1), artifact("code", "src", 1)]
    nights = Nights("wandb", tmp_path)
    nights.night(source(tracker), AT)
    (told,) = nights.rows("wandb__runs")
    assert (told["native_id"], told["run_name"], told["status"]) == ("r0", "r0-of-ann", "succeeded")
    assert (told["user_raw"], told["team_raw"], told["project_raw"]) == ("ann", "vision", "search")
    assert (told["started_at"].hour, told["ended_at"].hour, told["gpu_count"]) == (0, 1, Decimal(2))
    assert (told["experiment"], told["kind"]) == ("acme/search/ddp", "training")
    (place,) = nights.rows("wandb__run_places")
    assert (place["node"], place["pod"], place["gpu_count"]) == ("gpu-box-7", "gpu-box-7", 2)
    (told,) = nights.rows("wandb__run_tags")
    assert told["tags"]["slurm_job_id"] == "4711"
    inputs = {
        (one["dataset_uri"], one["dataset_name"], one["dataset_digest"])
        for one in nights.rows("wandb__run_inputs")
    }
    assert inputs == {(None, "img", "d-img-1"), ("s3://acme/img", None, None)}
    (model,) = nights.rows("wandb__run_models")
    assert (model["model_name"], model["model_version"]) == ("ranker", "v3")
    for secret in (CANARY, KEY, "not theirs"):
        assert secret not in nights.raw_text() + str(nights.cursors)


def test_all_pages_of_runs_projects_and_artifacts_are_read(
    service: Service, tracker: Tracker, tmp_path: Path
) -> None:
    service.projects = {
        name: [run(f"r{number}", number) for number in range(5)] for name in ("a", "b", "c")
    }
    service.inputs = [artifact("dataset", f"img-{number:03}", 0) for number in range(120)]
    nights = Nights("wandb", tmp_path)
    told = nights.night(source(tracker, page_size=2), AT)
    assert told == {"runs": {f"acme/{name}/r{number}" for name in "abc" for number in range(5)}}
    assert len(nights.rows("wandb__runs")) == 15  # one id in three projects is three runs
    assert len(nights.rows("wandb__run_inputs")) == 15 * 121


def test_a_night_reads_what_changed_and_asks_for_what_was_not_over(
    service: Service, tracker: Tracker, tmp_path: Path
) -> None:
    old = run("old", 0, createdAt="2026-08-01T00:00:00Z", heartbeatAt="2026-08-01T05:00:00")
    silent = run("silent", 0, "running", createdAt="2026-08-01T00:00:00Z", heartbeatAt=None)
    service.projects["search"] = [old, silent, run("r0", 0), run("r1", 1, "running")]
    nights = Nights("wandb", tmp_path)
    assert len(nights.night(source(tracker), AT)["runs"]) == 4
    assert nights.night(source(tracker), AT + timedelta(hours=1)) == {}
    statuses = {row["native_id"]: row["status"] for row in nights.rows("wandb__runs")}
    assert statuses == {"old": "succeeded", "silent": "lost", "r0": "succeeded", "r1": "running"}

    service.projects["search"] = [
        old | {"displayName": "edited too late to be seen"},
        silent | {"state": "killed"},
        run("r0", 0, tags=["team:speech"]),
        run("r1", 1, heartbeatAt="2026-10-03T09:30:00.25Z"),
        run("r2", 20, "pending", heartbeatAt=None),
    ]
    tracker.asked.clear()
    told = nights.night(source(tracker), AT + timedelta(days=1))
    assert told == {"runs": {f"acme/search/{name}" for name in ("silent", "r0", "r1", "r2")}}
    assert [
        given["variables"]["run"] for _, given in tracker.asked if "run" in given["variables"]
    ] == ["silent"]
    found = {row["native_id"]: row for row in nights.rows("wandb__runs")}
    assert found["r0"]["team_raw"] == "speech"
    assert (found["silent"]["status"], found["r2"]["status"]) == ("cancelled", "queued")
    assert found["r1"]["ended_at"].isoformat() == "2026-10-03T09:30:00.250000"
    assert found["old"]["run_name"] == "old-of-ann"


def test_a_run_that_is_deleted_while_it_runs_ends_and_what_was_over_stays(
    service: Service, tracker: Tracker, tmp_path: Path
) -> None:
    service.projects["search"] = [run("r0", 0), run("r1", 0, "running")]
    nights = Nights("wandb", tmp_path)
    nights.night(source(tracker), AT)
    service.projects["search"] = []
    told = nights.night(source(tracker), AT + timedelta(days=1))
    assert told == {"runs": {"acme/search/r1"}}
    rows = {row["native_id"]: row for row in nights.rows("wandb__runs")}
    assert {name: row["status"] for name, row in rows.items()} == {"r0": "succeeded", "r1": "lost"}
    assert rows["r1"]["ended_at"].hour == 1


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("crashed", "lost"),
        ("failed", "failed"),
        ("killed", "cancelled"),
        ("preempted", "preempted"),
        ("preempting", "running"),
    ],
)
def test_states_mean_what_they_say(
    service: Service, tracker: Tracker, tmp_path: Path, state: str, status: str
) -> None:
    service.projects["search"] = [run("r0", 0, state)]
    nights = Nights("wandb", tmp_path)
    nights.night(source(tracker), AT)
    assert nights.rows("wandb__runs")[0]["status"] == status
