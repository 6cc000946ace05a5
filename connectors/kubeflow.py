"""Kubeflow Pipelines 2: runs, and the nodes of each with when they ran and how they ended.

The API lists runs by when they were made or ended and has no filter by change: a night asks for
what was made or ended since the last one, and for what was not over then. A run that was retried
keeps its id.

The API names no pods. Pods carry the run's id as the label `pipeline/runid`: let Prometheus'
`run_label` be `label_pipeline_runid`, and what the pods cost is the run's. Parameters, errors and
pipeline specs may hold secrets and are not copied. Of a task's inputs and outputs the API tells
numbers in ML Metadata, which is not read, and neither names nor addresses: datasets and models are
not known here.

Verified against the published description of the API (v2beta1, 2.17), its client's models and what
its server's source answers, by a server of the tests that answers so; not against a live one.
Source: https://www.kubeflow.org/docs/components/pipelines/reference/api/kubeflow-pipeline-api-spec
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
_API = "apis/v2beta1"
_OPEN = frozenset({"PENDING", "RUNNING", "CANCELING", "PAUSED", "RUNTIME_STATE_UNSPECIFIED"})
_CREDENTIALS = "bearer_env or cookie_env, bearer_file or cookie_file"

RUNS = table_of(
    "runs",
    {
        "task_id": "text",
        "name": "text",
        "state": "text",
        "created_at": "integer",
        "started_at": "integer",
        "ended_at": "integer",
        "pod_name": "text",
        "experiment": "text",
        "namespace": "text",
        "service_account": "text",
        "pipeline_id": "text",
        "recurring_run_id": "text",
        "mlflow_run_id": "text",
        "team": "text",
    },
)
"""A run has no `task_id`; its nodes have, and little else."""


@dataclass(frozen=True, slots=True)
class Kubeflow:
    """One Kubeflow Pipelines API server."""

    root: str = field(repr=False)
    """Its address, without /apis: `http://ml-pipeline.kubeflow:8888`; without passwords."""
    namespaces: tuple[str, ...] = ()
    """Whose runs to read; a server for several users asks for it. None: all."""
    namespace_is_team: bool = False
    """Whether a namespace is a team's, so that its runs are."""
    bearer_env: str = ""
    """Environment variable that holds a bearer token; bearer_file may name a service account's."""
    cookie_env: str = ""
    """Environment variable that holds the cookie of a session, where a login stands in front."""
    overlap_days: int = 1
    """What was made or ended in the days before the last extraction is read again."""
    rescan_days: int = 35
    """How far back changes that came later are looked for."""
    rescan_every_days: int = 7
    """How often that is done."""
    backfill_days: int = 0
    """Days to look back on the first night; 0: to the first run."""
    page_size: int = 200
    """Runs per request; the server gives no more than 200."""
    timeout_seconds: int = 120
    """How long one request may take."""

    name: ClassVar[str] = "kubeflow"
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
        with opened(
            "Kubeflow Pipelines",
            self.root,
            self._headers,
            kind=self.name,
            timeout_seconds=self.timeout_seconds,
        ) as service:
            yield from changes(RUNS, _Runs(service, self), known, at, days)
            _log.info("kubeflow: %d requests", service.requests)

    def _headers(self) -> dict[str, str]:
        bearer = secret_of(self.bearer_env, where=f"[connectors.{self.name}]")
        cookie = secret_of(self.cookie_env, where=f"[connectors.{self.name}]")
        return as_bearer(bearer) | ({"cookie": cookie} if cookie else {})


@dataclass(slots=True)
class _Runs:
    """The runs of a server."""

    service: JsonService
    settings: Kubeflow
    experiments: dict[str, Json] = field(default_factory=dict)

    def changed(self, since: int) -> Iterator[Record]:
        """Yield runs that were made or ended since."""
        for namespace in self.settings.namespaces or ("",):
            for key in ("created_at", "finished_at") if since else ("",):
                yield from self._listed(namespace, key, since)

    def by_key(self, key: str) -> Record | None:
        """Return a run; none for one that was deleted."""
        path = f"{_API}/runs/{key}"
        answer = self.service.ask("GET", path)
        if answer.is_success:
            return self._record(answer.json)
        if answer.status == ABSENT and answer.json.get("code"):  # its own word, not a proxy's
            return None
        raise self._refusal(answer, path)

    def _listed(self, namespace: str, key: str, since: int) -> Iterator[Record]:
        params = {"page_size": str(self.settings.page_size), "sort_by": "created_at asc"}
        if namespace:
            params["namespace"] = namespace
        if key:
            at = moment(since)
            predicate = {"operation": "GREATER_THAN_EQUALS", "key": key, "timestamp_value": at}
            params["filter"] = json.dumps({"predicates": [predicate]})
        while True:
            answer = self.service.ask("GET", f"{_API}/runs", params=params)
            runs = objects(answer, "runs")
            if runs is None:
                raise self._refusal(answer, f"{_API}/runs")
            for run in runs:
                yield self._record(run)
            params["page_token"] = str(answer.json.get("next_page_token") or "")
            if not params["page_token"]:
                return

    def _record(self, run: Json) -> Record:
        where = self.service.where
        state, key = str(run.get("state") or ""), str(run["run_id"])
        made, ended = (time_of(run.get(name), where) for name in ("created_at", "finished_at"))
        history = run.get("state_history") or ()
        begun = [
            time_of(told.get("update_time"), where)
            for told in history
            if told.get("state") == "RUNNING"
        ]
        experiment = self._of_experiment(run.get("experiment_id"))
        tasks = (run.get("run_details") or {}).get("task_details") or ()
        rows = [
            (
                None,
                run.get("display_name"),
                state or None,
                made,
                begun[0] if begun else None,
                ended,
                None,
                *experiment,
                run.get("service_account"),
                (run.get("pipeline_version_reference") or {}).get("pipeline_id"),
                run.get("recurring_run_id"),
                _mlflow_run_of(run),
                experiment[1] if self.settings.namespace_is_team else None,
            ),
            *(_task_row(task, where) for task in sorted(tasks, key=_id_of)),
        ]
        is_open = state in _OPEN
        return Record(key, rows, is_open=is_open, last_sign=max(made or 0, ended or 0))

    def _of_experiment(self, experiment_id: object) -> tuple[str | None, str | None]:
        """Return name and namespace of an experiment, asked once; none of one that is gone."""
        if not experiment_id:
            return None, None
        if str(experiment_id) not in self.experiments:
            path = f"{_API}/experiments/{experiment_id}"
            answer = self.service.ask("GET", path)
            if not answer.is_success and answer.status != ABSENT:
                raise self._refusal(answer, path)
            self.experiments[str(experiment_id)] = answer.json if answer.is_success else {}
        told = self.experiments[str(experiment_id)]
        return told.get("display_name"), told.get("namespace")

    def _refusal(self, answer: Answer, path: str) -> SourceError:
        said = str(answer.json.get("message") or answer.json.get("error") or "")[:200]
        return self.service.refusal(answer, path, said=said, credentials=_CREDENTIALS)


def _task_row(task: Json, where: str) -> tuple[object, ...]:
    created, began, ended = (
        time_of(task.get(name), where) for name in ("create_time", "start_time", "end_time")
    )
    named = (task.get("display_name"), task.get("state"), created, began, ended)
    return (_id_of(task), *named, task.get("pod_name"), *(None,) * 7)


def _id_of(task: Json) -> str:
    return str(task.get("task_id") or "")


def _mlflow_run_of(run: Json) -> str | None:
    """Return the MLflow run that the server's own plugin made for a run."""
    told = (run.get("plugins_output") or {}).get("mlflow") or {}
    found = ((told.get("entries") or {}).get("root_run_id") or {}).get("value")
    return str(found) if found else None
