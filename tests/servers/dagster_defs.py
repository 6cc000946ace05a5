"""Jobs and assets for the tests' Dagster."""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import os
import time
from pathlib import Path

from dagster import (  # type: ignore[import-not-found]
    DataVersion,
    Definitions,
    MaterializeResult,
    MetadataValue,
    RetryPolicy,
    asset,
    job,
    op,
)


@op(retry_policy=RetryPolicy(max_retries=1))
def flaky(context) -> None:  # type: ignore[no-untyped-def]
    """Fail at first."""
    time.sleep(0.2)
    if context.retry_number == 0:
        raise ValueError("the first attempt")


@op
def broken() -> None:
    """Fail always."""
    raise RuntimeError("no")


@op
def hold() -> None:
    """Go on until a file is there."""
    while not Path(os.environ["END"]).exists():
        time.sleep(0.1)


@job(tags={"team": "vision", "user": "ann", "mlflow_run_id": "8f3c"})
def train() -> None:
    """Run an op that fails at first, and one that always does."""
    flaky()
    broken()


@job
def wait() -> None:
    """Go on for a while."""
    hold()


@asset
def images() -> MaterializeResult:
    """Write a dataset."""
    address = MetadataValue.url("S3A://Acme-data/images/v3/")
    return MaterializeResult(metadata={"uri": address}, data_version=DataVersion("third"))


definitions = Definitions(assets=[images], jobs=[train, wait])
