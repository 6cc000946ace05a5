"""Flows for the tests' Prefect, run by its own client: `python prefect_flows.py <what> [...]`."""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import sys
import time
from pathlib import Path

from prefect import flow, tags, task  # type: ignore[import-not-found]

tried: list[int] = []


@task(retries=1, retry_delay_seconds=0)
def flaky() -> None:
    """Fail at first."""
    tried.append(1)
    time.sleep(0.2)
    if len(tried) == 1:
        raise ValueError("the first try")


@task
def broken(api_key: str) -> None:
    """Fail always."""
    raise RuntimeError(f"no, {len(api_key)}")


@flow(name="child")
def child() -> None:
    """Run below another flow."""
    flaky()


@flow(name="train")
def train(api_key: str) -> object:
    """Run a subflow, and a task that fails."""
    child()
    return broken(api_key, return_state=True)


@flow(name="wait")
def wait(end: str) -> None:
    """Go on until a file is there."""
    while not Path(end).exists():
        time.sleep(0.1)


if __name__ == "__main__":
    if sys.argv[1] == "train":
        with tags("team:vision", "project:search", "mlflow_run_id:8f3c"):
            train("canary-3f9c", return_state=True)
    else:
        wait(sys.argv[2])
