"""What MLflow knows, as all of its backends give it, and the raw tables that it is delivered in.

A run is delivered whole: its row, its datasets and its models carry the same unit, so that a
dataset that a run no longer lists goes with the older unit. Parameters and metrics stay where they
are, but for the metrics that the config names: parameters may hold secrets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from connectors.base import Table
from connectors.records import as_map

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from connectors.mlflow_gpus import Point, Steps
    from connectors.mlflow_objectives import Asked, Mark, Named
    from connectors.records import Tags

OPEN_STATUSES = ("RUNNING", "SCHEDULED")
DEFAULT_WORKSPACE = "default"
"""What MLflow calls the workspace of a server that has no other."""
UNREAD_TAGS = frozenset({"mlflow.source.git.diff", "mlflow.log-model.history"})
"""Tags that hold source code, or kilobytes of JSON that nothing here reads."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment: runs that belong together."""

    experiment_id: str
    name: str | None
    lifecycle_stage: str | None
    workspace: str | None = None
    """The workspace that it lies in, none for the default one and where there are none."""
    artifact_location: str | None = None
    """The folder in which each run has a folder, called after its id."""
    artifacts_root: str = ""
    """Where `mlflow-artifacts:` lies, as the config says."""
    has_all_runs: bool = False
    """Whether each of its runs is read, however old: then a folder of no run is known to be so."""

    @property
    def key(self) -> str:
        """What tells it from others."""
        return self.experiment_id

    @property
    def row(self) -> tuple[object, ...]:
        """Its row of `experiments`."""
        return (
            self.experiment_id,
            self.name,
            self.lifecycle_stage,
            self.workspace,
            self.artifact_location,
            self.artifacts_root or None,
            self.has_all_runs,
        )


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
    workspace: str | None = None
    """As an experiment's; two workspaces may have a model of one name."""

    @property
    def key(self) -> str:
        """What tells it from others."""
        place = f"{self.workspace}\0" if self.workspace else ""
        return f"{place}{self.name}/{self.version}"

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
            self.workspace,
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
    """Time of the newest metric, for runs that do not tell their end (`tells_its_end`) alone."""
    tags: Tags
    datasets: tuple[LoggedDataset, ...]
    """Sorted."""
    model_ids: tuple[str, ...]
    """Logged models that the run made, sorted."""
    gpu_steps: tuple[tuple[str, int], ...] = ()
    """(metric, newest step) of how busy its GPUs were, where the way of reading tells it."""
    objectives: tuple[tuple[str, Mark], ...] = ()
    """(metric, its newest point) of those that the config names."""

    @property
    def is_open(self) -> bool:
        """Whether it may still go on."""
        return self.status in OPEN_STATUSES

    @property
    def is_deleted(self) -> bool:
        """Whether somebody deleted it; it has cost money all the same."""
        return self.lifecycle_stage == "deleted"

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


def tells_its_end(start_time: int | None, end_time: int | None) -> bool:
    """Tell whether a run has an end, and not one before its start, by clocks that ran back."""
    return end_time is not None and end_time >= (start_time or 0)


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


class Backend(Protocol):
    """One way to read MLflow; each yields the same records."""

    objectives: Named | None
    """The metrics whose newest points runs are to tell; none: runs tell none."""

    @property
    def requests(self) -> int:
        """Requests or statements so far."""
        ...

    def experiments(self) -> Iterator[Experiment]:
        """Yield every experiment, deleted ones too."""
        ...

    def runs(self, since: int, *, started: bool) -> Iterator[Run]:
        """Yield each run that is open or ended since (ms).

        With `started`, also those that started since, and all that are deleted.
        A run may come twice.
        """
        ...

    def runs_by_id(self, run_ids: Sequence[str]) -> Iterator[Run]:
        """Yield those of the runs that are still there."""
        ...

    def model_versions(self, since: int) -> Iterator[ModelVersion]:
        """Yield each version of a model that changed since (ms)."""
        ...

    def gpu_points(
        self, runs: Sequence[Run], begin: int, end: int, steps: Steps
    ) -> Iterator[Point]:
        """Yield how busy the runs' GPUs were from `begin` to before `end` (ms).

        `steps` are known: who cannot ask by time asks from there.
        """
        ...

    def histories(self, asked: Sequence[Asked]) -> Iterator[Point]:
        """Yield the points of metrics of runs, each once."""
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
        "workspace": "text",
    },
)
EXPERIMENTS = Table(
    name="experiments",
    columns={
        "experiment_id": "text",
        "name": "text",
        "lifecycle_stage": "text",
        "workspace": "text",
        "artifact_location": "text",
        "artifacts_root": "text",
        "has_all_runs": "flag",
    },
)
