"""What Ray answers, read: its jobs, and what they held on which hosts.

Entrypoints, messages and runtime environments hold secrets and are not kept.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from connectors.base import SourceError, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

Json = dict[str, Any]
Row = tuple[object, ...]

JOBS = Table(
    "jobs",
    {
        "job_id": "text",
        "submission_id": "text",
        "status": "text",
        "error_type": "text",
        "started_ms": "integer",
        "ended_ms": "integer",
        "observed_ms": "integer",
        "held": "text",
        "metadata": "tags",
    },
)
"""`observed_ms` is of what is not over; `held` is [[host, GPU-milliseconds], ...]."""
OPEN: Final = frozenset({"PENDING", "RUNNING"})
STATUSES: Final = OPEN | {"STOPPED", "SUCCEEDED", "FAILED"}
GONE: Final = "GONE"
"""The status of a job that was not over, and that Ray does not know any more."""
SUPERVISOR: Final = "_ray_internal_job_actor_"
"""How the actor is called that holds what a job's entrypoint asked for."""
_OF_GROUP = re.compile(r"GPU_group_[0-9a-f]+")

Held = list[list[str]]


def key_of(job: Json) -> str:
    """Return what tells a job from others: Ray's own ids begin anew with each cluster."""
    return f"{job.get('submission_id') or job.get('job_id')} {job.get('start_time') or ''}"


def checked(job: object, where: str) -> Json:
    """Return a job as Ray tells it, whatever it was asked by.

    Raises: SourceError
    """
    if isinstance(job, dict):
        times = (job.get("start_time"), job.get("end_time"))
        is_named = job.get("submission_id") or job.get("job_id")
        if is_named and job.get("status") in STATUSES and all(_is_time(time) for time in times):
            return job
    shown = json.dumps(job)[:60] if not isinstance(job, dict) else str(job.get("status"))
    raise SourceError(
        f"what Ray tells is no job: {shown}",
        where=where,
        fix="Ray 2.0 and later are read; see whether this address is Ray's dashboard",
    )


def row_of(job: Json, observed_ms: int, held: Held | None) -> Row:
    """Return a row of JOBS."""
    metadata = job.get("metadata") or {}
    return (
        job.get("job_id"),
        job.get("submission_id"),
        job["status"],
        job.get("error_type"),
        _whole(job.get("start_time")),
        _whole(job.get("end_time")),
        observed_ms if job["status"] in OPEN else None,
        None if held is None else json.dumps(held),
        [{"key": key, "value": str(value)} for key, value in sorted(metadata.items())],
    )


def gone(key: str) -> Row:
    """Return the row of a job that Ray does not know any more."""
    name, _, started = key.partition(" ")
    return (None, name, GONE, None, _whole(started), None, None, None, [])


def held_by(job: Json, tasks: Iterable[Json], actors: Iterable[Json], at: datetime) -> Held:
    """Return the GPU-milliseconds that a job held, by the id of the node.

    A job that held no GPU was where its driver was.
    """
    begin = _whole(job.get("start_time")) or 0
    end = _whole(job.get("end_time")) or int(at.timestamp() * 1000)
    held: dict[str, Decimal] = defaultdict(Decimal)
    for node, gpus, since, until in (*_by_tasks(tasks), *_by_actors(actors)):
        spent = min(until or end, end) - max(since, begin)
        if node and gpus and spent > 0:
            held[node] += gpus * spent
    if not held and job.get("driver_node_id"):
        held[job["driver_node_id"]] = Decimal(0)
    return [[node, format(amount, "f")] for node, amount in sorted(held.items())]


def _by_tasks(tasks: Iterable[Json]) -> Iterator[tuple[str, Decimal, int, int]]:
    """Yield (node, GPUs, from, to) of tasks; those of actors hold what their actor does."""
    for task in tasks:
        if task.get("type") == "NORMAL_TASK" and task.get("start_time_ms"):
            gpus = _gpus(task.get("required_resources") or {})
            until = _whole(task.get("end_time_ms")) or 0
            yield str(task.get("node_id") or ""), gpus, int(task["start_time_ms"]), until


def _by_actors(actors: Iterable[Json]) -> Iterator[tuple[str, Decimal, int, int]]:
    for actor in actors:
        if actor.get("startTime"):
            node = str((actor.get("address") or {}).get("nodeId") or "")
            gpus = _gpus(actor.get("requiredResources") or {})
            yield node, gpus, int(actor["startTime"]), _whole(actor.get("endTime")) or 0


def _gpus(resources: Mapping[str, Any]) -> Decimal:
    """Return the GPUs of a demand; within a placement group they go by another name."""
    if "GPU" in resources:
        return Decimal(str(resources["GPU"]))
    return max(
        (Decimal(str(value)) for name, value in resources.items() if _OF_GROUP.fullmatch(name)),
        default=Decimal(0),
    )


def exported(lines: Iterable[str], where: str) -> Iterator[tuple[Json, int]]:
    """Yield each job of an event export as its last event has it, and when that was, in ms.

    Raises: SourceError for a line that is no event; the last may be cut off, Ray is writing it.
    """
    newest: dict[str, tuple[Json, int]] = {}
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line)
            said = event["event_data"]
            job = {**said, "submission_id": said["submission_job_id"]}
            at = int(event["timestamp"]) * 1000
        except (ValueError, KeyError, TypeError) as error:
            if not line.endswith("\n"):
                break
            raise _no_event(where, number) from error
        newest[key_of(job)] = (checked(job, f"{where}, line {number}"), at)
    yield from newest.values()


def _no_event(where: str, number: int) -> SourceError:
    return SourceError(
        "a line is no event of a job",
        where=f"{where}, line {number}",
        fix="copy the files event_EXPORT_SUBMISSION_JOB*.log as Ray writes them",
    )


def _is_time(value: object) -> bool:
    return value is None or str(value).isdecimal()


def _whole(value: object) -> int | None:
    """Return a time in ms; Ray writes 0, or nothing, for none, and text in its events."""
    return int(float(str(value))) or None if value else None
