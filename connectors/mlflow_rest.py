"""MLflow read through its server, by the REST API that its own client uses.

A page is asked for by time, not by the server's page token: tokens are offsets, and a run that ends
between two pages would shift the rest. No filter finds both what ended since and what still runs,
so each is a search of its own; a run may come up in more than one.

A server with workspaces answers for the one that a header names. Those that the user may see are
read one after the other, unless the config names one; ids of runs and of experiments are the
server's own, so that those of two workspaces differ, but names of models are not.

Source: https://mlflow.org/docs/latest/api_reference/rest-api.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any

from connectors.base import SourceError
from connectors.mlflow_gpus import Point, is_gpu_key
from connectors.mlflow_histories import server_histories
from connectors.mlflow_objectives import Mark
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

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    from connectors.http import Answer, Json, JsonService
    from connectors.mlflow_gpus import Steps
    from connectors.mlflow_objectives import Asked, Named

_API = "api/2.0/mlflow/"
_ABOUT = "api/3.0/mlflow/server-info"
_WORKSPACES = "api/3.0/mlflow/workspaces"
_EXPERIMENTS_PER_SEARCH = 1000
_UNKNOWN_TO_IT = 401
_STEPS = 2500
"""Points of one metric that one request may ask for."""


@dataclass(slots=True)
class Rest:
    """An MLflow server."""

    service: JsonService
    page_size: int
    workspace: str = ""
    """The one to read; none: all."""
    objectives: Named | None = field(default=None, init=False)
    """The metrics whose newest points runs are to tell."""
    _experiment_ids: dict[str, list[str]] = field(default_factory=dict, init=False)
    """Workspace -> its experiments."""
    _workspace_of: dict[str, str] = field(default_factory=dict, init=False)
    """Experiment -> its workspace."""

    def __enter__(self) -> Self:
        """Use the connection for a while."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.service.client.close()

    @property
    def requests(self) -> int:
        """Requests so far, repeated ones too."""
        return self.service.requests

    def experiments(self) -> Iterator[Experiment]:
        """Yield every experiment, deleted ones too."""
        asked: Json = {"view_type": "ALL", "max_results": 1000, "order_by": ["experiment_id ASC"]}
        for workspace in self._workspaces():
            found = [
                Experiment(
                    one["experiment_id"],
                    one.get("name") or None,
                    one.get("lifecycle_stage"),
                    _not_default(workspace),
                    one.get("artifact_location") or None,
                )
                for page in self._pages(workspace, "experiments/search", asked)
                for one in page.get("experiments", ())
            ]
            self._experiment_ids[workspace] = [one.experiment_id for one in found]
            self._workspace_of |= dict.fromkeys(self._experiment_ids[workspace], workspace)
            yield from found

    def runs(self, since: int, *, started: bool) -> Iterator[Run]:
        """Yield each run that is open or ended since (ms).

        With `started`, also those that started since, and all that are deleted. A run may come
        twice. Call `experiments` before: only their runs are looked for.
        """
        for workspace, ids in self._experiment_ids.items():
            for start in range(0, len(ids), _EXPERIMENTS_PER_SEARCH):
                some = _Some(workspace, ids[start : start + _EXPERIMENTS_PER_SEARCH])
                for status in OPEN_STATUSES:
                    is_open = f"attributes.status = '{status}'"
                    yield from self._search(some, "start_time", 0, is_open)
                if started:
                    yield from self._search(some, "start_time", since)
                    yield from self._search(some, "start_time", 0, kept="DELETED_ONLY")
                if since or not started:
                    earlier = f"attributes.start_time < {since}" if started else ""
                    yield from self._search(some, "end_time", since, earlier)

    def runs_by_id(self, run_ids: Sequence[str]) -> Iterator[Run]:
        """Yield those of the runs that are still there."""
        for run_id in run_ids:
            for workspace in self._experiment_ids:
                answer = self._ask(workspace, "GET", "runs/get", params={"run_id": run_id})
                if answer is not None:
                    yield _run_of(answer["run"], self.objectives)
                    break

    def model_versions(self, since: int) -> Iterator[ModelVersion]:
        """Yield each version of a model that changed since (ms), but for deleted ones.

        Call `experiments` before: only their workspaces are looked into.
        """
        for workspace in self._experiment_ids:
            yield from self._versions(workspace, since)

    def gpu_points(
        self, runs: Sequence[Run], begin: int, end: int, steps: Steps
    ) -> Iterator[Point]:
        """Yield how busy the runs' GPUs were from `begin` to before `end` (ms).

        A history can be asked for by steps alone: from the one after the last that is known, else
        from where a coarse look at the whole finds the time.
        """
        for run in runs:
            for key, newest in run.gpu_steps:
                low = steps.get(run.run_id, {}).get(key, -1) + 1
                if newest - low >= _STEPS:
                    coarse = self._history(run, key, low, newest)
                    low = max((one.step for one in coarse if one.timestamp < begin), default=low)
                while low <= newest:
                    points = self._history(run, key, low, low + _STEPS - 1)
                    yield from (one for one in points if begin <= one.timestamp < end)
                    if any(one.timestamp >= end for one in points):
                        break
                    low += _STEPS

    def histories(self, asked: Sequence[Asked]) -> Iterator[Point]:
        """Yield the points of metrics of runs, each once."""
        for one in asked:
            workspace = self._workspace_of.get(one.run.experiment_id, "")
            yield from server_histories(
                lambda path, sent, of=workspace: self._ask(of, "GET", path, params=sent) or {}, one
            )

    def _history(self, run: Run, key: str, low: int, high: int) -> Sequence[Point]:
        """Return the points of some steps; of more than a page some, evenly."""
        asked = {
            "run_ids": run.run_id,
            "metric_key": key,
            "start_step": low,
            "end_step": high,
            "max_results": _STEPS,
        }
        path = "metrics/get-history-bulk-interval"
        workspace = self._workspace_of.get(run.experiment_id, "")
        answer = self._ask(workspace, "GET", path, params=asked) or {}
        return [
            Point(run.run_id, key, int(one["timestamp"]), float(one["value"]), int(one["step"]))
            for one in answer.get("metrics", ())
            if isfinite(float(one["value"]))
        ]

    def _versions(self, workspace: str, since: int) -> Iterator[ModelVersion]:
        asked: Json = {
            "max_results": self.page_size,
            "order_by": ["last_updated_timestamp DESC", "name ASC", "version_number DESC"],
        }
        for page in self._pages(workspace, "model-versions/search", asked, method="GET"):
            for one in page.get("model_versions", ()):
                version = _model_version_of(one, workspace)
                if (version.last_updated_time or version.creation_time or 0) < since:
                    return
                yield version

    def _workspaces(self) -> Sequence[str]:
        """Return the workspaces to read; one without a name for a server that has none.

        Raises: SourceError where the server has some and shows none.
        """
        if self.workspace:
            return [self.workspace]
        about = self.service.ask("GET", _ABOUT)
        if about.status == _UNKNOWN_TO_IT:
            raise self._refusal(about, _ABOUT)
        if not about.is_success or not about.json.get("workspaces_enabled"):
            return [""]  # versions without workspaces do not know the question
        answer = self.service.ask("GET", _WORKSPACES)
        found = sorted(one["name"] for one in answer.json.get("workspaces", ()))
        if not answer.is_success:
            raise self._refusal(answer, _WORKSPACES)
        if not found:
            raise SourceError(
                "MLflow shows this user no workspace",
                where=self.service.where,
                fix="let the user read the workspaces that are to be counted",
            )
        return found

    def _search(
        self, among: _Some, by: str, since: int, also: str = "", kept: str = "ALL"
    ) -> Iterator[Run]:
        """Search for runs whose time `by` is at least `since`, in the order of that time."""
        low, token = since, ""
        while True:
            conditions = [f"attributes.{by} >= {low}", *([also] if also else [])]
            asked: Json = {
                "experiment_ids": list(among.experiment_ids),
                "filter": " AND ".join(conditions),
                "run_view_type": kept,
                "max_results": self.page_size,
                "order_by": [f"attributes.{by} ASC"],
            }
            sent = asked | _token(token)
            answer = self._ask(among.workspace, "POST", "runs/search", json=sent) or {}
            runs = [_run_of(one, self.objectives) for one in answer.get("runs", ())]
            yield from runs
            next_token = answer.get("next_page_token", "")
            if not next_token or not runs:
                return
            last = getattr(runs[-1], by)
            # Only a token gets past a full page of runs of the very same millisecond.
            low, token = (low, next_token) if last == low else (last, "")

    def _pages(
        self, workspace: str, path: str, asked: Json, method: str = "POST"
    ) -> Iterator[Json]:
        token = ""
        while True:
            body = asked | _token(token)
            sent: Json = {"json": body} if method == "POST" else {"params": body}
            page = self._ask(workspace, method, path, **sent)
            if page is None:
                raise SourceError(
                    f'MLflow has no workspace "{workspace}"',
                    where=self.service.where,
                    fix="mend the workspace in the config file, or leave it out to read all",
                )
            yield page
            token = page.get("next_page_token", "")
            if not token:
                return

    def _ask(self, workspace: str, method: str, path: str, **sent: Any) -> Json | None:
        """Return the answer; none for what is not there.

        Raises: SourceError
        """
        headers = {"x-mlflow-workspace": workspace} if workspace else {}
        answer = self.service.ask(method, _API + path, headers=headers, **sent)
        if answer.is_success:
            return answer.json
        if answer.json.get("error_code", "") == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise self._refusal(answer, path)

    def _refusal(self, answer: Answer, path: str) -> SourceError:
        return self.service.refusal(
            answer,
            path,
            said=answer.json.get("error_code", ""),
            credentials="token_env, or username_env and password_env",
        )


@dataclass(frozen=True, slots=True)
class _Some:
    """Experiments that are searched at once."""

    workspace: str
    experiment_ids: Sequence[str]


def _not_default(workspace: str) -> str | None:
    return workspace if workspace not in ("", DEFAULT_WORKSPACE) else None


def _token(token: str) -> Json:
    return {"page_token": token} if token else {}


def _run_of(one: Json, named: Named | None) -> Run:
    info = one["info"]
    data = one.get("data", {})
    start_time, end_time = _int(info.get("start_time")), _int(info.get("end_time"))
    metric_times = [_int(metric.get("timestamp")) or 0 for metric in data.get("metrics", ())]
    datasets = one.get("inputs", {}).get("dataset_inputs", ())
    models = one.get("outputs", {}).get("model_outputs", ())
    return Run(
        run_id=info["run_id"],
        run_name=info.get("run_name") or None,
        experiment_id=info["experiment_id"],
        user_id=info.get("user_id") or None,
        status=info.get("status"),
        start_time=start_time,
        end_time=end_time,
        lifecycle_stage=info.get("lifecycle_stage"),
        last_metric_time=(
            None if tells_its_end(start_time, end_time) else max(metric_times, default=None)
        ),
        tags=_tags_of(data.get("tags", ())),
        datasets=tuple(sorted(_dataset_of(one) for one in datasets)),
        model_ids=tuple(sorted({model["model_id"] for model in models})),
        gpu_steps=tuple(
            (metric["key"], _int(metric.get("step")) or 0)
            for metric in data.get("metrics", ())
            if is_gpu_key(metric["key"])
        ),
        objectives=tuple(
            (metric["key"], Mark(_int(metric.get("step")) or 0, int(metric["timestamp"])))
            for metric in data.get("metrics", ())
            if named and named.has(metric["key"])
        ),
    )


def _dataset_of(one: Json) -> LoggedDataset:
    dataset = one.get("dataset", {})
    return LoggedDataset(
        name=dataset.get("name", ""),
        digest=dataset.get("digest", ""),
        source_type=dataset.get("source_type", ""),
        source=dataset.get("source", ""),
        tags=_tags_of(one.get("tags", ())),
    )


def _model_version_of(one: Json, workspace: str) -> ModelVersion:
    return ModelVersion(
        name=one["name"],
        version=str(one["version"]),
        run_id=one.get("run_id") or None,
        source=one.get("source") or None,
        current_stage=one.get("current_stage") or None,
        creation_time=_int(one.get("creation_timestamp")),
        last_updated_time=_int(one.get("last_updated_timestamp")),
        workspace=_not_default(workspace),
    )


def _tags_of(tags: Sequence[Json]) -> tuple[tuple[str, str], ...]:
    return as_tags([(tag["key"], tag.get("value")) for tag in tags])


def _int(value: object) -> int | None:
    """Read a whole number that JSON may hold as text."""
    return None if value is None else int(str(value))
