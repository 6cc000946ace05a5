"""The Vertex AI connector on answers that the types of Google's own client wrote.

`data/vertex/answers.json` is what `to_json` of google-cloud-aiplatform 2.7 makes of some jobs.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from connectors.base import SourceError
from connectors.vertex import Vertex
from tests.connectors.run_nights import Nights
from tests.servers.bigquery import write_key
from tests.servers.platforms import CANARY, Platform, page, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

ANSWERS = Path(__file__).parents[1] / "data" / "vertex" / "answers.json"
AT = datetime(2026, 10, 2, 6, tzinfo=UTC)
IN = "projects/123456/locations/us-central1"
SINCE = re.compile(r'(create|update)_time>="([^"]+)"')


def answers() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = json.loads(ANSWERS.read_text("utf-8"))
    return found


def vertex_ai(jobs: dict[str, list[dict[str, Any]]], size: int) -> Platform:
    """Return a service that lists jobs by page and filter; a trial's jobs only by their names."""

    def route(path: str, query: dict[str, str]) -> tuple[int, Any] | None:
        kind = path.rpartition("/")[2]
        if path != f"/v1/projects/acme-ml/locations/us-central1/{kind}":
            every = [job for listed in jobs.values() for job in listed]
            found = [job for job in every if path == f"/v1/{job['name']}"]
            return (200, found[0]) if found else None
        wanted = [job for job in jobs[kind] if not job["displayName"].startswith("trial")]
        since = SINCE.search(query.get("filter", ""))
        if since:
            working = [state for state in ("PENDING", "RUNNING") if state in query["filter"]]
            time = f"{since[1]}Time"
            wanted = [
                job
                for job in wanted
                if job[time] >= since[2] or job["state"].rpartition("_")[2] in working
            ]
        told, more = page(wanted, query.get("pageToken"), size)
        return 200, ({kind: told} if told else {}) | ({"nextPageToken": more} if more else {})

    absent = 404, {"error": {"code": 404, "message": "not found", "status": "NOT_FOUND"}}
    return Platform(route, {"authorization": f"Bearer {CANARY}"}, absent)


@pytest.fixture
def jobs() -> dict[str, list[dict[str, Any]]]:
    return answers()


@pytest.fixture
def server(
    jobs: dict[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Platform]:
    with serving(vertex_ai(jobs, 2)) as there:
        key = write_key(tmp_path / "key.json", there.address)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
        yield there


def source(server: Platform, **settings: Any) -> Vertex:
    given = {"project": "acme-ml", "regions": ("us-central1",)}
    return Vertex(**given | {"endpoint_url": server.address} | settings)


def test_jobs_are_told_with_who_ran_them_and_what_they_held(
    server: Platform, tmp_path: Path
) -> None:
    nights = Nights("vertex", tmp_path)
    (keys,) = nights.night(source(server), AT).values()
    assert len(keys) == 6
    runs = {row["native_id"].removeprefix(f"{IN}/"): row for row in nights.rows("vertex__runs")}
    train, failed, again = (runs[f"customJobs/{number}"] for number in (1, 2, 3))
    assert (train["user_raw"], train["team_raw"], train["experiment"]) == (
        "ann",
        "vision",
        "resnet",
    )
    assert (train["gpu_count"], again["gpu_count"]) == (Decimal(8), Decimal(1))
    assert train["cloud_job_arn"] == f"//aiplatform.googleapis.com/{IN}/customJobs/1"
    assert (train["status"], failed["status"]) == ("succeeded", "failed")
    assert (failed["user_raw"], failed["parent_native_id"]) == (
        None,
        f"{IN}/pipelineJobs/nightly-20261002",
    )
    pipeline, trial = runs["pipelineJobs/nightly-20261002"], runs["customJobs/4"]
    assert (pipeline["kind"], pipeline["gpu_count"]) == ("pipeline", None)
    assert trial["parent_native_id"] == f"{IN}/hyperparameterTuningJobs/9"
    assert (trial["status"], trial["ended_at"]) == ("running", None)
    tagged = [
        (row["called"], row["tags"].get("mlflow_run_id")) for row in nights.rows("vertex__run_tags")
    ]
    assert ("label", "8f3c") in tagged
    assert CANARY not in nights.raw_text() + str(nights.cursors)


def test_what_a_pipeline_read_and_wrote_is_that_of_the_job_which_ran_the_task(
    server: Platform, tmp_path: Path
) -> None:
    nights = Nights("vertex", tmp_path)
    nights.night(source(server), AT)
    name = {row["run_key"]: row["run_name"] for row in nights.rows("vertex__runs")}
    uses = [(name[row["run_key"]], row["dataset_uri"]) for row in nights.rows("vertex__run_inputs")]
    assert sorted(uses) == [
        ("caip_pipeline_3", "gs://acme-data/images"),
        ("nightly", "gs://acme-data/clean"),
    ]
    made = [
        (name[row["run_key"]], row["dataset_uri"]) for row in nights.rows("vertex__run_outputs")
    ]
    assert sorted(made) == [
        ("caip_pipeline_3", "gs://acme-data/clean"),
        ("train-resnet", "gs://acme-models/resnet"),
    ]
    (model,) = nights.rows("vertex__run_models")
    assert (name[model["run_key"]], model["model_name"], model["model_version"]) == (
        "caip_pipeline_3",
        "resnet",
        "3",
    )


def test_a_night_reads_what_changed_and_what_runs(
    server: Platform, jobs: dict[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    nights = Nights("vertex", tmp_path)
    nights.night(source(server), AT)
    assert nights.night(source(server), AT + timedelta(hours=1)) == {}
    done = {"state": "JOB_STATE_SUCCEEDED", "endTime": "2026-10-12T01:00:00Z"}
    jobs["customJobs"][3] |= done
    jobs["hyperparameterTuningJobs"][0] |= done
    told = nights.night(source(server), AT + timedelta(days=10, hours=12))
    assert told == {"jobs": {f"{IN}/customJobs/4", f"{IN}/hyperparameterTuningJobs/9"}}
    ended = {row["run_name"]: row["ended_at"] for row in nights.rows("vertex__runs")}
    assert ended["trial-1"] == datetime.fromisoformat("2026-10-12T01:00")
    # labels that are mended late move no time: the weekly look back finds them
    jobs["customJobs"][1]["labels"] = {"team": "search"}
    assert nights.night(source(server), AT + timedelta(days=11)) == {}
    told = nights.night(source(server), AT + timedelta(days=20))
    assert told == {"jobs": {f"{IN}/customJobs/2"}}


def test_a_job_that_is_deleted_while_it_runs_is_lost(
    server: Platform, jobs: dict[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    nights = Nights("vertex", tmp_path)
    nights.night(source(server), AT)
    del jobs["customJobs"][3], jobs["hyperparameterTuningJobs"][0]
    nights.night(source(server), AT + timedelta(days=1))
    lost = {row["run_name"]: row["ended_at"] for row in nights.rows("vertex__runs")}
    assert (lost["trial-1"], lost["tune"]) == (AT.replace(tzinfo=None),) * 2


@pytest.mark.parametrize("fault", [429, 503, "half"])
def test_what_passes_is_asked_again(server: Platform, tmp_path: Path, fault: int | str) -> None:
    server.faults = [fault]
    assert len(Nights("vertex", tmp_path).night(source(server), AT)["jobs"]) == 6


def test_what_google_refuses_is_told_with_the_role_that_is_wanting(
    server: Platform, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.faults = [403]
    with pytest.raises(SourceError, match="answers 403") as raised:
        Nights("vertex", tmp_path).night(source(server), AT)
    said = "".join(raised.value.__notes__)
    assert "aiplatform.customJobs.list" in said
    server.credentials = {"authorization": "Bearer another"}
    with pytest.raises(SourceError, match="does not accept the credentials") as raised:
        Nights("vertex", tmp_path).night(source(server), AT)
    said += "".join([str(raised.value), *raised.value.__notes__])
    assert CANARY not in said + caplog.text + repr(source(server))


def test_without_credentials_nothing_is_asked(
    server: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "absent.json"))
    with pytest.raises(SourceError, match="or there are none"):
        Nights("vertex", tmp_path).night(source(server), AT)
    assert server.asked == []


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"regions": ()}, "regions names none"),
        ({"regions": ("us-central1/x",)}, "one that cannot be"),
        ({"endpoint_url": "http://vertex.example"}, "not https"),
        ({"rescan_days": 0}, "1 or more"),
    ],
)
def test_settings_that_cannot_be_are_told(
    server: Platform, tmp_path: Path, settings: dict[str, Any], what: str
) -> None:
    with pytest.raises(SourceError, match=what):
        Nights("vertex", tmp_path).night(source(server, **settings), AT)


def test_what_is_no_job_is_told(server: Platform, tmp_path: Path) -> None:
    server.route = lambda *_: (200, {"customJobs": [{"state": "JOB_STATE_RUNNING"}]})
    with pytest.raises(SourceError, match="is no job"):
        Nights("vertex", tmp_path).night(source(server), AT)
