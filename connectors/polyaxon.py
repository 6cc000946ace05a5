"""Polyaxon: runs of projects, with their owners, tags and parents.

A night asks for the runs that changed since the last one, and for those that were not over then;
what was deleted while it went on is lost. Tags `team:vision` and `mlflow_run_id:8f3c` say whose a
run is and what it is called elsewhere. The API names no pods: these carry the run's id as the
label `app.kubernetes.io/instance`, so that Prometheus' `run_label` can be
`label_app_kubernetes_io_instance`. Inputs, outputs and contents may hold secrets and are not
copied.

Verified against the server of Polyaxon 2.18 (haupt, over SQLite), without tokens and without
agents: runs that a cluster's agent started, and their GPUs, were not seen.
Source: https://polyaxon.com/docs/api/
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from connectors.platforms import ABSENT, check_address, days_of, moment, objects, opened, time_of
from connectors.run_changes import Record, changes, table_of
from connectors.secrets import as_bearer, secret_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.base import Delivery, Known, SourceError, Table
    from connectors.http import Answer, JsonService
    from connectors.platforms import Json
    from connectors.run_changes import Days

_log = logging.getLogger(__name__)
_NO_SUCH = "matches the given query"
"""Polyaxon's own word for what is not there."""
_OVER = frozenset({"succeeded", "failed", "upstream_failed", "stopped", "skipped", "done"})

RUNS = table_of(
    "runs",
    {
        "uuid": "text",
        "name": "text",
        "project": "text",
        "kind": "text",
        "runtime": "text",
        "status": "text",
        "created_at": "integer",
        "started_at": "integer",
        "ended_at": "integer",
        "user": "text",
        "pipeline": "text",
        "gpu_count": "text",
        "tags": "text",
    },
)


@dataclass(frozen=True, slots=True)
class Polyaxon:
    """One Polyaxon server, or an organization of Polyaxon Cloud."""

    root: str = field(repr=False)
    """Its address, without /api: `https://polyaxon.example`; without passwords."""
    projects: tuple[str, ...] = ()
    """Projects to read; none: all that the token may see."""
    owner: str = "default"
    """The organization; `default` where a server has only one."""
    bearer_env: str = ""
    """Environment variable that holds a token."""
    overlap_days: int = 1
    """What changed in the days before the last extraction is read again."""
    rescan_days: int = 35
    """How far back changes that were written late are looked for."""
    rescan_every_days: int = 7
    """How often that is done."""
    backfill_days: int = 0
    """Days to look back on the first night; 0: to the first run."""
    page_size: int = 100
    """Runs per request."""
    timeout_seconds: int = 120
    """How long one request may take."""

    name: ClassVar[str] = "polyaxon"
    tables: ClassVar[Sequence[Table]] = (RUNS,)

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield what is new or changed since the last delivery; nothing where nothing did.

        Raises: SourceError
        """
        yield from self.deliveries_at(known, datetime.now(UTC))

    def check(self) -> None:
        """Refuse settings that contradict each other.

        Raises: SourceError
        """
        check_address(self.root, self.name)
        self._days()

    def _days(self) -> Days:
        back = (self.overlap_days, self.rescan_days, self.rescan_every_days, self.backfill_days)
        return days_of(*back, kind=self.name)

    def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
        """Yield what there is to deliver at the time `at`."""
        days = self._days()
        where = f"[connectors.{self.name}]"
        with opened(
            "Polyaxon",
            self.root,
            lambda: as_bearer(secret_of(self.bearer_env, where=where), "Token"),
            kind=self.name,
            timeout_seconds=self.timeout_seconds,
        ) as service:
            yield from changes(RUNS, _Runs(service, self), known, at, days)
            _log.info("polyaxon: %d requests", service.requests)


@dataclass(slots=True)
class _Runs:
    """The runs of an organization's projects."""

    service: JsonService
    settings: Polyaxon

    def changed(self, since: int) -> Iterator[Record]:
        """Yield runs that changed since."""
        query = {"query": f"updated_at:>={moment(since)}"} if since else {}
        for project in self.settings.projects or self._projects():
            path = f"api/v1/{self.settings.owner}/{project}/runs"
            # by the time they were made, which none changes while the pages are read
            for run in self._pages(path, {"sort": "created_at", **query}):
                yield self._record(run, project)

    def by_key(self, key: str) -> Record | None:
        """Return a run; none for one that was deleted."""
        project, _, uuid = key.partition("/")
        path = f"api/v1/{self.settings.owner}/{project}/runs/{uuid}"
        answer = self.service.ask("GET", path)
        if answer.is_success:
            is_deleted = (answer.json.get("live_state") or 0) < 0  # it is told of for a while
            return None if is_deleted else self._record(answer.json, project)
        if answer.status == ABSENT and _NO_SUCH in str(answer.json.get("detail")):
            return None
        raise self._refusal(answer, path)

    def _projects(self) -> list[str]:
        path = f"api/v1/{self.settings.owner}/projects/list"
        return [str(one["name"]) for one in self._pages(path, {"sort": "created_at"})]

    def _pages(self, path: str, wanted: dict[str, str]) -> Iterator[Json]:
        """Yield all objects of a list; a server may give fewer than are asked for."""
        offset = 0
        while True:
            sent = {**wanted, "limit": str(self.settings.page_size), "offset": str(offset)}
            answer = self.service.ask("GET", path, params=sent)
            found = objects(answer, "results")
            if found is None:
                raise self._refusal(answer, path)
            yield from found
            offset += len(found)
            if not found or not answer.json.get("next"):
                return

    def _record(self, run: Json, project: str) -> Record:
        where = self.service.where
        made, began, ended = (
            time_of(run.get(name), where) for name in ("created_at", "started_at", "finished_at")
        )
        status = str(run.get("status") or "")
        gpus = (run.get("resources") or {}).get("gpu")
        row = (
            _bare(run.get("uuid")),
            run.get("name"),
            project,
            run.get("kind"),
            run.get("runtime"),
            status,
            made,
            began,
            ended,
            run.get("user"),
            _bare((run.get("pipeline") or {}).get("uuid")),
            str(gpus) if gpus else None,  # 0 is also told of what nobody knows
            json.dumps(sorted(run.get("tags") or ())),
        )
        last = max(made or 0, began or 0, ended or 0)
        key = f"{project}/{_bare(run['uuid'])}"
        return Record(key, [row], is_open=status not in _OVER, last_sign=last)

    def _refusal(self, answer: Answer, path: str) -> SourceError:
        said = str(answer.json.get("detail") or answer.json.get("message") or "")[:200]
        return self.service.refusal(answer, path, said=said, credentials="bearer_env")


def _bare(uuid: object) -> str | None:
    """Return an id as pods' labels have it: 32 digits, whichever way it is told."""
    return str(uuid).replace("-", "") if uuid else None
