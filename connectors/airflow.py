"""Airflow 3: DAG runs, each try of their tasks with its machine or pod, the assets that they use.

A task that was retried or cleared has several tries under one id; each of them is delivered.
Airflow tells what was updated, so that a night reads that, and what was still running.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from connectors.airflow_assets import ASSET_EVENTS, ASSETS, AssetEvents, Assets
from connectors.airflow_rest import DAG_RUNS, DAGS, TASK_TRIES, DagRuns, Dags, Rest, TaskTries
from connectors.base import SourceError
from connectors.platforms import check_address, days_of
from connectors.run_changes import Days, changes
from connectors.secrets import as_bearer, secret_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.base import Delivery, Known, Table

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Airflow:
    """One Airflow, read through its API server."""

    root: str = field(repr=False)
    """`https://airflow.example`, without `/api/v2` and without passwords."""
    token_env: str = ""
    """Environment variable that holds a token; one that lasts as long as the extraction."""
    username_env: str = ""
    """Environment variable that holds the name of a user who may read, instead of a token."""
    password_env: str = ""
    """Environment variable that holds that user's password."""
    overlap_days: int = 1
    """What changed in the days before the last extraction is read again."""
    rescan_days: int = 35
    """How far back changes are looked for that were written late."""
    rescan_every_days: int = 7
    """How often that is done."""
    backfill_days: int = 0
    """Days to look back on the first night; 0: to the first run. More days later fetch the rest."""
    page_size: int = 100
    """Records per request; Airflow gives no more than its `[api] maximum_page_limit`."""
    timeout_seconds: int = 120
    """How long one request may take."""

    name: ClassVar[str] = "airflow"
    tables: ClassVar[Sequence[Table]] = (ASSET_EVENTS, ASSETS, DAGS, DAG_RUNS, TASK_TRIES)

    def check(self) -> None:
        """Refuse settings that contradict each other.

        Raises: SourceError
        """
        check_address(self.root, self.name)
        back = (self.overlap_days, self.rescan_days, self.rescan_every_days, self.backfill_days)
        days_of(*back, kind=self.name)

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield what is new or changed since the last delivery; nothing where nothing did.

        Raises: SourceError
        """
        yield from self.deliveries_at(known, datetime.now(UTC))

    def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
        """Yield deliveries as of a time of extraction, whose unit they carry."""
        days = Days(self.overlap_days, self.rescan_days, self.rescan_every_days, self.backfill_days)
        with self.open() as rest:
            yield from changes(DAGS, Dags(rest), known, at, days)
            yield from changes(DAG_RUNS, DagRuns(rest), known, at, days)
            yield from changes(TASK_TRIES, TaskTries(rest), known, at, days)
            yield from changes(ASSETS, Assets(rest), known, at, days)
            yield from changes(ASSET_EVENTS, AssetEvents(rest), known, at, days)
            _log.info("airflow: %d requests", rest.service.requests)

    def open(self) -> Rest:
        """Connect.

        Raises: SourceError
        """
        from connectors.http import JsonService  # noqa: PLC0415 - loads an HTTP client

        parts = urlsplit(self.root)
        if parts.scheme not in ("http", "https") or parts.username or parts.password:
            raise SourceError(
                "root is not an address without credentials",
                where=f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}",
                fix='write "https://airflow.example", and name the environment variables that '
                "hold credentials in token_env, or username_env and password_env",
            )
        service = JsonService.at(
            "Airflow",
            self.root,
            headers=lambda: as_bearer(secret_of(self.token_env, where=self.root)),
            timeout_seconds=self.timeout_seconds,
        )
        login = None if self.token_env else self._login
        return Rest(service, self.page_size, login)

    def _login(self) -> tuple[str, str]:
        username = secret_of(self.username_env, where=self.root, is_name=True)
        return username, secret_of(self.password_env, where=self.root)
