"""DAGs that write and read an asset, put beside the others by the test that needs them."""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import (  # type: ignore[import-not-found]
    Asset,
    dag,
    get_current_context,
    task,
)

SETTINGS = {"start_date": datetime(2026, 1, 1), "catchup": False}  # noqa: DTZ001
IMAGES = Asset("images", uri="s3://Acme-Data/images/")


@dag(schedule=None, **SETTINGS)
def prepare() -> None:
    """Write an asset at the second try."""

    @task(outlets=[IMAGES], retries=1, retry_delay=timedelta(seconds=1))
    def write() -> None:
        if get_current_context()["ti"].try_number == 1:
            message = "the first try fails"
            raise RuntimeError(message)

    write()


@dag(schedule=[IMAGES], **SETTINGS)
def fit() -> None:
    """Begin when the asset was written, and read it in one of two tasks."""

    @task(inlets=[IMAGES])
    def read() -> None:
        pass

    @task
    def rest() -> None:
        pass

    read() >> rest()


prepare()
fit()
