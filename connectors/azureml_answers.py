"""What Azure Machine Learning answers, read: jobs and their runs as rows of one table."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from connectors.base import SourceError
from connectors.platforms import tags_of, time_of
from connectors.run_changes import Record, table_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.platforms import Json

Row = tuple[object, ...]

JOBS = table_of(
    "jobs",
    {
        "run_id": "text",
        "parent_run_id": "text",
        "workspace": "text",
        "job_type": "text",
        "name": "text",
        "experiment": "text",
        "status": "text",
        "created_at": "integer",
        "started_at": "integer",
        "ended_at": "integer",
        "created_by": "text",
        "compute": "text",
        "vm_size": "text",
        "instance_count": "integer",
        "git_commit": "text",
        "git_dirty": "text",
        "inputs": "text",
        "outputs": "text",
        "tags": "tags",
    },
)
"""`inputs` is [[name, address], ...]; `outputs` [[name, type, address, asset], ...]."""
PARENTS: Final = frozenset({"Pipeline", "Sweep", "AutoML"})
"""Types of jobs that start others."""
_OVER: Final = frozenset({"Completed", "Failed", "Canceled"})
_NAME: Final = list(JOBS.columns)[2:]


@dataclass(frozen=True, slots=True)
class Job:
    """A job as Resource Manager tells it."""

    name: str
    key: str
    type: str
    said: Mapping[str, object]
    created: int
    is_over: bool
    ended: int | None


def job_of(job: Json, where: str) -> Job:
    """Return a job as the parts of its row.

    Raises: SourceError for what is no job.
    """
    said = job.get("properties") or {}
    system = job.get("systemData") or {}
    if not (job.get("id") and job.get("name") and said.get("jobType") and system.get("createdAt")):
        raise SourceError(
            "what is listed is no job",
            where=where,
            fix="check endpoint_url: it must be that of Azure's Resource Manager",
        )
    kept = said.get("properties") or {}
    resources = said.get("resources") or {}
    created = time_of(system["createdAt"], where) or 0
    began, ended = (time_of(_utc(kept.get(name)), where) for name in _TIMES)
    row = {
        "run_id": job["name"],
        "workspace": str(job["id"]).partition("/jobs/")[0],
        "job_type": said["jobType"],
        "name": said.get("displayName"),
        "experiment": said.get("experimentName"),
        "status": said.get("status"),
        "created_at": created,
        "started_at": began,
        "ended_at": ended,
        "created_by": system.get("createdBy"),
        "compute": _last(said.get("computeId")) or kept.get("_azureml.ClusterName"),
        "vm_size": resources.get("instanceType"),
        "instance_count": resources.get("instanceCount"),
        **_of_git(kept),
        "inputs": json.dumps(list(_inputs(said.get("inputs") or {}))),
        "outputs": json.dumps(list(_outputs(said.get("outputs") or {}))),
        "tags": tags_of(said.get("tags")),
    }
    is_over = said.get("status") in _OVER
    return Job(job["name"], job["id"], said["jobType"], row, created, is_over, ended)


def rooted(job: Job, run: Json, where: str) -> Job:
    """Return a job with the times that run history has of it."""
    times = {name: time_of(_utc(run.get(told)), where) for name, told in _HISTORY.items()}
    known = {name: time for name, time in times.items() if time}
    return replace(job, said={**job.said, **known}, ended=times["ended_at"] or job.ended)


def child_row(run: Json, workspace: str) -> dict[str, object]:
    """Return the row of a run that a job started, as run history tells it."""
    kept, compute = run.get("properties") or {}, run.get("compute") or {}
    by = run.get("createdBy") or {}
    return {
        "run_id": run.get("runId"),
        "parent_run_id": run.get("parentRunId"),
        "workspace": workspace,
        "job_type": run.get("runType"),
        "name": run.get("displayName") or run.get("name"),
        "status": run.get("status"),
        "created_at": time_of(_utc(run.get("createdUtc")), workspace),
        **{name: time_of(_utc(run.get(told)), workspace) for name, told in _HISTORY.items()},
        "created_by": by.get("userName"),
        "compute": compute.get("target") or run.get("target"),
        "vm_size": compute.get("vmSize"),
        "instance_count": compute.get("instanceCount"),
        **_of_git(kept),
        "inputs": json.dumps(list(_assets(run.get("inputs")))),
        "tags": tags_of(run.get("tags")),
    }


def record_of(job: Job, children: Sequence[dict[str, object]], sizes: Mapping[str, str]) -> Record:
    """Return a job and what it started as one record; `sizes` is compute -> size of machines."""
    rows: list[Row] = []
    for said in (job.said, *sorted(children, key=lambda child: str(child["run_id"]))):
        size = said.get("vm_size") or sizes.get(str(said.get("compute")).lower())
        runs_itself = said is not job.said or job.type not in PARENTS
        whole = {**said, "vm_size": size if runs_itself else None}
        rows.append(tuple(whole.get(name) for name in _NAME))
    return Record(
        job.key, rows, is_open=not job.is_over, last_sign=max(job.created, job.ended or 0)
    )


_TIMES: Final = ("StartTimeUtc", "EndTimeUtc")
_HISTORY: Final = {"started_at": "startTimeUtc", "ended_at": "endTimeUtc"}


def _utc(text: object) -> str | None:
    """Return a time with its offset: Azure writes some without, in UTC."""
    if not text:
        return None
    has_offset = str(text)[19:].strip("0123456789.") or str(text).endswith("Z")
    return str(text) if has_offset else f"{text}+00:00"


def _of_git(kept: Mapping[str, object]) -> dict[str, object]:
    return {
        "git_commit": kept.get("mlflow.source.git.commit") or kept.get("azureml.git.commit"),
        "git_dirty": kept.get("azureml.git.dirty"),
    }


def _inputs(told: Mapping[str, Json]) -> Iterator[list[str]]:
    """Yield name and address of each input that is data; literal values are not."""
    for name, one in sorted(told.items()):
        if one.get("uri") and not str(one.get("jobInputType")).endswith("_model"):
            yield [name, _bare(one["uri"])]


def _outputs(told: Mapping[str, Json]) -> Iterator[list[str | None]]:
    """Yield what a job writes; `default` is the folder of its own logs."""
    for name, one in sorted(told.items()):
        if name != "default" and (one.get("uri") or one.get("assetName")):
            kind, asset = str(one.get("jobOutputType") or ""), one.get("assetName")
            yield [name, kind, _bare(one["uri"]) if one.get("uri") else None, asset]


def _assets(told: Mapping[str, Json] | None) -> Iterator[list[str]]:
    for name, one in sorted((told or {}).items()):
        if one.get("assetId") and "/data/" in str(one["assetId"]):
            yield [name, _bare(one["assetId"])]


def _bare(uri: object) -> str:
    """Return an address without what may sign it."""
    return str(uri).partition("?")[0]


def _last(path: object) -> str | None:
    return str(path).rpartition("/")[2] or None if path else None
