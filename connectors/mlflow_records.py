"""What MLflow knows, as all of its backends give it, and the raw tables that it is delivered in.

A run is delivered whole: its row, its datasets and its models carry the same unit, so that a
dataset that a run no longer lists goes with the older unit. Parameters and metrics stay where they
are: parameters may hold secrets, and no figure needs either.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol

from connectors.base import Checksum, ColumnType, Table

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from typing import BinaryIO

    from connectors.base import Format

OPEN_STATUSES = ("RUNNING", "SCHEDULED")
UNREAD_TAGS = frozenset({"mlflow.source.git.diff", "mlflow.log-model.history"})
"""Tags that hold source code, or kilobytes of JSON that nothing here reads."""

Tags = tuple[tuple[str, str], ...]
"""(key, value), sorted."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment: runs that belong together."""

    experiment_id: str
    name: str | None
    lifecycle_stage: str | None

    @property
    def key(self) -> str:
        """What tells it from others."""
        return self.experiment_id

    @property
    def row(self) -> tuple[object, ...]:
        """Its row of `experiments`."""
        return (self.experiment_id, self.name, self.lifecycle_stage)


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version of a registered model."""

    name: str
    version: str
    run_id: str | None
    source: str | None
    """Where its files are: `models:/m-...`, an artifact URI."""
    current_stage: str | None
    creation_time: int | None
    """ms."""
    last_updated_time: int | None
    """ms."""

    @property
    def key(self) -> str:
        """What tells it from others."""
        return f"{self.name}/{self.version}"

    @property
    def row(self) -> tuple[object, ...]:
        """Its row of `model_versions`."""
        return (
            self.name,
            self.version,
            self.run_id,
            self.source,
            self.current_stage,
            self.creation_time,
            self.last_updated_time,
        )


@dataclass(frozen=True, slots=True, order=True)
class LoggedDataset:
    """A dataset as a run logged it."""

    name: str
    digest: str
    source_type: str
    source: str
    """JSON, such as {"uri": "s3://bucket/key"}."""
    tags: Tags
    """`mlflow.data.context` and what else the run said of this use."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run. Times are ms since 1970, as the client that logged the run had them."""

    run_id: str
    run_name: str | None
    experiment_id: str
    user_id: str | None
    status: str | None
    start_time: int | None
    end_time: int | None
    lifecycle_stage: str | None
    last_metric_time: int | None
    """Time of the newest metric, for runs without an end alone."""
    tags: Tags
    datasets: tuple[LoggedDataset, ...]
    """Sorted."""
    model_ids: tuple[str, ...]
    """Logged models that the run made, sorted."""

    @property
    def is_open(self) -> bool:
        """Whether it may still go on."""
        return self.status in OPEN_STATUSES

    @property
    def last_sign(self) -> int:
        """When it was last heard of."""
        return max(self.start_time or 0, self.end_time or 0, self.last_metric_time or 0)

    @property
    def row(self) -> tuple[object, ...]:
        """Its row of `runs`."""
        return (
            self.run_id,
            self.run_name,
            self.experiment_id,
            self.user_id,
            self.status,
            self.start_time,
            self.end_time,
            self.lifecycle_stage,
            self.last_metric_time,
            as_map(self.tags),
        )

    @property
    def content(self) -> tuple[object, ...]:
        """All that is delivered of it."""
        datasets = [(*as_dataset_row(dataset),) for dataset in self.datasets]
        return (*self.row, datasets, self.model_ids)


def as_dataset_row(dataset: LoggedDataset) -> tuple[object, ...]:
    """Return a row of `run_inputs`, without the run."""
    return (
        dataset.name,
        dataset.digest,
        dataset.source_type,
        dataset.source,
        as_map(dataset.tags),
    )


def as_tags(pairs: Collection[tuple[str, str | None]]) -> Tags:
    """Sort tags, and leave out those that are not read."""
    return tuple(sorted((key, value or "") for key, value in pairs if key not in UNREAD_TAGS))


def as_map(tags: Tags) -> list[dict[str, str]]:
    """Return tags as Parquet's list of keys and values."""
    return [{"key": key, "value": value} for key, value in tags]


def digest_of(content: object) -> bytes:
    """Return six bytes that tell whether a record changed."""
    text = json.dumps(content, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=6).digest()


class Backend(Protocol):
    """One way to read MLflow; each yields the same records."""

    @property
    def requests(self) -> int:
        """Requests or statements so far."""
        ...

    def experiments(self) -> Iterator[Experiment]:
        """Yield every experiment, deleted ones too."""
        ...

    def runs(self, since: int, *, started: bool) -> Iterator[Run]:
        """Yield each run that is open or ended since (ms); with `started` those started since too.

        Deleted runs are runs like others. A run may come twice.
        """
        ...

    def runs_by_id(self, run_ids: Sequence[str]) -> Iterator[Run]:
        """Yield those of the runs that are still there."""
        ...

    def model_versions(self, since: int) -> Iterator[ModelVersion]:
        """Yield each version of a model that changed since (ms)."""
        ...


RUNS = Table(
    name="runs",
    columns={
        "run_id": "text",
        "run_name": "text",
        "experiment_id": "text",
        "user_id": "text",
        "status": "text",
        "start_time": "integer",
        "end_time": "integer",
        "lifecycle_stage": "text",
        "last_metric_time": "integer",
        "tags": "tags",
    },
)
RUN_INPUTS = Table(
    name="run_inputs",
    columns={
        "run_id": "text",
        "dataset_name": "text",
        "dataset_digest": "text",
        "dataset_source_type": "text",
        "dataset_source": "text",
        "tags": "tags",
    },
)
RUN_LOGGED_MODELS = Table(name="run_logged_models", columns={"run_id": "text", "model_id": "text"})
MODEL_VERSIONS = Table(
    name="model_versions",
    columns={
        "name": "text",
        "version": "text",
        "run_id": "text",
        "source": "text",
        "current_stage": "text",
        "creation_time": "integer",
        "last_updated_time": "integer",
    },
)
EXPERIMENTS = Table(
    name="experiments",
    columns={"experiment_id": "text", "name": "text", "lifecycle_stage": "text"},
)


@dataclass(frozen=True, slots=True)
class ParquetFile:
    """Rows as a file of a delivery."""

    name: str
    content: bytes = field(repr=False)
    format: Format = "parquet"
    checksum: Checksum | None = None

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.content)

    def open(self) -> BinaryIO:
        """Open the bytes for one reading from the start."""
        return io.BytesIO(self.content)


@dataclass(slots=True)
class ParquetParts:
    """Rows of one table, written to files of limited size as they come: memory stays small."""

    table: Table
    row_count: int = 0
    _rows: list[tuple[object, ...]] = field(default_factory=list)
    _files: list[ParquetFile] = field(default_factory=list)

    rows_per_file: ClassVar[int] = 20_000

    def add(self, row: tuple[object, ...]) -> None:
        """Add a row, its values in the order of the table's columns."""
        self._rows.append(row)
        self.row_count += 1
        if len(self._rows) == self.rows_per_file:
            self._write()

    def files(self) -> list[ParquetFile]:
        """Return the rows so far as files; none for no rows."""
        if self._rows:
            self._write()
        return list(self._files)

    def _write(self) -> None:
        import polars as pl  # noqa: PLC0415  (slow to import; most nights write nothing)

        kinds: Mapping[ColumnType, pl.DataType] = {
            "text": pl.String(),
            "integer": pl.Int64(),
            "tags": pl.List(pl.Struct({"key": pl.String(), "value": pl.String()})),
        }
        schema = {column: kinds[kind] for column, kind in self.table.columns.items()}
        frame = pl.DataFrame(self._rows, schema=schema, orient="row")
        buffer = io.BytesIO()
        frame.write_parquet(buffer, compression="zstd")
        name = f"{self.table.name}-{len(self._files):04}.parquet"
        self._files.append(ParquetFile(name, buffer.getvalue()))
        self._rows.clear()
