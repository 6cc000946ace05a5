"""MLflow: runs, the datasets they read, the models they made, and which versions those became.

MLflow cannot say what changed. A night therefore reads again what may have changed (what is open,
what ended in the last days, and once a week all runs of the last month, because a tag edited late
moves no time), and delivers what differs from what it delivered before: a night without changes
delivers nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit, urlunsplit

from connectors.base import Delivery, SourceError, Table
from connectors.mlflow_db import open_sqlite
from connectors.mlflow_gpus import GPU_METRICS, GpuDays
from connectors.mlflow_objectives import OBJECTIVES, Histories, Named
from connectors.mlflow_records import (
    EXPERIMENTS,
    MODEL_VERSIONS,
    RUN_INPUTS,
    RUN_LOGGED_MODELS,
    RUNS,
    Run,
    as_dataset_row,
)
from connectors.records import ParquetParts, digest_of
from connectors.secrets import as_bearer, as_login, secret_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import Self

    from connectors.base import Known
    from connectors.mlflow_records import Backend, Experiment, ModelVersion

_log = logging.getLogger(__name__)

_DAY = 24 * 60 * 60 * 1000
_HIGH_WATER_LAG = 5 * 60 * 1000
"""Clocks differ, and a transaction may commit late."""
_SILENCE = _DAY
"""A run that gives no sign of life for so long is delivered once more: staging ends it."""
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Mlflow:
    """One MLflow, read through its server or from its database."""

    root: str = field(repr=False)
    """`https://mlflow.example`, `postgresql://host/mlflow`, `sqlite:////srv/mlflow.db` or a path.

    Without passwords: those come from the environment.
    """
    token_env: str = ""
    """Environment variable that holds a bearer token, for a server."""
    username_env: str = ""
    """Environment variable that holds the user's name, for a server or PostgreSQL."""
    password_env: str = ""
    """Environment variable that holds the user's password."""
    workspace: str = ""
    """The workspace to read of a server; none: all that the user may see. Databases: all."""
    artifacts_root: str = ""
    """What `mlflow-artifacts:` stands for, as the server's `--artifacts-destination` says."""
    overlap_days: int = 3
    """Runs that ended in the days before the last extraction are read again."""
    rescan_days: int = 35
    """How far back late edits and runs logged with past dates are looked for."""
    rescan_every_days: int = 7
    """How often that is done; 0: every night, which costs a database little."""
    backfill_days: int = 0
    """Days to look back on the first night; 0: to the first run. More days later fetch the rest."""
    gpu_metrics: bool = False
    """Whether to read how busy GPUs were, where runs log system metrics."""
    objectives: tuple[str, ...] = ()
    """Metrics that runs are for, such as "val_loss" or "val/*": their history is read."""
    page_size: int = 1000
    """Runs per request to a server."""
    timeout_seconds: int = 120
    """How long one request or statement may take."""

    name: ClassVar[str] = "mlflow"
    tables: ClassVar[Sequence[Table]] = (
        EXPERIMENTS,
        GPU_METRICS,
        MODEL_VERSIONS,
        OBJECTIVES,
        RUN_INPUTS,
        RUN_LOGGED_MODELS,
        RUNS,
    )

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield what is new or changed since the last delivery; nothing where nothing did.

        Raises: SourceError
        """
        yield from self.deliveries_at(known, datetime.now(UTC))

    def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
        """Yield deliveries as of a time of extraction, whose unit they carry."""
        named = Named.of(self.objectives, f"[connectors.{self.name}]")
        with self.open() as backend:
            backend.objectives = named
            night = _Night(self, backend, known, at)
            yield from night.experiments()
            yield from night.model_versions()
            yield from night.runs()
            yield from night.gpu_metrics()
            yield from night.objectives()
            _log.info("mlflow: %d requests, %d runs read", backend.requests, night.runs_read)

    def open(self) -> AbstractContextManager[Backend]:
        """Connect.

        Raises: SourceError
        """
        parts = urlsplit(self.root)
        where = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
        if parts.password or (parts.username and parts.scheme.startswith("http")):
            raise SourceError(
                "root holds credentials",
                where=where,
                fix="put them into environment variables, and name those in username_env and "
                "password_env, or token_env",
            )
        if parts.scheme in ("http", "https"):
            return self._open_rest(where)
        if parts.scheme.partition("+")[0] in ("postgresql", "postgres"):
            from connectors.mlflow_postgres import open_postgres  # noqa: PLC0415 - loads a driver

            return open_postgres(
                urlunsplit(parts._replace(scheme="postgresql")),
                user=secret_of(self.username_env, where=where, is_name=True) or None,
                password=secret_of(self.password_env, where=where) or None,
                where=where,
                timeout_seconds=self.timeout_seconds,
            )
        if parts.scheme in ("", "sqlite"):
            path = Path(self.root.removeprefix("sqlite:///"))
            return open_sqlite(path, where=str(path), timeout_seconds=self.timeout_seconds)
        raise SourceError(
            f"root begins with {parts.scheme}://, which is not read",
            where=where,
            fix="begin it with https://, postgresql:// or sqlite:////, or name a SQLite file; "
            "any other store is read through its server",
        )

    def _open_rest(self, where: str) -> AbstractContextManager[Backend]:
        # both load an HTTP client, which a night on a database needs not
        from connectors.http import JsonService  # noqa: PLC0415
        from connectors.mlflow_rest import Rest  # noqa: PLC0415

        def headers() -> dict[str, str]:
            username = secret_of(self.username_env, where=where, is_name=True)
            password, token = (
                secret_of(named, where=where) for named in (self.password_env, self.token_env)
            )
            return as_login(username, password) or as_bearer(token)

        service = JsonService.at(
            "MLflow", where, headers=headers, timeout_seconds=self.timeout_seconds
        )
        return Rest(service, self.page_size, self.workspace)


@dataclass(slots=True)
class _Memory:
    """What was delivered of one table, as far back as it may still change: the cursor's text.

    Twelve bytes a record: six of its key's digest, six of its content's. Two keys with one digest
    (one in a million for 20,000 records) only mean that both are delivered each night.
    """

    high_water: int = 0
    """ms; everything before was read."""
    rescanned: int = 0
    """ms; when the last re-scan was."""
    reach: int = 0
    """ms; how far back was ever looked, 0: to the first run."""
    open_ids: set[str] = field(default_factory=set)
    """Runs that were not over."""
    digests: dict[bytes, bytes] = field(default_factory=dict)
    """Digest of a key -> digest of the content delivered."""

    @classmethod
    def of(cls, cursor: str | None) -> Self | None:
        """Read a cursor; none on the first night, and where another format is to be begun anew."""
        if cursor is None:
            return None
        held = json.loads(cursor)
        if held.get("format") != _FORMAT:
            return None
        packed = base64.b64decode(held["digests"])
        pairs = (packed[start : start + 12] for start in range(0, len(packed), 12))
        return cls(
            high_water=held["high_water"],
            rescanned=held["rescanned"],
            reach=held.get("reach", 0),
            open_ids=set(held["open"]),
            digests={pair[:6]: pair[6:] for pair in pairs},
        )

    def text(self) -> str:
        """Write the cursor."""
        packed = b"".join(key + content for key, content in sorted(self.digests.items()))
        return json.dumps(
            {
                "format": _FORMAT,
                "high_water": self.high_water,
                "rescanned": self.rescanned,
                "reach": self.reach,
                "open": sorted(self.open_ids),
                "digests": base64.b64encode(packed).decode(),
            }
        )


@dataclass(slots=True)
class _Night:
    """One extraction."""

    config: Mlflow
    backend: Backend
    known: Known
    at: datetime
    runs_read: int = 0
    gpus: GpuDays | None = field(init=False, default=None)
    histories: Histories | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Find the days that GPUs are asked about."""
        if self.config.gpu_metrics:
            self.gpus = GpuDays.of(self.known.cursor(GPU_METRICS.name), self.at)

    @property
    def now(self) -> int:
        """The time of extraction, in ms since 1970."""
        return int(self.at.timestamp() * 1000)

    def experiments(self) -> Iterator[Delivery]:
        """Yield the experiments that are new or renamed."""
        before = _Memory.of(self.known.cursor(EXPERIMENTS.name)) or _Memory()
        root, is_whole = self.config.artifacts_root, self.config.backfill_days == 0
        found = (
            replace(one, artifacts_root=root, has_all_runs=is_whole)
            for one in self.backend.experiments()
        )
        yield from self._keyed(EXPERIMENTS, found, before, _Memory())

    def model_versions(self) -> Iterator[Delivery]:
        """Yield the versions of models that are new or changed."""
        before = _Memory.of(self.known.cursor(MODEL_VERSIONS.name))
        since = self._overlap(before) if before else 0
        after = _Memory(high_water=self.now - _HIGH_WATER_LAG)
        versions = self.backend.model_versions(since)
        yield from self._keyed(MODEL_VERSIONS, versions, before or _Memory(), after)

    def _keyed(
        self,
        table: Table,
        records: Iterable[Experiment | ModelVersion],
        before: _Memory,
        after: _Memory,
    ) -> Iterator[Delivery]:
        parts = ParquetParts(table)
        for record in records:
            key, content = digest_of(record.key), digest_of(record.row)
            after.digests[key] = content
            if before.digests.get(key) != content:
                parts.add(record.row)
        if parts.row_count:
            yield self._delivery(parts, after.text())

    def runs(self) -> Iterator[Delivery]:
        """Yield the runs that are new or changed, each with all its datasets and models."""
        before = _Memory.of(self.known.cursor(RUNS.name))
        rows, inputs, models = (
            ParquetParts(table) for table in (RUNS, RUN_INPUTS, RUN_LOGGED_MODELS)
        )
        after, changed = self._compare(before)
        for run in changed:
            rows.add(run.row)
            for dataset in run.datasets:
                inputs.add((run.run_id, *as_dataset_row(dataset)))
            for model_id in run.model_ids:
                models.add((run.run_id, model_id))
        for parts in (inputs, models):
            if parts.row_count:
                # A cursor that says nothing: where these are refused, the runs must not pass.
                yield self._delivery(parts, "")
        if rows.row_count:
            yield self._delivery(rows, after.text())

    def gpu_metrics(self) -> Iterator[Delivery]:
        """Yield the days of GPUs, of the runs that this night saw."""
        if self.gpus:
            yield from self.gpus.deliveries(self.backend)

    def objectives(self) -> Iterator[Delivery]:
        """Yield the new points of the metrics that runs are for, of the runs that the night saw."""
        if self.histories:
            yield from self.histories.deliveries(self.backend)

    def _compare(self, before: _Memory | None) -> tuple[_Memory, Iterator[Run]]:
        """Return what is to be remembered, complete once the changed runs are consumed."""
        floor = self.now - self.config.rescan_days * _DAY
        last_scan = before.rescanned if before else 0
        scans = self.now - last_scan >= self.config.rescan_every_days * _DAY
        days = self.config.backfill_days
        since = reach = self.now - days * _DAY if days else 0
        if before:
            is_deeper = reach < before.reach
            scans = scans or is_deeper
            reach = min(reach, before.reach)
            since = min(self._overlap(before), floor if scans else self.now)
            since = reach if is_deeper else max(since, reach)
        after = _Memory(
            high_water=self.now - _HIGH_WATER_LAG,
            rescanned=self.now if scans else last_scan,
            reach=reach,
            digests={} if before is None or scans else dict(before.digests),
        )
        return after, self._changed(before or _Memory(), after, since, floor, scans=scans)

    def _changed(
        self, before: _Memory, after: _Memory, since: int, floor: int, *, scans: bool
    ) -> Iterator[Run]:
        """Yield runs that differ from what was delivered, and note in `after` what is kept."""
        if self.config.objectives:
            cursor = self.known.cursor(OBJECTIVES.name)
            self.histories = Histories.of(cursor, self.at, scans=scans)
        seen: set[str] = set()
        ended_unseen = self._known_open(before, seen)
        for run in chain(self.backend.runs(since, started=scans), ended_unseen):
            if run.run_id in seen:
                continue
            seen.add(run.run_id)
            self.runs_read += 1
            if self.gpus:
                self.gpus.note(run)
            key, content = digest_of(run.run_id), digest_of([*run.content, self._is_silent(run)])
            if run.is_open:
                after.open_ids.add(run.run_id)
            is_kept = run.is_open or run.is_deleted or run.last_sign >= floor
            if self.histories:
                self.histories.note(run, is_kept=is_kept)
            if is_kept:
                after.digests[key] = content
            else:
                after.digests.pop(key, None)
            if before.digests.get(key) != content:
                yield run

    def _known_open(self, before: _Memory, seen: set[str]) -> Iterator[Run]:
        """Yield runs that were open, and that no search found: ended with a date in the past."""
        yield from self.backend.runs_by_id(sorted(before.open_ids - seen))

    def _is_silent(self, run: Run) -> bool:
        return run.is_open and self.now - run.last_sign >= _SILENCE

    def _overlap(self, before: _Memory) -> int:
        return max(0, before.high_water - self.config.overlap_days * _DAY)

    def _delivery(self, parts: ParquetParts, cursor: str) -> Delivery:
        files = parts.files()
        version = hashlib.sha256(b"".join(file.content for file in files)).hexdigest()
        return Delivery(
            table=parts.table.name,
            unit=self.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            version=version[:32],
            version_at=self.at,
            files=files,
            cursor=cursor,
            stated_rows=parts.row_count,
        )
