"""What Vertex AI answers, read: jobs and pipelines as rows of one table."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from connectors.base import SourceError
from connectors.platforms import tags_of, time_of
from connectors.run_changes import Record, table_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.platforms import Json

JOBS = table_of(
    "jobs",
    {
        "kind": "text",
        "name": "text",
        "state": "text",
        "created_at": "integer",
        "started_at": "integer",
        "ended_at": "integer",
        "service_account": "text",
        "experiment": "text",
        "machines": "text",
        "output_uri": "text",
        "children": "text",
        "artifacts": "text",
        "labels": "tags",
    },
)
"""`machines` is [[type, accelerators of each, how many], ...]; `children` the names of the custom
jobs that a pipeline or a tuning job started; `artifacts` [[way, schema, uri, name, resource, job],
...].
"""
_OPEN: Final = ("QUEUED", "PENDING", "RUNNING", "CANCELLING", "PAUSED", "UPDATING")
_AT_WORK: Final = ("PENDING", "RUNNING")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of work, as it is listed."""

    name: str
    path: str
    """The last part of its list, and the key of that within an answer."""
    stem: str
    """How its states begin."""
    changed: str
    """The time by which it can be asked for."""

    def filter_since(self, moment: str) -> str:
        """Return the filter for what was made or changed since, or is at work."""
        working = (f'state="{self.stem}{state}"' for state in _AT_WORK)
        return " OR ".join((f'{self.changed}>="{moment}"', *working))


KINDS: Final = (
    Kind("custom_job", "customJobs", "JOB_STATE_", "create_time"),
    Kind("tuning_job", "hyperparameterTuningJobs", "JOB_STATE_", "create_time"),
    Kind("pipeline", "pipelineJobs", "PIPELINE_STATE_", "update_time"),
)


def record_of(kind: Kind, job: Json, where: str) -> Record:
    """Return a job as a record.

    Raises: SourceError for what is no job.
    """
    if not job.get("name") or not job.get("state"):
        raise SourceError(
            f"what is listed under {kind.path} is no job",
            where=where,
            fix="check endpoint_url: it must be Vertex AI's, version v1",
        )
    spec = job.get("jobSpec") or job.get("trialJobSpec") or {}
    state = str(job["state"]).removeprefix(kind.stem)
    times = [time_of(job.get(name), where) for name in ("createTime", "startTime", "endTime")]
    artifacts = list(_artifacts(job))
    row = (
        kind.name,
        job.get("displayName"),
        state,
        *times,
        job.get("serviceAccount") or spec.get("serviceAccount"),
        _last(spec.get("experiment")),
        json.dumps(list(_machines(spec))),
        (spec.get("baseOutputDirectory") or {}).get("outputUriPrefix"),
        json.dumps(sorted(set(_children(job)))),
        json.dumps(artifacts) if artifacts else None,
        tags_of(job.get("labels")),
    )
    last_sign = max(time or 0 for time in times)
    return Record(str(job["name"]), [row], is_open=state in _OPEN, last_sign=last_sign)


def _machines(spec: Json) -> Iterator[list[object]]:
    for pool in spec.get("workerPoolSpecs") or ():
        machine = pool.get("machineSpec") or {}
        count = _whole(machine.get("acceleratorCount"))
        yield [machine.get("machineType"), count, _whole(pool.get("replicaCount"))]


def trials_of(job: Json) -> list[str]:
    """Return the custom jobs of a tuning job, which the list of custom jobs may lack."""
    return [str(one["customJob"]) for one in job.get("trials") or () if one.get("customJob")]


def _children(job: Json) -> Iterator[str]:
    """Yield the custom jobs that a pipeline or a tuning job started, those that failed too."""
    yield from trials_of(job)
    for task in _tasks(job):
        for name, told in _executors(task):
            if name in ("mainJob", "job") and told:
                yield str(told)
            elif name in ("failedMainJobs", "failedJobs") and isinstance(told, list):
                yield from (str(one) for one in told)


def _artifacts(job: Json) -> Iterator[list[object]]:
    """Yield what a pipeline's tasks read and wrote, with the custom job that did."""
    for task in _tasks(job):
        executor = dict(_executors(task))
        by = executor.get("mainJob") or executor.get("job")
        for way in ("inputs", "outputs"):
            for _, told in sorted((task.get(way) or {}).items()):
                for artifact in told.get("artifacts") or ():
                    named = (artifact.get("schemaTitle"), artifact.get("uri"))
                    if all(named):
                        version = (artifact.get("metadata") or {}).get("resourceName")
                        yield [way, *named, artifact.get("displayName"), version, by]


def _tasks(job: Json) -> list[Json]:
    return (job.get("jobDetail") or {}).get("taskDetails") or []


def _executors(task: Json) -> Iterator[tuple[str, object]]:
    detail = task.get("executorDetail") or {}
    for name in ("containerDetail", "customJobDetail"):
        yield from (detail.get(name) or {}).items()


def _last(path: object) -> str | None:
    return str(path).rpartition("/")[2] if path else None


def _whole(count: object) -> int | None:
    """Read a whole number, which JSON of protocol buffers writes as text where it is long."""
    return int(str(count)) if count is not None else None
