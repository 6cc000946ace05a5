"""OpenLineage's events, as its own client writes them, in any order and over several nights."""

from __future__ import annotations

import gzip
import json
import random
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    dataset_version_dataset,
    environment_variables_run,
    input_statistics_input_dataset,
    job_type_job,
    nominal_time_run,
    ownership_job,
    parent_run,
    source_code_location_job,
    tags_run,
)
from openlineage.client.transport.file import FileConfig, FileTransport

from connectors.base import SourceError
from connectors.openlineage import Openlineage
from tests.connectors.run_nights import Nights
from tests.servers.moto import client, s3_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT = datetime(2026, 10, 4, 2, tzinfo=UTC)
BEGUN = datetime(2026, 10, 3, 1, tzinfo=UTC)
ID, PARENT, ROOT = (f"0199a000-0000-7000-8000-00000000000{number}" for number in (1, 2, 3))
JOB = Job(
    "lab",
    "train",
    facets={
        "ownership": ownership_job.OwnershipJobFacet(
            [ownership_job.Owner("user:ann"), ownership_job.Owner("team:vision")]
        ),
        "jobType": job_type_job.JobTypeJobFacet("BATCH", "SPARK", "JOB"),
        "sourceCodeLocation": source_code_location_job.SourceCodeLocationJobFacet(
            "git", "https://git.example/lab", version="abc123"
        ),
    },
)
RUN = Run(
    ID,
    facets={
        "parent": parent_run.ParentRunFacet(
            parent_run.Run(PARENT),
            parent_run.Job("lab", "pipeline"),
            root=parent_run.Root(parent_run.RootRun(ROOT), parent_run.RootJob("lab", "nightly")),
        ),
        "tags": tags_run.TagsRunFacet(
            [
                tags_run.TagsRunFacetFields("project", "eyes", "USER"),
                tags_run.TagsRunFacetFields("slurm_job_id", "77", "USER"),
            ]
        ),
        "nominalTime": nominal_time_run.NominalTimeRunFacet("2020-01-01T00:00:00Z"),
        "environmentVariables": environment_variables_run.EnvironmentVariablesRunFacet(
            [environment_variables_run.EnvironmentVariable("API_KEY", "canary-3f9c")]
        ),
    },
)


def event(state: RunState, minutes: int, run: Run = RUN, size: int | None = None) -> RunEvent:
    read = InputDataset("s3://Lab", "images/a")
    if size is not None:
        told = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(size=size)
        read = InputDataset("s3://Lab", "images/a", inputFacets={"inputStatistics": told})
    version = dataset_version_dataset.DatasetVersionDatasetFacet("42")
    wrote = OutputDataset(
        "postgres://db.example:5432", "lab.public.scores", facets={"version": version}
    )
    at = (BEGUN + timedelta(minutes=minutes)).isoformat()
    return RunEvent(
        eventTime=at,
        run=run,
        job=JOB,
        producer="https://lab.example",
        eventType=state,
        inputs=[read],
        outputs=[wrote],
    )


def emit(path: Path, *events: RunEvent) -> None:
    """Write events as the client does."""
    transport = FileTransport(FileConfig(str(path), append=True))
    client = OpenLineageClient(transport=transport)
    for one in events:
        client.emit(one)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "events").mkdir()
    return tmp_path / "events"


@pytest.fixture
def nights(tmp_path: Path) -> CountedNights:
    (tmp_path / "raw").mkdir(exist_ok=True)
    return CountedNights("openlineage", tmp_path / "raw")


class CountedNights(Nights):
    """Nights that tell how many events have landed."""

    def events(self, connector: Openlineage, at: datetime) -> int:
        before = len(self.landed)
        rows = 0
        for delivery in connector.deliveries_at(self, at):
            self._land(delivery)
            rows += delivery.stated_rows or 0
        assert (rows > 0) == (len(self.landed) > before)
        return rows


def test_a_run_is_what_all_its_events_say(nights: CountedNights, folder: Path) -> None:
    told = [
        event(RunState.START, 0),
        event(RunState.RUNNING, 5, size=10),
        event(RunState.COMPLETE, 9, size=40),
    ]
    random.Random(7).shuffle(told)  # noqa: S311 - an order, no secret
    emit(folder / "events.json", *told)
    assert nights.events(Openlineage(str(folder)), AT) == 3
    (run,) = nights.rows("openlineage__runs")
    assert {key: run[key] for key in ("native_id", "parent_native_id", "status", "kind")} == {
        "native_id": ID,
        "parent_native_id": PARENT,
        "status": "succeeded",
        "kind": "job",
    }
    assert (run["user_raw"], run["team_raw"], run["project_raw"]) == ("ann", "vision", "eyes")
    assert (run["run_name"], run["experiment"], run["code_sha"]) == ("train", "nightly", "abc123")
    begun = BEGUN.replace(tzinfo=None)
    assert (run["started_at"], run["ended_at"]) == (begun, begun + timedelta(minutes=9))
    (read,) = nights.rows("openlineage__run_inputs")
    assert (read["dataset_uri"], read["bytes_read"]) == ("s3://lab/images/a", 40)
    (wrote,) = nights.rows("openlineage__run_outputs")
    assert wrote["dataset_uri"] == "postgres://db.example:5432/lab.public.scores"
    assert wrote["dataset_digest"] == "42"
    mentions = nights.rows("openlineage__run_mentions")
    assert {(row["system"], row["native_id"], row["relation"]) for row in mentions} == {
        ("openlineage", PARENT, "parent"),
    }
    (tagged,) = nights.rows("openlineage__run_tags")
    assert "77" in tagged["tags"].values()
    assert "canary-3f9c" not in nights.raw_text()


def test_a_file_that_grows_is_read_from_where_it_ended(nights: CountedNights, folder: Path) -> None:
    source, path = Openlineage(str(folder)), folder / "events.json"
    emit(path, event(RunState.START, 0))
    assert nights.events(source, AT) == 1
    assert nights.rows("openlineage__runs")[0]["status"] == "lost"  # a day without a sign
    assert nights.events(source, AT + timedelta(hours=1)) == 0
    emit(path, event(RunState.FAIL, 4))
    with path.open("a") as stream:
        stream.write('{"eventType": "STA')
    now = datetime.now(UTC)
    assert nights.events(source, now) == 1
    assert nights.rows("openlineage__runs")[0]["status"] == "failed"
    with pytest.raises(SourceError, match=r"events\.json, line 3: is not JSON"):
        nights.events(source, now + timedelta(hours=2))  # nobody writes it any more
    path.unlink()
    emit(path, event(RunState.START, 0, Run(PARENT)))
    assert nights.events(source, now + timedelta(hours=3)) == 1
    assert len(nights.rows("openlineage__runs")) == 2


def test_packed_files_are_read_and_a_damaged_one_waits(nights: CountedNights, folder: Path) -> None:
    emit(folder / "plain.json", event(RunState.START, 0), event(RunState.COMPLETE, 9))
    lines = (folder / "plain.json").read_bytes()
    (folder / "plain.json").unlink()
    packed = gzip.compress(lines.splitlines(keepends=True)[0])
    (folder / "events.jsonl.gz").write_bytes(packed)
    (folder / "half.json.gz").write_bytes(gzip.compress(lines)[:-9])
    source, now = Openlineage(str(folder)), datetime.now(UTC)
    with pytest.raises(SourceError, match="not a whole gzip file") as raised:
        nights.events(source, now)
    assert "half.json.gz" in raised.value.__notes__[0]
    assert len(nights.rows("openlineage__runs")) == 1
    (folder / "half.json.gz").unlink()
    with (folder / "events.jsonl.gz").open("ab") as stream:  # another member behind the first
        stream.write(gzip.compress(lines.splitlines(keepends=True)[1]))
    assert nights.events(source, now + timedelta(hours=1)) == 1
    assert nights.rows("openlineage__runs")[0]["status"] == "succeeded"


def test_events_in_a_bucket_are_read_like_those_in_a_folder(
    nights: CountedNights, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emit(folder / "events.json", event(RunState.START, 0), event(RunState.COMPLETE, 9))
    lines = (folder / "events.json").read_bytes().splitlines(keepends=True)
    source = Openlineage("s3://lineage/events")
    with s3_server(tmp_path) as address:
        for name, value in {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        s3 = client("s3")
        s3.create_bucket(Bucket="lineage")
        s3.put_object(Bucket="lineage", Key="events/a.json", Body=lines[0])
        assert nights.events(source, AT) == 1
        packed = gzip.compress(lines[1])
        s3.put_object(Bucket="lineage", Key="events/2026/10/03/b.json.gz", Body=packed)
        assert nights.events(source, AT + timedelta(hours=1)) == 1
        assert nights.events(source, AT + timedelta(hours=2)) == 0
    assert nights.rows("openlineage__runs")[0]["status"] == "succeeded"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"eventTime": "2026-10-03T01:00:00"}, "line 2: eventTime .* is not a time with an offset"),
        ({"eventType": "DONE"}, "line 2: eventType 'DONE' is none of"),
        ({"run": {"facets": {}}}, "line 2: run has no runId"),
        ({"job": None}, "line 2: job is missing"),
        ({"inputs": [{"name": "a"}]}, "line 2: inputs has no namespace"),
    ],
)
def test_a_mistake_is_named(
    nights: CountedNights, folder: Path, change: dict[str, Any], said: str
) -> None:
    emit(folder / "bad.json", event(RunState.START, 0))
    emit(folder / "good.json", event(RunState.START, 0))
    first = json.loads((folder / "bad.json").read_text())
    with (folder / "bad.json").open("a") as stream:
        stream.write(json.dumps({**first, **change}) + "\n")
    with pytest.raises(SourceError, match=said):
        nights.events(Openlineage(str(folder)), AT)
    assert len(nights.rows("openlineage__runs")) == 1  # the good file has landed


@dataclass
class Marquez:
    """A canned Marquez; the next requests answer `faults`."""

    events: list[dict[str, Any]] = field(default_factory=list)
    faults: list[int] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    uri: str = ""

    def answer(self, path: str) -> tuple[int, object]:
        asked = {key: value[0] for key, value in parse_qs(urlsplit(path).query).items()}
        self.asked.append(asked)
        if self.faults:
            return self.faults.pop(0), {"message": "no"}
        since, upto = (datetime.fromisoformat(asked[key]) for key in ("after", "before"))
        within = [
            one
            for one in sorted(self.events, key=lambda one: one["eventTime"])
            if since <= datetime.fromisoformat(one["eventTime"]) < upto
        ]
        first = int(asked["offset"])
        return 200, {"events": within[first : first + int(asked["limit"])]}


@pytest.fixture
def marquez() -> Iterator[Marquez]:
    served = Marquez()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, answer = served.answer(self.path)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served.uri = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield served
        server.shutdown()


def test_a_service_gives_what_is_new(nights: CountedNights, folder: Path, marquez: Marquez) -> None:
    path = folder / "all.json"
    emit(path, *(event(RunState.START, at, Run(f"{ID[:-2]}{at}")) for at in range(10, 15)))
    marquez.events = [json.loads(line) for line in path.read_text().splitlines()]
    late = marquez.events.pop(0)
    source = Openlineage(marquez.uri, page_size=2)
    assert nights.events(source, AT) == 4
    assert len(marquez.asked) == 3
    assert nights.events(source, AT + timedelta(days=1)) == 0
    marquez.events.append(late)
    assert nights.events(source, AT + timedelta(days=1)) == 1
    assert len(nights.rows("openlineage__runs")) == 5
    marquez.faults = [401]
    with pytest.raises(SourceError, match="answers 401") as caught:
        nights.events(source, AT + timedelta(days=2))
    assert "token_env" in str(caught.value.__notes__)
