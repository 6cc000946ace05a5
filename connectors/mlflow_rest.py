"""MLflow read through its server, by the REST API that its own client uses.

A page is asked for by time, not by the server's page token: tokens are offsets, and a run that ends
between two pages would shift the rest. No filter finds both what ended since and what still runs,
so each is a search of its own; a run may come up in more than one.

Source: https://mlflow.org/docs/latest/api_reference/rest-api.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from connectors.mlflow_records import (
    OPEN_STATUSES,
    Experiment,
    LoggedDataset,
    ModelVersion,
    Run,
    as_tags,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    from connectors.http import Json, JsonService

_API = "api/2.0/mlflow/"
_EXPERIMENTS_PER_SEARCH = 1000


@dataclass(slots=True)
class Rest:
    """An MLflow server."""

    service: JsonService
    page_size: int
    _experiment_ids: list[str] = field(default_factory=list, init=False)

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
        found = [
            Experiment(one["experiment_id"], one.get("name") or None, one.get("lifecycle_stage"))
            for page in self._pages("experiments/search", asked)
            for one in page.get("experiments", ())
        ]
        self._experiment_ids = [experiment.experiment_id for experiment in found]
        yield from found

    def runs(self, since: int, *, started: bool) -> Iterator[Run]:
        """Yield each run that is open or ended since (ms); with `started` those started since too.

        A run may come twice. Call `experiments` before: only their runs are looked for.
        """
        for start in range(0, len(self._experiment_ids), _EXPERIMENTS_PER_SEARCH):
            some = self._experiment_ids[start : start + _EXPERIMENTS_PER_SEARCH]
            for status in OPEN_STATUSES:
                yield from self._search(some, "start_time", 0, f"attributes.status = '{status}'")
            if started:
                yield from self._search(some, "start_time", since)
            if since or not started:
                earlier = f"attributes.start_time < {since}" if started else ""
                yield from self._search(some, "end_time", since, earlier)

    def runs_by_id(self, run_ids: Sequence[str]) -> Iterator[Run]:
        """Yield those of the runs that are still there."""
        for run_id in run_ids:
            answer = self._ask("GET", "runs/get", params={"run_id": run_id})
            if answer is not None:
                yield _run_of(answer["run"])

    def model_versions(self, since: int) -> Iterator[ModelVersion]:
        """Yield each version of a model that changed since (ms), but for deleted ones."""
        asked: Json = {
            "max_results": self.page_size,
            "order_by": ["last_updated_timestamp DESC", "name ASC", "version_number DESC"],
        }
        for page in self._pages("model-versions/search", asked, method="GET"):
            for one in page.get("model_versions", ()):
                version = _model_version_of(one)
                if (version.last_updated_time or version.creation_time or 0) < since:
                    return
                yield version

    def _search(
        self, experiment_ids: Sequence[str], by: str, since: int, also: str = ""
    ) -> Iterator[Run]:
        """Search for runs whose time `by` is at least `since`, in the order of that time."""
        low, token = since, ""
        while True:
            conditions = [f"attributes.{by} >= {low}", *([also] if also else [])]
            asked: Json = {
                "experiment_ids": list(experiment_ids),
                "filter": " AND ".join(conditions),
                "run_view_type": "ALL",
                "max_results": self.page_size,
                "order_by": [f"attributes.{by} ASC"],
            }
            answer = self._ask("POST", "runs/search", json=asked | _token(token)) or {}
            runs = [_run_of(one) for one in answer.get("runs", ())]
            yield from runs
            next_token = answer.get("next_page_token", "")
            if not next_token or not runs:
                return
            last = getattr(runs[-1], by)
            # Only a token gets past a full page of runs of the very same millisecond.
            low, token = (low, next_token) if last == low else (last, "")

    def _pages(self, path: str, asked: Json, method: str = "POST") -> Iterator[Json]:
        token = ""
        while True:
            body = asked | _token(token)
            sent: Json = {"json": body} if method == "POST" else {"params": body}
            page = self._ask(method, path, **sent) or {}
            yield page
            token = page.get("next_page_token", "")
            if not token:
                return

    def _ask(self, method: str, path: str, **sent: Any) -> Json | None:
        """Return the answer; none for what is not there.

        Raises: SourceError
        """
        answer = self.service.ask(method, _API + path, **sent)
        if answer.is_success:
            return answer.json
        code = answer.json.get("error_code", "")
        if code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise self.service.refusal(
            answer,
            path,
            said=code,
            credentials="token_env, or username_env and password_env",
        )


def _token(token: str) -> Json:
    return {"page_token": token} if token else {}


def _run_of(one: Json) -> Run:
    info = one["info"]
    data = one.get("data", {})
    end_time = _int(info.get("end_time"))
    metric_times = [_int(metric.get("timestamp")) or 0 for metric in data.get("metrics", ())]
    datasets = one.get("inputs", {}).get("dataset_inputs", ())
    models = one.get("outputs", {}).get("model_outputs", ())
    return Run(
        run_id=info["run_id"],
        run_name=info.get("run_name") or None,
        experiment_id=info["experiment_id"],
        user_id=info.get("user_id") or None,
        status=info.get("status"),
        start_time=_int(info.get("start_time")),
        end_time=end_time,
        lifecycle_stage=info.get("lifecycle_stage"),
        last_metric_time=max(metric_times, default=None) if end_time is None else None,
        tags=_tags_of(data.get("tags", ())),
        datasets=tuple(sorted(_dataset_of(one) for one in datasets)),
        model_ids=tuple(sorted({model["model_id"] for model in models})),
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


def _model_version_of(one: Json) -> ModelVersion:
    return ModelVersion(
        name=one["name"],
        version=str(one["version"]),
        run_id=one.get("run_id") or None,
        source=one.get("source") or None,
        current_stage=one.get("current_stage") or None,
        creation_time=_int(one.get("creation_timestamp")),
        last_updated_time=_int(one.get("last_updated_timestamp")),
    )


def _tags_of(tags: Sequence[Json]) -> tuple[tuple[str, str], ...]:
    return as_tags([(tag["key"], tag.get("value")) for tag in tags])


def _int(value: object) -> int | None:
    """Read a whole number that JSON may hold as text."""
    return None if value is None else int(str(value))
