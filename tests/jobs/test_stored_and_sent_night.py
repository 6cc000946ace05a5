"""A night on what a run leaves behind: its disk, its files, the bytes that it sent."""

from __future__ import annotations

import gzip
import json
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from tests.connectors.mlflow_nights import HOUR, Store
from tests.connectors.test_s3_reads import packed_csv, write_inventory
from tests.jobs.nights import run
from tests.jobs.test_logged_night import HEADER, ask

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
[connectors.focus]
root = "bills"
[connectors.mlflow]
root = "mlflow.db"
[connectors.aws_inventory]
root = "listing"
[connectors.s3_inventory]
root = "inventory"
[connectors.vpc_flow_logs]
root = "flows"
"""
RUN, NEVER = "a" * 32, "b" * 32
GIB = 2**30
MIDNIGHT = int(datetime(2026, 10, 3, tzinfo=UTC).timestamp())
FLOW = (
    "interface-id instance-id srcaddr dstaddr bytes start flow-direction traffic-path\n"
    f"eni-1 i-0aaa 10.0.0.5 203.0.113.5 {3 * GIB} {MIDNIGHT + 60} egress 8\n"
)


def line(cost: int, resource: str, meter: str, quantity: str, hours: int = 24) -> str:
    code, category = ("AmazonEC2", "Compute") if "Box" in meter else ("AmazonEC2", "Storage")
    service = "Amazon Elastic Compute Cloud"
    if resource == "data":
        code, service = "AmazonS3", "Amazon Simple Storage Service"
    end = f"2026-10-03T{hours:02}:00:00Z" if hours < 24 else "2026-10-04T00:00:00Z"
    return (
        f"{cost},{cost},{cost},{cost},USD,111,2026-10-01T00:00:00Z,2026-11-01T00:00:00Z,"
        f"2026-10-03T00:00:00Z,{end},Usage,Usage-Based,{service},{category},AWS,{resource},"
        f"us-east-1,{meter},{quantity},{code},{{}}\n"
    )


def write_company(home: Path) -> None:
    (home / "mlspend.toml").write_text(CONFIG, encoding="utf-8")
    (home / "bills").mkdir()
    (home / "bills" / "2026-10.csv").write_text(
        HEADER
        + line(10, "i-0aaa", "BoxUsage:p3.2xlarge", "1,Hours", 1)
        + line(5, "vol-0aaa", "EBS:VolumeUsage.gp3", "1,GB-Mo")
        + line(8, "data", "TimedStorage-ByteHrs", "1,GB-Mo")
        + line(4, "i-0aaa", "USE1-DataTransfer-Out-Bytes", "4,GB"),
        encoding="utf-8",
    )
    store = Store(home / "mlflow.db", "s3://data/mlflow/1")
    with closing(store.connection):
        start = MIDNIGHT * 1000
        store.run(RUN, start, start + HOUR, finops__instance_id="i-0aaa", finops__user="ada")
        store.insert("model_versions", "resnet", 1, RUN, "", "None", start, start)
    listing = home / "listing" / "2026-10-03" / "123456789012"
    attached = {"InstanceId": "i-0aaa", "VolumeId": "vol-0aaa", "State": "attached"}
    disk = {"VolumeId": "vol-0aaa", "State": "in-use", "Size": 8, "Attachments": [attached]}
    for folder, call, answer in (
        ("global", "describe_regions", {"Regions": [{"RegionName": "us-east-1"}]}),
        ("us-east-1", "describe_volumes", {"Volumes": [disk]}),
    ):
        path = listing / folder / f"ec2.{call}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(answer) + "\n", encoding="utf-8")
    size = str(2 * GIB)
    objects = [
        (f"mlflow/1/{RUN}/artifacts/last.ckpt", "true", "false", size, "STANDARD"),
        (f"mlflow/1/{NEVER}/artifacts/last.ckpt", "true", "false", size, "STANDARD"),
    ]
    write_inventory(home / "inventory", packed_csv(objects), "csv.gz")
    (home / "flows").mkdir()
    name = "111122223333_vpcflowlogs_us-east-1_fl-0abc_20261003T0010Z_0a1b.log.gz"
    (home / "flows" / name).write_bytes(gzip.compress(FLOW.encode()))


def test_a_night_gives_a_run_what_it_leaves_behind(tmp_path: Path) -> None:
    """The files of no run are found, and what no log knows of the bytes sent is said."""
    write_company(tmp_path)

    done = run(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ask(
        tmp_path,
        "select service_name, member, sum(effective_cost) from marts.spend_daily "
        "where dimension = 'model' and effective_cost <> 0 group by all order by all",
    ) == [
        ("Amazon Elastic Compute Cloud", "resnet", Decimal(10 + 5 + 3)),
        ("Amazon Elastic Compute Cloud", "unattributed", Decimal(1)),
        ("Amazon Simple Storage Service", "resnet", Decimal(4)),
        ("Amazon Simple Storage Service", "unattributed", Decimal(4)),
    ]
    assert ask(tmp_path, "select effective_cost, user_id from marts.runs") == [(Decimal(22), "ada")]
    assert ask(tmp_path, "select container, told_by, logged_share from marts.egress_coverage") == [
        ("i-0aaa", "flow_log", 0.75)
    ]
    ((evidence,),) = ask(
        tmp_path, "select evidence from marts.findings where detector = 'orphaned_artefacts'"
    )
    assert evidence == "0 folders of deleted runs and 1 of no run hold 2 GiB"
