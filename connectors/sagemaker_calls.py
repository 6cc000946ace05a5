"""What SageMaker is asked for, and what is kept of its answers.

An answer holds hyperparameters, environments and command lines, which may hold secrets: only what
is named here is kept.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from connectors.aws_calls import Call
from connectors.base import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from connectors.aws_calls import Answer

Json = dict[str, Any]
Row = tuple[object, ...]

_TEXTS = (
    "region_id",
    "kind",
    "arn",
    "name",
    "status",
    "created",
    "started",
    "ended",
    "modified",
    "observed",
    "machines",
    "inputs",
    "outputs",
    "parent_arn",
    "experiment",
    "mlflow_run_id",
    "model_package_arn",
)
WORKS = Table("works", {**dict.fromkeys(_TEXTS, "text"), "tags": "tags"})
"""`observed` is of what is not over; `machines` are [{"type": ..., "count": ...}]."""
GONE: Final = "Gone"
"""The status of what was not over, and is not listed any more."""
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of work that the bill knows by its ARN."""

    name: str
    stem: str
    """What operations are called by: list_<stem>s."""
    items: str
    """Where a list has them."""
    camel: str
    """What fields are called by: <camel>Arn."""
    status: str
    over: frozenset[str]
    """Statuses of what is over."""
    start: str = "CreationTime"
    end: str = ""
    is_whole: bool = False
    """Whether all of them are listed each time; else what changed and what goes on."""

    def lists(self, since: datetime) -> Iterator[Call]:
        """Yield the calls that list what may have changed since a time."""
        if self.is_whole:
            yield self._list({})
            return
        yield self._list({"LastModifiedTimeAfter": since})
        yield self._list({"StatusEquals": "InProgress"})
        yield self._list({"StatusEquals": "Stopping"})

    def _list(self, params: Mapping[str, Any]) -> Call:
        return Call("sagemaker", f"list_{self.stem}s", self.name, params, most=_PAGE)

    def describing(self, listed: Call) -> Sequence[Call]:
        """Return the calls that tell more of each that was listed."""
        key = f"{self.camel}Name"
        describe = f"describe_{self.stem}"
        tags = (listed.name, self.items, f"{self.camel}Arn")
        return (
            Call("sagemaker", describe, self.name, of=(listed.name, self.items, key), param=key),
            Call("sagemaker", "list_tags", self.name, most=_PAGE, of=tags, param="ResourceArn"),
        )


_JOB_OVER = frozenset({"Completed", "Failed", "Stopped"})


def _job(name: str, camel: str) -> Kind:
    return Kind(
        f"{name}_job",
        f"{name}_job",
        f"{camel}JobSummaries",
        f"{camel}Job",
        f"{camel}JobStatus",
        _JOB_OVER,
        f"{camel}StartTime",
        f"{camel}EndTime",
    )


KINDS: Final = (
    _job("training", "Training"),
    _job("processing", "Processing"),
    _job("transform", "Transform"),
    Kind(
        "endpoint",
        "endpoint",
        "Endpoints",
        "Endpoint",
        "EndpointStatus",
        frozenset(),
        is_whole=True,
    ),
    Kind(
        "notebook",
        "notebook_instance",
        "NotebookInstances",
        "NotebookInstance",
        "NotebookInstanceStatus",
        frozenset({"Stopped", "Failed"}),
        end="LastModifiedTime",
        is_whole=True,
    ),
)


@dataclass(slots=True)
class Work:
    """A job, endpoint or notebook, as described."""

    kind: Kind
    region_id: str
    said: Json
    tags: dict[str, str] = field(default_factory=dict)
    machines: list[Json] = field(default_factory=list)

    @property
    def arn(self) -> str:
        """What the bill calls it."""
        return str(self.said[f"{self.kind.camel}Arn"])

    @property
    def is_over(self) -> bool:
        """Whether it costs nothing any more."""
        return self.said[self.kind.status] in self.kind.over

    def row(self, at: datetime) -> Row:
        """Return a row of WORKS."""
        said, kind = self.said, self.kind
        ended = said.get(kind.end) if self.is_over else None
        mlflow, experiment = said.get("MlflowDetails") or {}, said.get("ExperimentConfig") or {}
        return (
            self.region_id,
            kind.name,
            self.arn,
            said[f"{kind.camel}Name"],
            said[kind.status],
            _text(said.get("CreationTime")),
            _text(said.get(kind.start)),
            _text(ended),
            _text(said.get("LastModifiedTime")),
            None if self.is_over else _text(at),
            json.dumps(self.machines or machines_of(said)),
            json.dumps(sorted(_inputs(said))),
            json.dumps(sorted(_outputs(said))),
            said.get("TuningJobArn") or said.get("AutoMLJobArn"),
            experiment.get("ExperimentName"),
            mlflow.get("MlflowRunId"),
            said.get("OutputModelPackageArn"),
            [{"key": key, "value": value} for key, value in sorted(self.tags.items())],
        )


def gone(arn: str, at: datetime) -> Row:
    """Return the row of what is not listed any more."""
    values = {"arn": arn, "status": GONE, "observed": _text(at)}
    return tuple([] if kind == "tags" else values.get(c) for c, kind in WORKS.columns.items())


def described(kind: Kind, region_id: str, answers: Sequence[Answer]) -> Iterator[Work]:
    """Yield what was described, with its tags."""
    works: dict[str, Work] = {}
    for answer in answers:
        if answer.call.operation == f"describe_{kind.stem}" and answer.page:
            work = Work(kind, region_id, answer.page)
            works[work.arn] = work
    for answer in answers:
        if answer.call.operation == "list_tags" and answer.page:
            work_of = works.get(str(answer.asked["ResourceArn"]))
            if work_of is not None:
                work_of.tags |= {tag["Key"]: tag["Value"] for tag in answer.page["Tags"]}
    yield from works.values()


def machines_of(said: Json) -> list[Json]:
    """Return the machines that something runs on: type and count."""
    cluster = (said.get("ProcessingResources") or {}).get("ClusterConfig")
    held = said.get("ResourceConfig") or cluster or said.get("TransformResources") or said
    rows = [*(held.get("InstanceGroups") or ()), *(held.get("ProductionVariants") or ())]
    rows = rows or [held]
    return [
        {"type": row["InstanceType"], "count": row.get("InstanceCount", 1)}
        for row in ({**row, **_initial(row)} for row in rows)
        if row.get("InstanceType")
    ]


def _initial(variant: Json) -> Json:
    count = variant.get("InitialInstanceCount")
    return {"InstanceCount": count} if count else {}


def _inputs(said: Json) -> Iterator[tuple[str, str]]:
    """Yield (name, URI) of the data that was read."""
    transform = [{"ChannelName": "transform", **(said.get("TransformInput") or {})}]
    for channel in [*(said.get("InputDataConfig") or ()), *transform]:
        uri = ((channel.get("DataSource") or {}).get("S3DataSource") or {}).get("S3Uri")
        if uri:
            yield channel["ChannelName"], uri
    for given in said.get("ProcessingInputs") or ():
        uri = (given.get("S3Input") or {}).get("S3Uri")
        if uri and given["InputName"] != "code":
            yield given["InputName"], uri


def _outputs(said: Json) -> Iterator[str]:
    """Yield the URIs of what was written."""
    written = (said.get("ProcessingOutputConfig") or {}).get("Outputs") or ()
    found = [
        (said.get("ModelArtifacts") or {}).get("S3ModelArtifacts"),
        (said.get("TransformOutput") or {}).get("S3OutputPath"),
        *((one.get("S3Output") or {}).get("S3Uri") for one in written),
    ]
    yield from (uri for uri in found if uri)


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
