"""Ray: its jobs, and the GPUs that their tasks and actors held on which hosts.

Ray tells all jobs at once and forgets them with the cluster, so that a night keeps what it was
told; a job that went on and is not known any more is lost. What a job held is the mean over its
time, by the tasks and actors that Ray still remembers (100,000 tasks, unless told otherwise).

Where clusters come and go, have Ray export its events (RAY_enable_export_api_write=1), collect the
files event_EXPORT_SUBMISSION_JOB*.log anywhere below a folder and name that in `root`: jobs and
their owners come from there, what they held does not.

Source: https://docs.ray.io/en/latest/cluster/running-applications/job-submission/api.html
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from connectors.base import Delivery, SourceError
from connectors.local import digest_of, written_at
from connectors.ray_answers import (
    JOBS,
    OPEN,
    SUPERVISOR,
    checked,
    exported,
    gone,
    held_by,
    key_of,
    row_of,
)
from connectors.records import ParquetParts
from connectors.secrets import as_bearer, secret_of
from connectors.seen import Days, Night

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.base import Known, Table
    from connectors.http import JsonService
    from connectors.ray_answers import Held, Json

_log = logging.getLogger(__name__)

_WHERE = "[connectors.ray]"
_MOST = 10_000
"""What Ray tells of at once, unless it is told otherwise."""
_ALL = Days(backfill=1, overlap=1, rescan=1, rescan_every=0)


@dataclass(frozen=True, slots=True)
class Ray:
    """One Ray cluster, or a folder of what some have exported."""

    url: str = field(default="", repr=False)
    """The dashboard, such as `http://head.example:8265`; either this or `root`."""
    root: str = ""
    """A folder of exported events."""
    token_env: str = ""
    """Environment variable that holds a bearer token."""
    timeout_seconds: int = 120
    """How long one request may take."""

    name: ClassVar[str] = "ray"
    tables: ClassVar[Sequence[Table]] = (JOBS,)

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield the jobs that are new, changed or not over.

        Raises: SourceError
        """
        yield from self.deliveries_at(known, datetime.now(UTC))

    def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
        """Yield what there is to deliver at the time `at`."""
        self.check()
        yield from self._exported(known) if self.root else self._asked(known, at)

    def check(self) -> None:
        """Refuse settings that contradict each other.

        Raises: SourceError
        """
        if bool(self.url) == bool(self.root):
            raise _misuse(
                "url and root: give one of them", "url asks a cluster, root reads a folder"
            )
        parts = urlsplit(self.url)
        if self.url and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise _misuse("url is no address of a server", "begin it with https:// or http://")
        if parts.username or parts.password:
            raise _misuse("url holds credentials", "put a token into the environment: token_env")

    def _asked(self, known: Known, at: datetime) -> Iterator[Delivery]:
        from connectors.http import JsonService  # noqa: PLC0415 - loads an HTTP client

        where = self.url.partition("?")[0]
        night = Night.begin(JOBS, known.cursor(JOBS.name), at, _ALL)
        with JsonService.at(
            "Ray",
            where,
            headers=lambda: as_bearer(secret_of(self.token_env, where=_WHERE)),
            timeout_seconds=self.timeout_seconds,
        ) as service:
            cluster = _Cluster(service, at)
            jobs, is_whole = cluster.listed("jobs")
            for told in jobs:
                job = checked(told, where)
                key = key_of(job)
                is_open = job["status"] in OPEN
                content = row_of(job, int(at.timestamp() * 1000), None)
                # of what is over Ray forgets the tasks: what was delivered first is right
                held = cluster.held(job) if night.differs(key, content) else None
                row = row_of(job, int(at.timestamp() * 1000), held)
                night.take(key, row, open_id=key if is_open else "", content=content)
            unread = night.before.open_ids - night.read
            if is_whole:
                for key in sorted(unread):
                    night.take(key, gone(key))
            else:
                night.after.open_ids |= unread
            _log.info("ray: %d requests, %d jobs read", service.requests, len(night.read))
        yield from night.delivery()
        if not is_whole:
            raise SourceError(
                f"Ray holds more jobs than the {_MOST} that it tells of",
                where=where,
                fix="start Ray with a larger RAY_MAX_LIMIT_FROM_API_SERVER and "
                "RAY_MAX_LIMIT_FROM_DATA_SOURCE, or have it export events and name them in root",
            )

    def _exported(self, known: Known) -> Iterator[Delivery]:
        """Yield the files of a folder; one that cannot be read does not hold up the others."""
        root = Path(self.root)
        paths = sorted(root.rglob("event_EXPORT_SUBMISSION_JOB*.log*"))
        if not paths:
            raise SourceError(
                "there are no exported events",
                where=self.root,
                fix="mend `root`, start Ray with RAY_enable_export_api_write=1, and collect "
                "event_EXPORT_SUBMISSION_JOB.log of its logs/export_events",
            )
        errors: list[SourceError] = []
        for path in paths:
            try:
                unit, version = path.relative_to(root).as_posix(), digest_of(path)[:32]
                if not known.has(JOBS.name, unit, version):
                    yield from _file(path, unit, version)
            except SourceError as error:
                errors.append(error)
        if errors:
            if len(errors) > 1:
                errors[0].add_note(f"and so for {len(errors) - 1} more files")
            raise errors[0]


@dataclass(slots=True)
class _Cluster:
    """Ray's dashboard, asked."""

    service: JsonService
    at: datetime
    _hosts: dict[str, str] | None = None
    _actors: list[Json] | None = None

    def listed(self, what: str, **filters: str) -> tuple[list[Json], bool]:
        """Return what the state API lists, and whether that is all of it."""
        params = {"detail": "1", "limit": str(_MOST), **filters}
        found = self._ask(f"api/v0/{what}", params).get("result") or {}
        rows = found.get("result") or []
        return rows, (found.get("num_after_truncation") or 0) >= (found.get("total") or 0)

    def held(self, job: Json) -> Held | None:
        """Return what a job held, by host; none where Ray does not tell all of it."""
        job_id, is_whole = job.get("job_id"), True
        tasks: list[Json] = []
        if job_id:
            tasks, is_whole = self.listed(
                "tasks", filter_keys="job_id", filter_predicates="=", filter_values=job_id
            )
        if not is_whole:
            _log.warning("ray: job %s has too many tasks to count its GPUs", key_of(job))
            return None
        named = f"{SUPERVISOR}{job.get('submission_id')}"
        actors = [
            actor
            for actor in self.actors()
            if actor.get("name") == named
            or (actor.get("jobId") == job_id and not str(actor.get("name")).startswith(SUPERVISOR))
        ]
        hosts = self.hosts()
        held = held_by(job, tasks, actors, self.at)
        return [[hosts[node], amount] for node, amount in held if node in hosts]

    def actors(self) -> list[Json]:
        """Return all actors, with their times, which the state API does not tell."""
        if self._actors is None:
            found = self._ask("logical/actors", {}).get("actors") or {}
            self._actors = list(found.values())
        return self._actors

    def hosts(self) -> dict[str, str]:
        """Return node id -> host; in Kubernetes that is the pod."""
        if self._hosts is None:
            rows = self._ask("nodes", {"view": "summary"}).get("summary") or []
            self._hosts = {
                row["raylet"]["nodeId"]: row["hostname"]
                for row in rows
                if row.get("hostname") and (row.get("raylet") or {}).get("nodeId")
            }
        return self._hosts

    def _ask(self, path: str, params: dict[str, str]) -> Json:
        answer = self.service.ask("GET", path, params=params)
        said = str(answer.json.get("msg") or "")
        data = answer.json.get("data")
        if not answer.is_success or not answer.json.get("result") or not isinstance(data, dict):
            raise self.service.refusal(answer, path, said=said[:300], credentials="token_env")
        return data


def _file(path: Path, unit: str, version: str) -> Iterator[Delivery]:
    parts = ParquetParts(JOBS)
    with path.open(encoding="utf-8", errors="replace") as lines:
        for job, at in exported(lines, str(path)):
            parts.add(row_of(job, at, None))
    files = parts.files()
    if files:
        yield Delivery(
            JOBS.name, unit, version, written_at(path), files, stated_rows=parts.row_count
        )


def _misuse(what: str, fix: str) -> SourceError:
    return SourceError(what, where=_WHERE, fix=fix)
