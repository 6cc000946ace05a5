"""OptScale's ML tracker (arcee): runs of tasks, and the machines that they ran on.

The tracker tells all runs at once, without filter or page: a night asks once and delivers what
differs. A run that is not told any more was deleted; one that went on then is lost. Commands,
consoles, hyperparameters and metrics may hold secrets and are not copied.

Verified against the tracker's published source (its routes, and its models of a run and a task), by
a server of the tests that answers so; not against a live one.
Source: https://github.com/hystax/optscale/tree/integration/arcee
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from connectors.base import SourceError
from connectors.platforms import check_address, days_of, opened, tags_of
from connectors.run_changes import Record, changes, table_of
from connectors.secrets import secret_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.base import Delivery, Known, Table
    from connectors.http import JsonService
    from connectors.platforms import Json

_log = logging.getLogger(__name__)
_API = "arcee/v2"
_STARTED = 1

RUNS = table_of(
    "runs",
    {
        "number": "integer",
        "name": "text",
        "task": "text",
        "owner_id": "text",
        "state": "integer",
        "started_s": "integer",
        "ended_s": "integer",
        "git_commit": "text",
        "git_status": "text",
        "executors": "text",
        "dataset_path": "text",
        "dataset_name": "text",
        "runset_id": "text",
        "tags": "tags",
    },
)
"""Times are seconds since 1970; `executors` are ids of machines in their cloud."""


@dataclass(frozen=True, slots=True)
class Optscale:
    """The ML tracker of one OptScale, as one profiling token sees it."""

    root: str = field(repr=False)
    """Its address, without /arcee: `https://optscale.example`; without passwords."""
    bearer_env: str
    """Environment variable that holds the profiling token of the organization."""
    timeout_seconds: int = 120
    """How long one request may take."""

    name: ClassVar[str] = "optscale"
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

    def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
        """Yield what there is to deliver at the time `at`."""
        with opened(
            "OptScale",
            self.root,
            lambda: {"x-api-key": secret_of(self.bearer_env, where=f"[connectors.{self.name}]")},
            kind=self.name,
            timeout_seconds=self.timeout_seconds,
        ) as service:
            runs = _Runs(service)
            # all runs are told each night: each is compared, however old it is
            days = days_of(_EVER, _EVER, 0, 0, kind=self.name)
            yield from changes(RUNS, runs, known, at, days)
            _log.info("optscale: %d requests, %d runs", service.requests, len(runs.records))


_EVER = 365 * 30
"""Days; before the first run there can be."""


@dataclass(slots=True)
class _Runs:
    """All runs that the tracker tells of, asked once."""

    service: JsonService
    records: dict[str, Record] = field(default_factory=dict)

    def changed(self, since: int) -> Iterator[Record]:
        """Yield all runs: those from before `since` cannot be left out of the answer."""
        _log.debug("optscale: asked since %d, all are told", since)
        tasks = {str(task["_id"]): task for task in self._listed("tasks")}
        datasets = {str(one["_id"]): one for one in self._listed("datasets")}
        for run in self._listed("runs"):
            task = tasks.get(str(run.get("task_id"))) or {}
            record = self._record(run, task, datasets.get(str(run.get("dataset_id"))) or {})
            self.records[record.key] = record
        yield from self.records.values()

    def by_key(self, key: str) -> Record | None:
        """Return a run; none for one that was deleted."""
        return self.records.get(key)

    def _listed(self, what: str) -> list[Json]:
        path = f"{_API}/{what}"
        answer = self.service.ask("GET", path)
        if answer.listed is None or not all(one.get("_id") for one in answer.listed):
            said = str(answer.json.get("message") or answer.json.get("description") or "")[:200]
            raise self.service.refusal(answer, path, said=said, credentials="bearer_env")
        return answer.listed

    def _record(self, run: Json, task: Json, dataset: Json) -> Record:
        if not isinstance(run.get("start"), int) or not isinstance(run.get("state"), int):
            raise SourceError(
                f"what OptScale tells is no run: {str(run['_id'])[:40]}",
                where=self.service.where,
                fix="the tracker's API v2 is read; check the address and its version",
            )
        git = run.get("git") or {}
        row = (
            run.get("number"),
            run.get("name"),
            task.get("name") or task.get("key"),
            task.get("owner_id"),
            run["state"],
            run["start"],
            run.get("finish"),
            git.get("commit_id"),
            git.get("status"),
            json.dumps(sorted(run.get("executors") or ())),
            str(dataset["path"]).partition("?")[0] if dataset.get("path") else None,
            dataset.get("name"),
            run.get("runset_id"),
            tags_of(run.get("tags")),
        )
        last = max(run["start"], run.get("finish") or 0) * 1_000_000
        return Record(str(run["_id"]), [row], is_open=run["state"] == _STARTED, last_sign=last)
