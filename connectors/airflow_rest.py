"""Airflow 3 read through its REST API, version 2: DAGs, DAG runs, and every try of every task.

Lists show a task's last try alone: the tries before it, which have cost as much, are asked for task
by task. A run's `conf`, rendered fields and the rest of `executor_config` may hold secrets and are
not copied.

Source: https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from connectors.run_changes import Record, micros, table_of
from connectors.secrets import as_bearer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Self

    from connectors.http import Answer, Json, JsonService
    from connectors.run_changes import Row

API = "api/v2/"
_OVER = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
_FOREVER = 2**62
_NOT_FOUND = 404
_UNAUTHORISED = 401

DAGS = table_of("dags", {"dag_id": "text", "owners": "text", "tags": "text"})
DAG_RUNS = table_of(
    "dag_runs",
    {
        "dag_id": "text",
        "dag_run_id": "text",
        "run_type": "text",
        "state": "text",
        "queued_at": "integer",
        "start_date": "integer",
        "end_date": "integer",
        "triggering_user_name": "text",
        "bundle_version": "text",
    },
)
TASK_TRIES = table_of(
    "task_tries",
    {
        "dag_id": "text",
        "dag_run_id": "text",
        "task_id": "text",
        "map_index": "integer",
        "try_number": "integer",
        "state": "text",
        "queued_when": "integer",
        "start_date": "integer",
        "end_date": "integer",
        "hostname": "text",
        "operator": "text",
        "executor": "text",
        "queue": "text",
        "bundle_version": "text",
        "pod_namespace": "text",
        "pod_gpus": "text",
    },
)


@dataclass(slots=True)
class Rest:
    """An Airflow server, logged in."""

    service: JsonService
    page_size: int
    login: Callable[[], tuple[str, str]] | None = None
    """Reads name and password, for which the server gives a token; none where one was given."""

    def __enter__(self) -> Self:
        """Use the connection for a while."""
        if self.login:
            self._log_in(*self.login())
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.service.client.close()

    def get(self, path: str, **params: object) -> Json | None:
        """Return the answer; none for what is not there.

        Raises: SourceError
        """
        answer = self.answer(path, **params)
        if answer.is_success:
            return answer.json
        said = str(answer.json.get("detail", ""))
        if answer.status == _NOT_FOUND and "not found" in said and "route" not in said:
            return None
        raise self.refusal(answer, path)

    def answer(self, path: str, **params: object) -> Answer:
        """Return whatever the server says, once it knows who asks."""
        answer = self.service.ask("GET", API + path, params=params)
        if answer.status == _UNAUTHORISED and self.login:
            self._log_in(*self.login())
            answer = self.service.ask("GET", API + path, params=params)
        return answer

    def pages(self, path: str, field_name: str, **params: object) -> Iterator[Json]:
        """Yield the records of all pages; a server without cursors is read by offsets.

        Raises: SourceError
        """
        asked = {**params, "limit": self.page_size, "order_by": "id", "cursor": ""}
        count = 0
        while True:
            page = self.get(path, **asked)
            if page is None or not isinstance(page.get(field_name), list):
                raise self.refusal(None, path)
            yield from page[field_name]
            count += len(page[field_name])
            if page.get("next_cursor"):
                asked["cursor"] = page["next_cursor"]
            elif "next_cursor" in page or not page[field_name] or count >= page["total_entries"]:
                return
            else:
                asked.pop("cursor", None)
                asked["offset"] = count

    def _log_in(self, username: str, password: str) -> None:
        """Take a token; without a name, as a server gives it that lets everybody in."""
        path = "auth/token"
        if username:
            login = {"username": username, "password": password}
            answer = self.service.ask("POST", path, json=login)
        else:
            answer = self.service.ask("GET", path)
        token = answer.json.get("access_token")
        if not answer.is_success or not token:
            raise self.refusal(answer, path)
        self.service.client.headers.update(as_bearer(token))

    def refusal(self, answer: Answer | None, path: str) -> Exception:
        """Return the error for an answer; none for one that holds no list."""
        from connectors.base import SourceError  # noqa: PLC0415

        if answer is None:
            return SourceError(
                "Airflow answers with a page that holds no list",
                where=f"{self.service.where} ({path})",
                fix="root must be the address of Airflow 3 itself, without /api/v2",
            )
        return self.service.refusal(
            answer, path, said="", credentials="token_env, or username_env and password_env"
        )


@dataclass(frozen=True, slots=True)
class Dags:
    """Every DAG, those that are gone from its folder too."""

    rest: Rest

    def changed(self, since: int) -> Iterator[Record]:
        """Yield all of them, whenever they changed."""
        del since
        asked: dict[str, Any] = {"exclude_stale": "false", "order_by": "dag_id"}
        offset = 0
        while True:
            page = self.rest.get("dags", limit=self.rest.page_size, offset=offset, **asked) or {}
            for one in page.get("dags", ()):
                owners = ",".join(sorted(one.get("owners") or ()))
                tags = ",".join(sorted(tag["name"] for tag in one.get("tags") or ()))
                yield Record(one["dag_id"], [(one["dag_id"], owners, tags)], False, _FOREVER)  # noqa: FBT003
            offset += len(page.get("dags", ()))
            if not page.get("dags") or offset >= page["total_entries"]:
                return

    def by_key(self, key: str) -> Record | None:
        """Return none: a DAG is never open."""
        del key
        return None


@dataclass(frozen=True, slots=True)
class DagRuns:
    """The runs of all DAGs."""

    rest: Rest

    def changed(self, since: int) -> Iterator[Record]:
        """Yield runs that changed since."""
        for one in self.rest.pages("dags/~/dagRuns", "dag_runs", **_since(since)):
            yield self._record(one)

    def by_key(self, key: str) -> Record | None:
        """Return a run; none for one that was deleted."""
        dag_id, run_id = map(unquote, key.split("/"))
        one = self.rest.get(f"dags/{_part(dag_id)}/dagRuns/{_part(run_id)}")
        return None if one is None else self._record(one)

    def _record(self, one: Json) -> Record:
        where = self.rest.service.where
        times = [micros(one.get(name), where) for name in ("queued_at", "start_date", "end_date")]
        row: Row = (
            one["dag_id"],
            one["dag_run_id"],
            one.get("run_type"),
            one.get("state"),
            *times,
            one.get("triggering_user_name"),
            one.get("bundle_version"),
        )
        return Record(
            key_of(one["dag_id"], one["dag_run_id"]),
            [row],
            is_open=one.get("state") not in _OVER,
            last_sign=max(time or 0 for time in times),
        )


@dataclass(frozen=True, slots=True)
class TaskTries:
    """The task instances of all runs, each with all its tries."""

    rest: Rest

    def changed(self, since: int) -> Iterator[Record]:
        """Yield tasks that changed since."""
        path = "dags/~/dagRuns/~/taskInstances"
        for one in self.rest.pages(path, "task_instances", **_since(since)):
            yield self._record(one)

    def by_key(self, key: str) -> Record | None:
        """Return a task; none for one whose run was deleted."""
        dag_id, run_id, task_id, *index = map(unquote, key.split("/"))
        path = f"dags/{_part(dag_id)}/dagRuns/{_part(run_id)}/taskInstances/{_part(task_id)}"
        one = self.rest.get("/".join([path, *index]))
        return None if one is None else self._record(one)

    def _record(self, one: Json) -> Record:
        where = self.rest.service.where
        mapped = [str(one["map_index"])] if one.get("map_index", -1) >= 0 else []
        tries = {one["try_number"]: one}
        if one["try_number"] > 1 or (one.get("state") not in _OVER and one["try_number"]):
            path = (
                f"dags/{_part(one['dag_id'])}/dagRuns/{_part(one['dag_run_id'])}"
                f"/taskInstances/{_part(one['task_id'])}"
            )
            found = self.rest.get("/".join([path, *mapped, "tries"])) or {}
            earlier = {each["try_number"]: each for each in found.get("task_instances", ())}
            tries = earlier | tries if _has_begun(one) else tries | earlier
        rows = [_try_row(tries[number], where) for number in sorted(tries)]
        times = [micros(one.get(name), where) or 0 for name in ("queued_when", "end_date")]
        return Record(
            key_of(one["dag_id"], one["dag_run_id"], one["task_id"], *mapped),
            rows,
            is_open=one.get("state") not in _OVER,
            last_sign=max(*times, micros(one.get("start_date"), where) or 0),
        )


def key_of(*parts: str) -> str:
    """Return a native id: `dag/run/task/map index`, as far as there are."""
    return "/".join(quote(part, safe=":+~") for part in parts)


def _has_begun(one: Json) -> bool:
    """Tell whether the list's row is a try of its own: a cleared task still has its last number."""
    return one.get("state") is not None


def _part(text: str) -> str:
    return quote(text, safe="")


def _since(since: int) -> Mapping[str, object]:
    if not since:
        return {}
    return {"updated_at_gte": datetime.fromtimestamp(since // 1_000_000, UTC).isoformat()}


def _try_row(one: Json, where: str) -> Row:
    namespace, gpus = _pod_of(one.get("executor_config"))
    return (
        one["dag_id"],
        one["dag_run_id"],
        one["task_id"],
        one.get("map_index", -1),
        one["try_number"],
        one.get("state"),
        *(micros(one.get(name), where) for name in ("queued_when", "start_date", "end_date")),
        one.get("hostname") or None,
        one.get("operator_name") or one.get("operator"),
        one.get("executor"),
        one.get("queue"),
        (one.get("dag_version") or {}).get("bundle_version"),
        namespace,
        gpus,
    )


def _pod_of(config: object) -> tuple[str | None, str | None]:
    """Return the namespace and GPUs that a task asks of Kubernetes; its configuration is Python."""
    try:
        held = ast.literal_eval(str(config))
        pod = held.get("pod_override") or {}
        spec = pod.get("spec") or {}
        limits = [
            (container.get("resources") or {}).get("limits") or {}
            for container in spec.get("containers") or ()
        ]
        counts = [int(limit["nvidia.com/gpu"]) for limit in limits if "nvidia.com/gpu" in limit]
        namespace = (pod.get("metadata") or {}).get("namespace")
    except (ValueError, SyntaxError, AttributeError, TypeError):
        return None, None
    return namespace, str(sum(counts)) if counts else None
