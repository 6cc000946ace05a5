"""DAGs of the test server's own folder: a retry, a mapped task, a failure, and one that goes on."""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import (  # type: ignore[import-not-found]
    dag,
    get_current_context,
    task,
)

CONTAINER = {
    "env": [{"name": "KEY", "value": "canary-3f9c"}],
    "resources": {"limits": {"nvidia.com/gpu": "2"}},
}
POD = {"pod_override": {"metadata": {"namespace": "ml"}, "spec": {"containers": [CONTAINER]}}}
SETTINGS = {"start_date": datetime(2026, 1, 1), "catchup": False}  # noqa: DTZ001
OWNED = {"default_args": {"owner": "ann"}, "tags": ["team:vision", "project:search"]}


@dag(schedule=None, **SETTINGS, **OWNED)
def train() -> None:
    """Retry once, spread, and fail."""

    @task(retries=1, retry_delay=timedelta(seconds=1))
    def flaky() -> None:
        if get_current_context()["ti"].try_number == 1:
            message = "the first try fails"
            raise RuntimeError(message)

    @task(executor_config=POD)
    def spread(number: int) -> int:
        return number

    @task
    def broken() -> None:
        message = "canary-3f9c"
        raise RuntimeError(message)

    @task
    def never() -> None:
        pass

    flaky() >> spread.expand(number=[1, 2]) >> broken() >> never()


@dag(schedule=None, **SETTINGS)
def wait() -> None:
    """Go on until a file named as the run is there."""

    @task
    def hold() -> None:
        run_id = get_current_context()["run_id"]
        while not (Path(__file__).parent / f"{run_id}.end").exists():
            time.sleep(0.2)

    hold()


train()
wait()
