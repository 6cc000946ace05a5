"""Prefect 3: flow runs, their subflows and tasks, and each try of those that were retried.

Prefect has no filter by change, so that a night asks for what began or ended since the last one,
and for what was not over then. Tags `team:vision` and `project:search` say whose a run is, others
of that form (`mlflow_run_id:...`) what it is called elsewhere. Parameters, inputs and job variables
may hold secrets and are not copied.

Verified against Prefect 3.8. Source: https://docs.prefect.io/v3/api-ref/rest-api
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from connectors.base import SourceError
from connectors.platforms import check_address, days_of
from connectors.run_changes import Days, Record, changes, micros, table_of
from connectors.secrets import as_bearer, as_login, secret_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.base import ColumnType, Delivery, Known, Table
    from connectors.http import Answer, Json, JsonService

_log = logging.getLogger(__name__)
_OVER = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})
_BEGUN = ["RUNNING", "PENDING", "PAUSED", "CANCELLING"]
_NOT_FOUND = 404

_COMMON: Mapping[str, ColumnType] = {
    "name": "text",
    "state_type": "text",
    "state_name": "text",
    "run_count": "integer",
    "start_time": "integer",
    "end_time": "integer",
    "tags": "text",
    "states": "text",
}
FLOW_RUNS = table_of(
    "flow_runs",
    {
        **_COMMON,
        "flow_id": "text",
        "flow_name": "text",
        "parent_task_run_id": "text",
        "created_by": "text",
        "infrastructure_pid": "text",
        "work_pool_name": "text",
    },
)
TASK_RUNS = table_of("task_runs", {**_COMMON, "flow_run_id": "text"})


@dataclass(frozen=True, slots=True)
class Prefect:
    """One Prefect server, or a workspace of Prefect Cloud."""

    root: str = field(repr=False)
    """Its API: `https://prefect.example/api`, without passwords."""
    token_env: str = ""
    """Environment variable that holds an API key."""
    username_env: str = ""
    """Environment variable that holds a name, of a server that asks for one."""
    password_env: str = ""
    """Environment variable that holds the password."""
    overlap_days: int = 1
    """What began or ended in the days before the last extraction is read again."""
    rescan_days: int = 35
    """How far back edits are looked for that were made later: of tags, say."""
    rescan_every_days: int = 7
    """How often that is done."""
    backfill_days: int = 0
    """Days to look back on the first night; 0: to the first run. More days later fetch the rest."""
    page_size: int = 200
    """Records per request; Prefect gives no more than 200."""
    timeout_seconds: int = 120
    """How long one request may take."""

    name: ClassVar[str] = "prefect"
    tables: ClassVar[Sequence[Table]] = (FLOW_RUNS, TASK_RUNS)

    def check(self) -> None:
        """Refuse settings that contradict each other.

        Raises: SourceError
        """
        check_address(self.root, self.name)
        back = (self.overlap_days, self.rescan_days, self.rescan_every_days, self.backfill_days)
        days_of(*back, kind=self.name)

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield what is new or changed since the last delivery; nothing where nothing did.

        Raises: SourceError
        """
        yield from self.deliveries_at(known, datetime.now(UTC))

    def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
        """Yield deliveries as of a time of extraction, whose unit they carry."""
        days = Days(self.overlap_days, self.rescan_days, self.rescan_every_days, self.backfill_days)
        with self._open() as service:
            rest = _Rest(service, self.page_size)
            yield from changes(FLOW_RUNS, _Runs(rest, "flow"), known, at, days)
            yield from changes(TASK_RUNS, _Runs(rest, "task"), known, at, days)
            _log.info("prefect: %d requests", service.requests)

    def _open(self) -> JsonService:
        from connectors.http import JsonService  # noqa: PLC0415 - loads an HTTP client

        if not self.root.startswith(("http://", "https://")) or "@" in self.root:
            raise SourceError(
                "root is not an address without credentials",
                where=self.root.rpartition("@")[2],
                fix='write "https://prefect.example/api", and name the environment variables that '
                "hold credentials in token_env, or username_env and password_env",
            )
        return JsonService.at(
            "Prefect",
            self.root,
            headers=self._headers,
            timeout_seconds=self.timeout_seconds,
        )

    def _headers(self) -> dict[str, str]:
        username = secret_of(self.username_env, where=self.root, is_name=True)
        password, token = (
            secret_of(named, where=self.root) for named in (self.password_env, self.token_env)
        )
        return as_login(username if password else "", password) or as_bearer(token)


@dataclass(slots=True)
class _Rest:
    """Asks Prefect for lists and for single records."""

    service: JsonService
    page_size: int
    flow_names: dict[str, str] = field(default_factory=dict)

    def pages(self, path: str, wanted: Mapping[str, object]) -> Iterator[Json]:
        """Yield the records of all pages, oldest first, so that new ones come at the end."""
        offset = 0
        while True:
            body = {**wanted, "sort": "EXPECTED_START_TIME_ASC"}
            sent = {**body, "limit": self.page_size, "offset": offset}
            found = self.listed("POST", f"{path}/filter", json=sent)
            yield from found
            offset += len(found)
            if len(found) < self.page_size:
                return

    def listed(self, method: str, path: str, **sent: object) -> list[Json]:
        """Return an answer that is a list.

        Raises: SourceError
        """
        answer = self.service.ask(method, path, **sent)
        if answer.listed is None:
            raise self._refusal(answer, path)
        return answer.listed

    def one(self, path: str) -> Json | None:
        """Return a record; none for one that was deleted.

        Raises: SourceError
        """
        answer = self.service.ask("GET", path)
        if answer.is_success:
            return answer.json
        if (
            answer.status == _NOT_FOUND
            and "not found" in str(answer.json.get("detail", "")).lower()
        ):
            return None
        raise self._refusal(answer, path)

    def flow_name(self, flow_id: str) -> str:
        """Return what a flow is called, asked once; nothing for one that was deleted."""
        if flow_id not in self.flow_names:
            found = self.one(f"flows/{flow_id}")
            self.flow_names[flow_id] = str(found["name"]) if found else ""
        return self.flow_names[flow_id]

    def _refusal(self, answer: Answer, path: str) -> SourceError:
        return self.service.refusal(
            answer, path, said="", credentials="token_env, or username_env and password_env"
        )


@dataclass(frozen=True, slots=True)
class _Runs:
    """The flow runs, or the task runs, of a server."""

    rest: _Rest
    kind: str

    def changed(self, since: int) -> Iterator[Record]:
        """Yield runs that began or ended since, or are not over."""
        wanted: dict[str, object] = {}
        if since:
            after = {"after_": datetime.fromtimestamp(since // 1_000_000, UTC).isoformat()}
            state = {"type": {"any_": _BEGUN}}
            either = {"operator": "or_", "start_time": after, "end_time": after, "state": state}
            wanted = {f"{self.kind}_runs": either}
        for one in self.rest.pages(f"{self.kind}_runs", wanted):
            if one["start_time"] or one["end_time"]:
                yield self._record(one)

    def by_key(self, key: str) -> Record | None:
        """Return a run; none for one that was deleted."""
        one = self.rest.one(f"{self.kind}_runs/{key}")
        return None if one is None else self._record(one)

    def _record(self, one: Json) -> Record:
        where = self.rest.service.where
        begun, ended = (micros(one.get(name), where) for name in ("start_time", "end_time"))
        row = (
            one.get("name"),
            one.get("state_type"),
            one.get("state_name"),
            one.get("run_count"),
            begun,
            ended,
            json.dumps(sorted(one.get("tags") or ())),
            self._states(one),
            *self._own(one),
        )
        is_open = one.get("state_type") not in _OVER
        return Record(one["id"], [row], is_open=is_open, last_sign=max(begun or 0, ended or 0))

    def _states(self, one: Json) -> str | None:
        """Return the states that a run of several tries was in, with their times, as JSON."""
        if (one.get("run_count") or 0) <= 1:
            return None
        path = f"{self.kind}_run_states/"
        asked = {f"{self.kind}_run_id": one["id"]}
        where = self.rest.service.where
        states = [
            {"type": state["type"], "at": micros(state["timestamp"], where)}
            for state in self.rest.listed("GET", path, params=asked)
        ]
        return json.dumps(sorted(states, key=lambda state: state["at"] or 0))

    def _own(self, one: Json) -> tuple[object, ...]:
        if self.kind == "task":
            return (one.get("flow_run_id"),)
        by = one.get("created_by") or {}
        return (
            one["flow_id"],
            self.rest.flow_name(one["flow_id"]),
            one.get("parent_task_run_id"),
            by.get("display_value") if by.get("type") == "USER" else None,
            one.get("infrastructure_pid"),
            one.get("work_pool_name"),
        )
