"""The Azure ML connector on answers that the types of Azure's own client wrote.

`data/azureml/answers.json` was written by azure-ai-ml 1.35's models of Resource Manager and of run
history; the properties of a job that has run are those of a published sample.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from connectors.azureml import Azureml
from connectors.base import SourceError
from tests.connectors.run_nights import Nights
from tests.servers.platforms import CANARY, Platform, page, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

ANSWERS = Path(__file__).parents[1] / "data" / "azureml" / "answers.json"
AT = datetime(2026, 10, 2, 6, tzinfo=UTC)
WORKSPACE = (
    "/subscriptions/1caaa5a3/resourceGroups/ml/providers"
    "/Microsoft.MachineLearningServices/workspaces/vision"
)
HISTORY = f"/history/v1.0{WORKSPACE}/runs/"


def azure(there: dict[str, Any], server: list[Platform], size: int) -> Platform:
    """Return Resource Manager and run history in one, a page at a time."""

    def manager(path: str, query: dict[str, str]) -> tuple[int, Any] | None:
        assert query["api-version"] == "2025-12-01"
        found = [job for job in there["jobs"] if job["id"] == path]
        if found:
            return 200, found[0]
        listed = there.get(path.removeprefix(f"{WORKSPACE}/"))
        if listed is None:
            return None
        told, more = page(listed, query.get("$skip"), size)
        link = f"{server[0].address}{path}?api-version=2025-12-01&$skip={more}"
        return 200, {"value": told} | ({"nextLink": link} if more else {})

    def route(path: str, query: dict[str, str]) -> tuple[int, Any] | None:
        if not path.startswith(HISTORY):
            return manager(path, query)
        run, _, children = path.removeprefix(HISTORY).partition("/")
        if not children:
            return (200, there["runs"][run]) if run in there["runs"] else None
        found = there["children"].get(run, [])
        told, more = page(found, query.get("$continuationtoken"), size)
        return 200, {"value": told, "continuationToken": more or None}

    absent = 404, {"error": {"code": "UserError", "message": "not found"}}
    return Platform(route, {"authorization": f"Bearer {CANARY}"}, absent)


@pytest.fixture
def there() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ANSWERS.read_text("utf-8"))
    return found


@pytest.fixture
def server(there: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    itself: list[Platform] = []
    itself.append(azure(there, itself, 2))
    with serving(itself[0]) as served:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{served.address}/token")
        monkeypatch.setenv("IDENTITY_HEADER", "x")
        yield served


def source(server: Platform, **settings: Any) -> Azureml:
    addresses = {"endpoint_url": server.address, "history_url": server.address}
    return Azureml(**{"workspaces": (WORKSPACE,), **addresses, **settings})


def test_jobs_are_told_with_what_they_started_and_held(server: Platform, tmp_path: Path) -> None:
    nights = Nights("azureml", tmp_path)
    told = nights.night(source(server), AT)
    names = ("train1", "nightly1", "live1", "serverless1")
    assert told == {"jobs": {f"{WORKSPACE}/jobs/{name}" for name in names}}
    runs = {row["native_id"]: row for row in nights.rows("azureml__runs")}
    assert set(runs) == {*names, "step-a", "sweep-b", "step-c", "trial-1"}
    train, pipeline, step, trial = (
        runs[name] for name in ("train1", "nightly1", "step-a", "trial-1")
    )
    assert (train["user_raw"], train["team_raw"], train["experiment"]) == (
        "ann",
        "vision",
        "resnet",
    )
    assert (train["code_sha"], train["code_is_dirty"]) == ("abc123", False)
    assert train["started_at"] == datetime.fromisoformat("2026-10-02T00:05")
    assert train["ended_at"] == datetime.fromisoformat("2026-10-02T01:00")
    assert train["cloud_job_arn"] == f"{WORKSPACE}/computes/gpu-cluster".lower()
    assert [run["gpu_count"] for run in (train, step, trial, runs["serverless1"])] == [
        Decimal(4),
        Decimal(2),
        Decimal(2),
        Decimal(4),
    ]
    assert (pipeline["kind"], pipeline["gpu_count"]) == ("pipeline", None)
    assert pipeline["ended_at"] == datetime.fromisoformat("2026-10-02T04:00:00.123456")
    assert (step["parent_native_id"], step["status"]) == ("nightly1", "failed")
    assert (step["user_raw"], step["experiment"]) == ("Ann Smith", "nightly")
    assert (trial["parent_native_id"], trial["team_raw"]) == ("sweep-b", "search")
    assert (runs["live1"]["status"], runs["live1"]["ended_at"]) == ("running", None)
    assert CANARY not in nights.raw_text() + str(nights.cursors)


def test_data_models_and_mlflow_runs_are_told(server: Platform, tmp_path: Path) -> None:
    nights = Nights("azureml", tmp_path)
    nights.night(source(server), AT)
    name = {row["run_key"]: row["native_id"] for row in nights.rows("azureml__runs")}
    read = {
        (name[row["run_key"]], row["dataset_name"], row["dataset_digest"], row["context"])
        for row in nights.rows("azureml__run_inputs")
    }
    assert read == {
        ("train1", None, None, "images"),
        ("train1", "faces", "7", "asset"),
        ("step-a", "faces", "7", "faces"),
    }
    (wrote,) = nights.rows("azureml__run_outputs")
    assert (name[wrote["run_key"]], wrote["dataset_uri"]) == (
        "train1",
        "azureml://datastores/raw/paths/clean",
    )
    (model,) = nights.rows("azureml__run_models")
    assert (name[model["run_key"]], model["model_name"]) == ("train1", "resnet")
    mentions = nights.rows("azureml__run_mentions")
    assert {(row["system"], row["relation"]) for row in mentions} == {("mlflow", "same")}
    assert {row["native_id"] for row in mentions} == set(name.values())


def test_a_night_reads_no_further_back_than_it_must(
    server: Platform, there: dict[str, Any], tmp_path: Path
) -> None:
    old = [
        {**there["jobs"][3], "name": f"old{day}", "id": f"{WORKSPACE}/jobs/old{day}"}
        | {"systemData": {"createdAt": f"2026-08-{day:02}T00:00:00Z"}}
        for day in range(20, 0, -1)
    ]
    there["jobs"] += old
    nights = Nights("azureml", tmp_path)
    assert len(nights.night(source(server), AT)["jobs"]) == 24
    server.asked.clear()
    assert nights.night(source(server), AT + timedelta(hours=1)) == {}
    lists = [path for path, _ in server.asked if path.endswith("/jobs")]
    assert len(lists) == 2
    there["jobs"].sort(key=lambda job: str(job["systemData"]["createdAt"]))
    server.asked.clear()
    assert nights.night(source(server), AT + timedelta(hours=2)) == {}
    lists = [path for path, _ in server.asked if path.endswith("/jobs")]
    assert len(lists) == 12  # not newest first: all of them


def test_a_job_is_read_again_until_it_is_over_or_gone(
    server: Platform, there: dict[str, Any], tmp_path: Path
) -> None:
    nights = Nights("azureml", tmp_path)
    nights.night(source(server), AT)
    live = there["jobs"][0]["properties"]
    live["status"] = "Completed"
    live["properties"]["EndTimeUtc"] = "2026-10-11 05:00:00"
    key = f"{WORKSPACE}/jobs/live1"
    assert nights.night(source(server), AT + timedelta(days=10)) == {"jobs": {key}}
    ended = {row["native_id"]: row["ended_at"] for row in nights.rows("azureml__runs")}
    assert ended["live1"] == datetime.fromisoformat("2026-10-11T05:00")
    live["status"] = "Running"
    nights = Nights("azureml", tmp_path)
    nights.night(source(server), AT)
    del there["jobs"][0]
    nights.night(source(server), AT + timedelta(days=1))
    lost = {row["native_id"]: row["status"] for row in nights.rows("azureml__runs")}
    assert lost["live1"] == "lost"


@pytest.mark.parametrize("fault", [429, 503, "half"])
def test_what_passes_is_asked_again(server: Platform, tmp_path: Path, fault: int | str) -> None:
    server.faults = [fault]
    assert len(Nights("azureml", tmp_path).night(source(server), AT)["jobs"]) == 4


def test_what_azure_refuses_is_told_without_the_token(
    server: Platform, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.faults = [403]
    with pytest.raises(SourceError, match="answers 403") as raised:
        Nights("azureml", tmp_path).night(source(server), AT)
    said = "".join(raised.value.__notes__)
    assert "Reader" in said
    server.credentials = {"authorization": "Bearer another"}
    with pytest.raises(SourceError, match="does not accept the credentials") as raised:
        Nights("azureml", tmp_path).night(source(server), AT)
    said += "".join([str(raised.value), *raised.value.__notes__])
    assert CANARY not in said + caplog.text + repr(source(server))


def test_credentials_go_to_azure_alone(
    server: Platform, there: dict[str, Any], tmp_path: Path
) -> None:
    nights = Nights("azureml", tmp_path)
    pipeline = there["jobs"][1]["properties"]
    pipeline["services"]["Tracking"]["endpoint"] = "azureml://evil.example/mlflow/v1.0"
    with pytest.raises(SourceError, match=r"no run history of Azure's \(evil"):
        nights.night(source(server, history_url=""), AT)
    server.route = lambda *_: (200, {"value": [], "nextLink": "https://evil.example/jobs"})
    with pytest.raises(SourceError, match="leads elsewhere"):
        nights.night(source(server), AT)


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"workspaces": ()}, "workspaces names none"),
        ({"workspaces": ("vision",)}, "no workspace's id"),
        ({"endpoint_url": "http://azure.example"}, "is not https"),
        ({"backfill_days": -1}, "0 or more"),
    ],
)
def test_settings_that_cannot_be_are_told(
    server: Platform, tmp_path: Path, settings: dict[str, Any], what: str
) -> None:
    with pytest.raises(SourceError, match=what):
        Nights("azureml", tmp_path).night(source(server, **settings), AT)


def test_what_is_no_job_is_told(server: Platform, tmp_path: Path) -> None:
    server.route = lambda *_: (200, {"value": [{"id": "x", "name": "y"}]})
    with pytest.raises(SourceError, match="is no job"):
        Nights("azureml", tmp_path).night(source(server), AT)
