"""What can be reached from here, asked once and without patience: for set-up and for the doctor."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import httpx2

if TYPE_CHECKING:
    from datetime import datetime

_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What an address answered."""

    status: int
    at: datetime | None
    """The server's clock, UTC, where it says so."""
    text: str
    """The beginning of the answer."""


def ask_once(address: str) -> Reply:
    """Ask an address, without credentials and without following redirects.

    Raises: OSError, with the reason, where nothing answers.
    """
    try:
        with httpx2.Client(timeout=_PATIENCE, follow_redirects=False) as client:
            answer = client.get(address, headers={"user-agent": "mlspend"})
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise OSError(str(error) or type(error).__name__) from error
    at = None
    with suppress(ValueError):
        at = parsedate_to_datetime(answer.headers.get("date", ""))
    return Reply(answer.status_code, at, answer.text[:400])


@dataclass(frozen=True, slots=True)
class AwsReach:
    """What the AWS credentials of this environment can see of bills."""

    account: str = ""
    exports: list[tuple[str, str, str]] = field(default_factory=list)
    """(name, kind: `aws_cur` or `focus`, root as a connector takes it)."""
    problems: list[str] = field(default_factory=list)
    """What could not be asked, and why."""


def ask_aws() -> AwsReach:
    """List the bills that AWS writes for this account, as far as the credentials may."""
    import boto3  # type: ignore[import-untyped]  # noqa: PLC0415  (slow to load)
    from botocore.config import Config  # type: ignore[import-untyped]  # noqa: PLC0415
    from botocore.exceptions import (  # type: ignore[import-untyped]  # noqa: PLC0415
        BotoCoreError,
        ClientError,
    )

    patience = Config(connect_timeout=_PATIENCE, read_timeout=20, retries={"max_attempts": 1})
    session = boto3.session.Session()
    try:
        client = session.client("sts", region_name="us-east-1", config=patience)
        account = str(client.get_caller_identity()["Account"])
    except (BotoCoreError, ClientError) as error:
        return AwsReach(problems=[f"no AWS credentials that work: {error}"])
    exports: list[tuple[str, str, str]] = []
    problems: list[str] = []
    for service, right, ask in (
        ("bcm-data-exports", "bcm-data-exports:ListExports, GetExport", _data_exports),
        ("cur", "cur:DescribeReportDefinitions", _reports),
    ):
        try:
            exports += ask(session.client(service, region_name="us-east-1", config=patience))
        except (BotoCoreError, ClientError) as error:
            problems.append(f"{service} may not be asked ({right}): {error}")
    return AwsReach(account, exports, problems)


def _reports(client: Any) -> list[tuple[str, str, str]]:
    rows = client.describe_report_definitions()["ReportDefinitions"]
    return [
        (row["ReportName"], "aws_cur", _root(row["S3Bucket"], row["S3Prefix"], row["ReportName"]))
        for row in rows
    ]


def _data_exports(client: Any) -> list[tuple[str, str, str]]:
    found = []
    for row in client.list_exports()["Exports"]:
        export = client.get_export(ExportArn=row["ExportArn"])["Export"]
        place = export["DestinationConfigurations"]["S3Destination"]
        is_focus = "FOCUS" in export["DataQuery"]["QueryStatement"].upper()
        root = _root(place["S3Bucket"], place["S3Prefix"], export["Name"])
        found.append((export["Name"], "focus" if is_focus else "aws_cur", root))
    return found


def _root(bucket: str, prefix: str, name: str) -> str:
    return "s3://" + "/".join(part.strip("/") for part in (bucket, prefix, name) if part.strip("/"))
