"""Whole nights on jobs of schedulers: each second that a job held is paid, and by whom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import boto3  # type: ignore[import-untyped]  # noqa: TID251 - it makes the job
import pytest

from tests.jobs.nights import FOCUS, HEADER
from tests.jobs.test_other_bills import ask, billed, night
from tests.servers.moto import s3_server

if TYPE_CHECKING:
    from pathlib import Path

SACCT = "JobIDRaw|JobID|DBIndex|User|Account|State|Submit|Start|End|AllocTRES|NodeList"


def job(number: str, index: int, account: str, state: str, hours: tuple[int, int, int]) -> str:
    """Return a line of sacct: a job on one node from an hour to another, and its GPUs."""
    start, end, gpus = hours
    times = [f"2026-10-01T{hour:02}:00:00" for hour in (start, start, end)]
    tres = f"cpu=4,gres/gpu:h100={gpus},gres/gpu={gpus}"
    return "|".join([number, number, str(index), "ann", account, state, *times, tres, "gpu-01"])


def test_jobs_of_slurm_share_a_machine_of_ones_own(tmp_path: Path) -> None:
    """Of 8 GPUs for 24 hours vision held 4 for 12, in two attempts, and speech 2 for 12."""
    (tmp_path / "card.csv").write_text(
        "machine_id,currency,price,life_months,in_service,out_of_service,gpu_count,"
        "hosting_per_month\n"
        "gpu-01,EUR,73000,48,2026-10-01,2026-10-02,8,3100\n",
        encoding="utf-8",
    )
    (tmp_path / "sacct").mkdir()
    lines = [
        SACCT,
        job("17", 1, "vision", "REQUEUED", (0, 6, 4)),
        job("17", 2, "vision", "COMPLETED", (8, 14, 4)),
        job("18", 3, "speech", "FAILED", (2, 14, 2)),
    ]
    (tmp_path / "sacct" / "2026-10-02.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")
    night(
        tmp_path,
        '[connectors.rate_card]\npath = "card.csv"\n[connectors.slurm]\nroot = "sacct"\n',
    )
    assert billed(tmp_path) == {"EUR": Decimal(73100)}
    teams = dict(
        ask(
            tmp_path,
            "select member, sum(effective_cost) from marts.spend_daily where dimension = 'team' "
            "group by all",
        )
    )
    day = Decimal(73100)
    assert teams == {"vision": day / 4, "speech": day / 8, "(idle)": day * 5 / 8}


@pytest.mark.servers
def test_what_the_bill_names_by_its_arn_is_its_jobs_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with s3_server(tmp_path) as server:
        client = boto3.session.Session().client("sagemaker", "us-east-1", endpoint_url=server)
        made = client.create_training_job(
            TrainingJobName="resnet",
            AlgorithmSpecification={"TrainingImage": "image", "TrainingInputMode": "File"},
            RoleArn="arn:aws:iam::123456789012:role/sagemaker",
            OutputDataConfig={"S3OutputPath": "s3://models/out"},
            ResourceConfig={
                "InstanceType": "ml.p4d.24xlarge",
                "InstanceCount": 1,
                "VolumeSizeInGB": 50,
            },
            StoppingCondition={"MaxRuntimeInSeconds": 3600},
            Tags=[{"Key": "team", "Value": "vision"}],
        )
        arn = made["TrainingJobArn"]
        today = datetime.now(UTC).date()
        (month, after) = (today.replace(day=1), today.replace(day=1) + timedelta(days=32))
        cost = "32.772600000001"
        lines = [
            f"{cost},{cost},{cost},{cost},USD,111,{month}T00:00:00Z,{after.replace(day=1)}"
            f"T00:00:00Z,{today}T00:00:00Z,{today + timedelta(days=1)}T00:00:00Z,Usage,"
            f"Usage-Based,Amazon SageMaker,AI and Machine Learning,AWS,{resource},{{}}\n"
            for resource in (arn, f"{arn}-of-another")
        ]
        (tmp_path / "bills").mkdir()
        (tmp_path / "bills" / "bill.csv").write_text(HEADER + "".join(lines), encoding="utf-8")
        night(tmp_path, f'{FOCUS}[connectors.sagemaker]\nendpoint_url = "{server}"\n')
    assert billed(tmp_path) == {"USD": 2 * Decimal(cost)}
    teams = dict(
        ask(
            tmp_path,
            "select member, sum(effective_cost) from marts.spend_daily where dimension = 'team' "
            "group by all",
        )
    )
    assert teams == {"vision": Decimal(cost), "unattributed": Decimal(cost)}
