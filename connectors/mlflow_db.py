"""MLflow read from its own database, without a server in between; here SQLite.

Reading is all that happens: SQLite is opened read-only, PostgreSQL in read-only transactions with a
time limit. Runs are walked along their primary key, a page at a time, each page in a short
transaction of its own: a long one would keep MLflow from writing (SQLite) or the database from
tidying up (PostgreSQL). `runs` has no index on its times, so one walk is as cheap as any filter.

COLUMNS is all that is read, so any database with these tables will do; a run's parameters, its
artifacts and the values of its metrics are not touched (but for those that the config names, and
how busy GPUs were, where it asks for that).
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections import defaultdict
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, ClassVar, TypeVar
from urllib.parse import quote

from connectors.base import SourceError
from connectors.mlflow_gpus import KEY_LIKE, Point, is_gpu_key
from connectors.mlflow_histories import database_histories, newest_points
from connectors.mlflow_records import (
    DEFAULT_WORKSPACE,
    OPEN_STATUSES,
    Experiment,
    LoggedDataset,
    ModelVersion,
    Run,
    as_tags,
    tells_its_end,
)
from connectors.tally import count_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from connectors.mlflow_gpus import Steps
    from connectors.mlflow_objectives import Asked, Mark, Named

T = TypeVar("T")

COLUMNS: Mapping[str, Sequence[str]] = {
    "experiments": ("experiment_id", "name", "lifecycle_stage", "artifact_location"),
    "runs": (
        "run_uuid",
        "name",
        "experiment_id",
        "user_id",
        "status",
        "start_time",
        "end_time",
        "lifecycle_stage",
    ),
    "tags": ("run_uuid", "key", "value"),
    "latest_metrics": ("run_uuid", "timestamp"),
    "datasets": ("dataset_uuid", "name", "digest", "dataset_source_type", "dataset_source"),
    "inputs": ("input_uuid", "source_type", "source_id", "destination_type", "destination_id"),
    "input_tags": ("input_uuid", "name", "value"),
    "model_versions": (
        "name",
        "version",
        "run_id",
        "source",
        "current_stage",
        "creation_time",
        "last_updated_time",
    ),
}
"""Table -> the columns read of it. Times are ms since 1970; they, `version` and `experiment_id` are
whole numbers, the rest is text. `inputs` joins a dataset (source DATASET) to a run (destination
RUN), and a run (source RUN_OUTPUT) to a logged model (destination MODEL_OUTPUT).

Source: MLflow 3.17, mlflow/store/tracking/dbmodels/models.py and
mlflow/store/model_registry/dbmodels/models.py
"""

OPTIONAL: Mapping[str, Sequence[str]] = {
    "experiments": ("workspace",),
    "model_versions": ("workspace",),
}
"""What younger versions of MLflow have besides; it reads as null where it is not there."""

PAGE = 1000
_DELETED_VERSION = "Deleted_Internal"
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_FIX_DAMAGED = (
    "root must name MLflow's SQLite file, and a whole one: make a copy of it anew with "
    '`sqlite3 mlflow.db ".backup copy.db"`, since a file that is copied while MLflow writes may be '
    "torn; what was read before stays in force"
)
_FIX_UNREADABLE = (
    "the file and its folder must be readable; a store that stays locked is better read "
    "through the server in front of it"
)


@dataclass(slots=True)
class Database(ABC):
    """The statements, which both kinds of database understand."""

    where: str
    """For errors; without secrets."""
    requests: int = field(default=0, init=False)
    """Statements so far."""
    objectives: Named | None = field(default=None, init=False)
    """The metrics whose newest points runs are to tell."""

    absent: set[str] = field(default_factory=set, init=False)
    """The optional columns that are not there, as `table.column`; `check` fills it."""

    columns_of: ClassVar[str]
    """The statement that lists the columns of a table."""

    def experiments(self) -> Iterator[Experiment]:
        """Yield every experiment, deleted ones too."""
        sql = f"{self._select('experiments')} order by experiment_id"
        for number, name, stage, location, workspace in self.read(lambda: self.ask(sql)):
            yield Experiment(str(number), name, stage, _not_default(workspace), location or None)

    def runs(self, since: int, *, started: bool) -> Iterator[Run]:
        """Yield each run that is open or ended since (ms), in the order of their ids.

        With `started`, also those that started since, and all that are deleted.
        """
        wanted = ["end_time >= ?", f"status in {OPEN_STATUSES}"]
        values = [since]
        if started:
            wanted += ["lifecycle_stage = 'deleted'", "coalesce(start_time, 0) >= ?"]
            values.append(since)
        sql = (
            f"{_select('runs')} where run_uuid > ? and ({' or '.join(wanted)}) "
            f"order by run_uuid limit {PAGE}"
        )
        low = ""
        while page := self._page(sql, [low, *values]):
            yield from page
            low = page[-1].run_id

    def runs_by_id(self, run_ids: Sequence[str]) -> Iterator[Run]:
        """Yield those of the runs that are still there."""
        for start in range(0, len(run_ids), PAGE):
            some = run_ids[start : start + PAGE]
            yield from self._page(f"{_select('runs')} where run_uuid in {_marks(some)}", some)

    def model_versions(self, since: int) -> Iterator[ModelVersion]:
        """Yield each version of a model that changed since (ms), but for deleted ones."""
        sql = (
            f"{self._select('model_versions')} "
            "where coalesce(last_updated_time, creation_time, 0) >= ? "
            "and coalesce(current_stage, '') <> ? order by name, version"
        )
        rows = self.read(lambda: self.ask(sql, [since, _DELETED_VERSION]))
        for name, version, run_id, source, stage, created, updated, workspace in rows:
            yield ModelVersion(
                name=name,
                version=str(version),
                run_id=run_id or None,
                source=source or None,
                current_stage=stage or None,
                creation_time=created,
                last_updated_time=updated,
                workspace=_not_default(workspace),
            )

    def gpu_points(
        self,
        runs: Sequence[Run],
        begin: int,
        end: int,
        steps: Steps,  # noqa: ARG002  (this asks by time)
    ) -> Iterator[Point]:
        """Yield how busy the runs' GPUs were from `begin` to before `end` (ms)."""
        run_ids = [run.run_id for run in runs]
        for start in range(0, len(run_ids), PAGE):
            some = run_ids[start : start + PAGE]
            sql = (
                "select run_uuid, key, timestamp, value, step from metrics "
                f"where run_uuid in {_marks(some)} and key like ? "
                "and timestamp >= ? and timestamp < ? and not is_nan "
                "order by run_uuid, key, timestamp, step"
            )
            values = [*some, KEY_LIKE, begin, end]
            for row in self.read(partial(self.ask, sql, values)):
                if is_gpu_key(row[1]):
                    yield Point(*row)

    def histories(self, asked: Sequence[Asked]) -> Iterator[Point]:
        """Yield the points of metrics of runs, each once."""
        yield from database_histories(self, asked)

    def check(self) -> None:
        """Prove that all that is read is there.

        Raises: SourceError naming what is missing.
        """
        missing = []
        for table, columns in COLUMNS.items():
            rows = self.read(partial(self.ask, self.columns_of, [table]))
            there = {row[0] for row in rows}
            missing += [f"{table}.{column}" for column in columns if column not in there]
            more = OPTIONAL.get(table, ())
            self.absent |= {f"{table}.{column}" for column in more if column not in there}
        if missing:
            raise SourceError(
                f"this is not a database of MLflow as mlspend reads it: it has no {missing[0]}",
                where=f"{self.where} (missing: {', '.join(missing)})",
                fix="have a current MLflow upgrade it (`mlflow db upgrade`), or read the server "
                "in front of it instead of the database",
            )

    def _select(self, table: str) -> str:
        """Return the head of a statement that reads a table with its optional columns."""
        optional = [
            f"null as {column}" if f"{table}.{column}" in self.absent else column
            for column in OPTIONAL.get(table, ())
        ]
        return f"select {', '.join([*COLUMNS[table], *optional])} from {table}"

    @abstractmethod
    def read(self, question: Callable[[], T]) -> T:
        """Answer a question from one state of the database, however many statements it takes.

        Raises: SourceError
        """

    @abstractmethod
    def ask(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one statement, with `?` for each value."""

    def _page(self, sql: str, values: Sequence[object]) -> list[Run]:
        return self.read(lambda: self._whole_runs(self.ask(sql, values)))

    def _whole_runs(self, rows: Sequence[tuple[Any, ...]]) -> list[Run]:
        run_ids = [row[0] for row in rows]
        if not run_ids:
            return []
        tags = self._tags(run_ids)
        datasets = self._datasets(run_ids)
        model_ids = self._model_ids(run_ids)
        objectives = self._objectives(run_ids)
        endless = [row[0] for row in rows if not tells_its_end(start_time=row[5], end_time=row[6])]
        metric_times = self._metric_times(endless)
        return [
            Run(
                run_id=row[0],
                run_name=row[1] or None,
                experiment_id=str(row[2]),
                user_id=row[3] or None,
                status=row[4],
                start_time=row[5],
                end_time=row[6],
                lifecycle_stage=row[7],
                last_metric_time=metric_times.get(row[0]),
                tags=as_tags(tags[row[0]]),
                datasets=tuple(sorted(datasets[row[0]])),
                model_ids=tuple(sorted(model_ids[row[0]])),
                objectives=tuple(objectives[row[0]]),
            )
            for row in rows
        ]

    def _tags(self, run_ids: Sequence[str]) -> Mapping[str, list[tuple[str, str | None]]]:
        sql = f"{_select('tags')} where run_uuid in {_marks(run_ids)}"
        return _grouped((run_id, (key, value)) for run_id, key, value in self.ask(sql, run_ids))

    def _datasets(self, run_ids: Sequence[str]) -> Mapping[str, list[LoggedDataset]]:
        of_runs = (
            "from inputs inner join datasets on inputs.source_id = datasets.dataset_uuid "
            "where inputs.source_type = 'DATASET' and inputs.destination_type = 'RUN' "
            f"and inputs.destination_id in {_marks(run_ids)}"
        )
        rows = self.ask(
            "select inputs.destination_id, inputs.input_uuid, datasets.name, datasets.digest, "
            f"datasets.dataset_source_type, datasets.dataset_source {of_runs}",
            run_ids,
        )
        if not rows:
            return defaultdict(list)
        uses = self.ask(
            f"{_select('input_tags')} where input_uuid in (select inputs.input_uuid {of_runs})",
            run_ids,
        )
        tags = _grouped((use, (key, value)) for use, key, value in uses)
        return _grouped(
            (run_id, LoggedDataset(name, digest, kind, source, as_tags(tags[use])))
            for run_id, use, name, digest, kind, source in rows
        )

    def _model_ids(self, run_ids: Sequence[str]) -> Mapping[str, list[str]]:
        rows = self.ask(
            "select distinct source_id, destination_id from inputs where source_type = "
            f"'RUN_OUTPUT' and destination_type = 'MODEL_OUTPUT' and source_id in "
            f"{_marks(run_ids)}",
            run_ids,
        )
        return _grouped((run_id, model_id) for run_id, model_id in rows)

    def _objectives(self, run_ids: Sequence[str]) -> Mapping[str, list[tuple[str, Mark]]]:
        named = self.objectives
        return _grouped(newest_points(self, named, run_ids) if named else ())

    def _metric_times(self, run_ids: Sequence[str]) -> Mapping[str, int]:
        if not run_ids:
            return {}
        rows = self.ask(
            "select run_uuid, max(timestamp) from latest_metrics "
            f"where run_uuid in {_marks(run_ids)} group by run_uuid",
            run_ids,
        )
        return dict(row[:2] for row in rows)


@dataclass(slots=True)
class Sqlite(Database):
    """A store in one file, open for reading alone."""

    connection: sqlite3.Connection

    columns_of: ClassVar[str] = "select name from pragma_table_info(?)"

    def read(self, question: Callable[[], T]) -> T:
        """Answer a question within one transaction.

        Raises: SourceError
        """
        try:
            self.connection.execute("begin")
            try:
                return question()
            finally:
                self.connection.execute("rollback")
        except sqlite3.Error as error:
            raise _sqlite_says(error, self.where) from error

    def ask(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one statement, with `?` for each value."""
        self.requests += 1
        count_request()
        return self.connection.execute(sql, values).fetchall()


@contextmanager
def open_sqlite(path: Path, *, where: str, timeout_seconds: int) -> Iterator[Sqlite]:
    """Open a store in one file; MLflow may go on writing to it.

    Raises: SourceError
    """
    if not path.is_file():
        raise SourceError(
            "there is no such file", where=where, fix="mend root: it names MLflow's SQLite file"
        )
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=timeout_seconds, isolation_level=None)
    except sqlite3.Error as error:
        raise _sqlite_says(error, where) from error
    connection.text_factory = _text_of
    with closing(connection):
        store = Sqlite(where, connection)
        store.check()
        yield store


def _text_of(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _sqlite_says(error: sqlite3.Error, where: str) -> SourceError:
    is_damaged = getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED
    return SourceError(
        f"SQLite says: {error}", where=where, fix=_FIX_DAMAGED if is_damaged else _FIX_UNREADABLE
    )


def _select(table: str) -> str:
    return f"select {', '.join(COLUMNS[table])} from {table}"


def _not_default(workspace: str | None) -> str | None:
    return None if workspace == DEFAULT_WORKSPACE else workspace or None


def _marks(values: Sequence[object]) -> str:
    return f"({', '.join('?' for _ in values)})"


def _grouped(pairs: Iterable[tuple[str, T]]) -> Mapping[str, list[T]]:
    groups: defaultdict[str, list[T]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return groups
