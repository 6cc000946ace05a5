"""SageMaker against a real server of its API: jobs that change between nights, and refusals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import boto3  # type: ignore[import-untyped]  # noqa: TID251 - it makes the jobs
import pytest

from connectors import aws_halves
from connectors.base import SourceError
from connectors.sagemaker import Sagemaker
from connectors.sagemaker_calls import KINDS, Work
from tests.connectors.scheduler_nights import Nights
from tests.servers.aws_front import fronting
from tests.servers.moto import demand_rights, s3_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.servers
CANARY = "canary-3f9c"
REGION = "us-east-1"
ARN = f"arn:aws:sagemaker:{REGION}:123456789012"
ROLE = "arn:aws:iam::123456789012:role/sagemaker"
NEVER = 10**9


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start the server once; tests use jobs of their own names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", CANARY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        with s3_server(tmp_path_factory.mktemp("moto")) as address:
            yield address


@pytest.fixture
def client(server: str) -> Iterator[Any]:
    """Return a client of an empty account in which everybody may do everything."""
    demand_rights(server, NEVER)
    made = boto3.session.Session().client("sagemaker", REGION, endpoint_url=server)
    yield made
    demand_rights(server, NEVER)
    for row in made.list_endpoints()["Endpoints"]:
        made.delete_endpoint(EndpointName=row["EndpointName"])
    for row in made.list_notebook_instances()["NotebookInstances"]:
        if row["NotebookInstanceStatus"] == "InService":
            made.stop_notebook_instance(NotebookInstanceName=row["NotebookInstanceName"])
        made.delete_notebook_instance(NotebookInstanceName=row["NotebookInstanceName"])


def source(server: str, **settings: Any) -> Sagemaker:
    return Sagemaker(endpoint_url=server, **{"regions": (REGION,), **settings})


def train(client: Any, name: str, **tags: str) -> None:
    client.create_training_job(
        TrainingJobName=name,
        HyperParameters={"hub_token": CANARY},
        Environment={"HUB_TOKEN": CANARY},
        AlgorithmSpecification={"TrainingImage": "image", "TrainingInputMode": "File"},
        RoleArn=ROLE,
        InputDataConfig=[
            {
                "ChannelName": "train",
                "DataSource": {
                    "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://data/images/"}
                },
            }
        ],
        OutputDataConfig={"S3OutputPath": "s3://models/out"},
        ResourceConfig={
            "InstanceType": "ml.p4d.24xlarge",
            "InstanceCount": 2,
            "VolumeSizeInGB": 50,
        },
        StoppingCondition={"MaxRuntimeInSeconds": 3600},
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )


def serve(client: Any, name: str) -> None:
    client.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "image"})
    variant = {"VariantName": "all", "ModelName": name, "InstanceType": "ml.g4dn.xlarge"}
    client.create_endpoint_config(
        EndpointConfigName=name, ProductionVariants=[{**variant, "InitialInstanceCount": 3}]
    )
    client.create_endpoint(
        EndpointName=name, EndpointConfigName=name, Tags=[{"Key": "team", "Value": "serving"}]
    )


def one(nights: Nights, arn: str, columns: str) -> tuple[Any, ...]:
    """Return columns of a run."""
    found = [row[1:] for row in nights.rows("runs", f"native_id, {columns}") if row[0] == arn]
    (row,) = found
    return row


def test_a_training_job_is_told_whole(server: str, client: Any, tmp_path: Path) -> None:
    train(client, "resnet", team="vision", project="search", user="ann", mlflow_run_id="r1")
    nights = Nights(tmp_path, "sagemaker")
    nights.night(source(server), datetime.now(UTC))
    arn = f"{ARN}:training-job/resnet"
    columns = "system, kind, run_name, user_raw, team_raw, project_raw, status, cloud_job_arn"
    told = ("sagemaker", "training", "resnet", "ann", "vision", "search", "succeeded", arn)
    assert one(nights, arn, columns) == told
    gpus, started, ended = one(nights, arn, "gpu_count, started_at, ended_at")
    assert gpus == Decimal(16)
    assert started <= ended <= datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=1)
    columns = "dataset_uri, context"
    assert nights.rows("run_inputs", columns) == [("s3://data/images", "train")]
    assert [row[0][:12] for row in nights.rows("run_outputs", "dataset_uri")] == ["s3://models/"]
    tagged = nights.rows("run_tags", "called, tags['mlflow_run_id']")
    assert tagged == [("tag", "r1")]


def test_hyperparameters_and_environments_are_not_kept(
    server: str, client: Any, tmp_path: Path
) -> None:
    """They hold secrets; nor are the credentials that AWS was asked with."""
    train(client, "secretive")
    nights = Nights(tmp_path, "sagemaker")
    nights.night(source(server), datetime.now(UTC))
    assert "secretive" in nights.text()
    assert CANARY not in nights.text()


def test_an_endpoint_lasts_until_it_is_deleted(server: str, client: Any, tmp_path: Path) -> None:
    serve(client, "ranker")
    nights, arn = Nights(tmp_path, "sagemaker"), f"{ARN}:endpoint/ranker"
    at = datetime.now(UTC)
    for night in range(2):
        now = at + timedelta(days=night)
        nights.night(source(server), now)
        columns = "kind, team_raw, status, gpu_count, ended_at, last_seen_at"
        seen = now.replace(tzinfo=None)
        told = ("serving", "serving", "running", Decimal(3), None, seen)
        assert one(nights, arn, columns) == told
    client.delete_endpoint(EndpointName="ranker")
    missed = at + timedelta(days=2)
    assert nights.night(source(server), missed) == 1
    ended = missed.replace(tzinfo=None)
    assert one(nights, arn, "status, status_raw, ended_at") == ("cancelled", "Deleted", ended)
    assert nights.night(source(server), missed + timedelta(days=1)) == 0
    assert one(nights, arn, "ended_at") == (ended,)


def test_a_notebook_costs_until_it_is_stopped(server: str, client: Any, tmp_path: Path) -> None:
    name = {"NotebookInstanceName": "lab"}
    client.create_notebook_instance(**name, InstanceType="ml.p3.2xlarge", RoleArn=ROLE)
    nights, arn = Nights(tmp_path, "sagemaker"), f"{ARN}:notebook-instance/lab"
    nights.night(source(server), datetime.now(UTC))
    assert one(nights, arn, "kind, status, gpu_count, ended_at") == (
        "notebook",
        "running",
        Decimal(1),
        None,
    )
    client.stop_notebook_instance(**name)
    nights.night(source(server), datetime.now(UTC) + timedelta(minutes=1))
    status, ended = one(nights, arn, "status, ended_at")
    assert status == "cancelled"
    assert ended is not None


def test_a_tag_edited_late_is_found_when_the_last_month_is_read_again(
    server: str, client: Any, tmp_path: Path
) -> None:
    train(client, "tagged-late")
    nights, arn = Nights(tmp_path, "sagemaker"), f"{ARN}:training-job/tagged-late"
    at = datetime.now(UTC)
    nights.night(source(server), at)
    client.add_tags(ResourceArn=arn, Tags=[{"Key": "team", "Value": "speech"}])
    nights.night(source(server), at + timedelta(days=8))
    assert one(nights, arn, "team_raw") == ("speech",)


def test_what_is_refused_is_named_and_the_next_night_reads_from_the_same_time(
    server: str, client: Any, tmp_path: Path
) -> None:
    nights, at = Nights(tmp_path, "sagemaker"), datetime.now(UTC)
    demand_rights(server, 0)
    with pytest.raises(SourceError) as error:
        nights.night(source(server), at)
    demand_rights(server, NEVER)
    assert CANARY not in str(error.value) + str(error.value.__notes__)
    assert nights.landed == []
    train(client, "after-refusal")
    assert nights.night(source(server), at) >= 1


def test_a_storm_changes_nothing_of_what_is_told(server: str, client: Any, tmp_path: Path) -> None:
    """Throttled, down, and cut off in the middle, night after night."""
    nights = {name: Nights(tmp_path / name, "sagemaker") for name in ("calm", "storm")}
    at = datetime.now(UTC)
    with fronting(server) as front:
        for night, name in enumerate(("storm-1", "storm-2")):
            train(client, name)
            serve(client, f"{name}-served")
            front.faults += ["ThrottlingException", "half", "InternalFailure", "half"]
            front.throttled["sagemaker:/"] = 2
            for way, address in (("calm", server), ("storm", front.address)):
                nights[way].folder.mkdir(exist_ok=True)
                nights[way].night(source(address), at + timedelta(hours=night))
            assert front.faults == []
            assert front.throttled["sagemaker:/"] == 0
    told = "run_key, native_id, status, started_at, ended_at"
    assert nights["storm"].rows("runs", told) == nights["calm"].rows("runs", told)
    assert {"storm-1", "storm-2-served"} <= {
        row[0] for row in nights["storm"].rows("runs", "run_name")
    }


def test_an_answer_that_breaks_off_each_time_is_told(
    server: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To boto3 it is a list without anything in it, so that all that runs would seem gone."""
    monkeypatch.setattr(aws_halves, "_FIRST_WAIT", 0.01)
    train(client, "not-gone")
    serve(client, "not-gone")
    nights, at = Nights(tmp_path, "sagemaker"), datetime.now(UTC)
    nights.night(source(server), at)
    before = nights.rows("runs", "native_id, status")
    with fronting(server) as front:
        front.faults = ["half"] * 300
        with pytest.raises(SourceError, match="HalfAnswer"):
            nights.night(source(front.address), at + timedelta(days=1))
    assert nights.rows("runs", "native_id, status") == before


def test_a_token_that_expires_in_the_night_is_told_and_the_next_night_goes_on(
    server: str, client: Any, tmp_path: Path
) -> None:
    train(client, "before-the-end")
    nights, at = Nights(tmp_path, "sagemaker"), datetime.now(UTC)
    with fronting(server) as front:
        front.faults = ["ExpiredTokenException"]
        with pytest.raises(SourceError, match="ExpiredToken"):
            nights.night(source(front.address), at)
        assert nights.landed == []
        assert nights.night(source(front.address), at + timedelta(days=1)) >= 1
    assert "before-the-end" in {row[0] for row in nights.rows("runs", "run_name")}


def test_kinds_can_be_left_out(server: str, client: Any, tmp_path: Path) -> None:
    serve(client, "left-out")
    names = [kind.name for kind in KINDS if kind.name != "training_job"]
    nights = Nights(tmp_path, "sagemaker")
    nights.night(source(server, without=tuple(names)), datetime.now(UTC))
    assert {row[0] for row in nights.rows("runs", "kind")} <= {"training"}


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"without": ("notebooks",)}, "did you mean notebook"),
        ({"rescan_days": 0}, "days are 1 or more"),
    ],
)
def test_settings_that_cannot_be_are_told(
    tmp_path: Path, settings: dict[str, Any], what: str
) -> None:
    with pytest.raises(SourceError, match=what):
        Nights(tmp_path, "sagemaker").night(Sagemaker(**settings), datetime.now(UTC))


def test_every_kind_of_job_says_where_its_data_is() -> None:
    """As the API's reference describes processing and transform jobs."""
    at = datetime(2026, 10, 3, 2, tzinfo=UTC)
    processing = {
        "ProcessingJobName": "prepare",
        "ProcessingJobArn": f"{ARN}:processing-job/prepare",
        "ProcessingJobStatus": "InProgress",
        "ProcessingInputs": [
            {"InputName": "code", "S3Input": {"S3Uri": "s3://code/prepare.py"}},
            {"InputName": "raw", "S3Input": {"S3Uri": "s3://data/raw"}},
        ],
        "ProcessingOutputConfig": {"Outputs": [{"S3Output": {"S3Uri": "s3://data/clean"}}]},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 4}
        },
    }
    row = Work(KINDS[1], REGION, processing).row(at)
    assert '[["raw", "s3://data/raw"]]' in row
    assert '["s3://data/clean"]' in row
    assert '[{"type": "ml.m5.large", "count": 4}]' in row
    assert at.isoformat() in row
