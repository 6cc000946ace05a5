"""ClearML: tasks, who ran them and where, the datasets that they read and the models they made.

ClearML tells what was updated since, so that a night asks for that, and for what was not over
then. Tags such as `team:vision` say whose a task is and, with the user properties that
`property_names` allows, what it is called elsewhere. Other hyperparameters, configurations,
uncommitted code, command lines and metrics are not asked for: they hold secrets now and then.

Its samples of GPUs are not read: where a driver tells no utilisation, ClearML writes a steady 100.

Not run against a server: requests and answers are those of its client's models, API 2.23, and the
paging by scroll and what `get_all_ex` puts in the place of ids are those of its server's source.
Source: https://clear.ml/docs/latest/docs/references/enterprise/tasks
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from connectors.base import SourceError
from connectors.platforms import check_address, days_of
from connectors.run_changes import Days, Record, changes, table_of, utc_micros
from connectors.run_labels import NAMED, allowed
from connectors.secrets import as_bearer, as_login, secret_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.base import Delivery, Known, Table
    from connectors.http import Answer, Json, JsonService

_log = logging.getLogger(__name__)
_OPEN = frozenset({"queued", "in_progress", "publishing"})
_ALL = "tasks.get_all_ex"
_CREDENTIALS = "access_key_env and secret_key_env"
_TIMES = ("created", "started", "completed", "last_update", "last_worker_report")
_ASKED = (
    "id",
    "name",
    "type",
    "status",
    "status_reason",
    *_TIMES,
    "user.name",
    "project.name",
    "parent",
    "tags",
    "system_tags",
    "script.version_num",
    "last_worker",
    "runtime.hostname",
    "runtime.gpu_count",
    "runtime.version",
    "hyperparams.properties",
    "hyperparams.Datasets",
    "models.output.model.name",
)

TASKS = table_of(
    "tasks",
    {
        "name": "text",
        "type": "text",
        "status": "text",
        "status_reason": "text",
        **dict.fromkeys(_TIMES, "integer"),
        "user_name": "text",
        "project": "text",
        "parent": "text",
        "tags": "text",
        "system_tags": "text",
        "commit_sha": "text",
        "worker": "text",
        "host": "text",
        "gpu_count": "integer",
        "version": "text",
        "properties": "text",
        "datasets": "text",
        "models": "text",
    },
)


@dataclass(frozen=True, slots=True)
class Clearml:
    """One workspace of ClearML, in its cloud or on a server of your own."""

    root: str = field(default="https://api.clear.ml", repr=False)
    """The address of the API server, without passwords."""
    access_key_env: str = "CLEARML_API_ACCESS_KEY"
    """Environment variable that holds the access key of somebody who may see all projects."""
    secret_key_env: str = "CLEARML_API_SECRET_KEY"  # noqa: S105 - a variable's name
    """Environment variable that holds the secret key that goes with it."""
    property_names: tuple[str, ...] = NAMED
    """Globs of what of a task's user properties is copied; the rest stays there."""
    overlap_days: int = 3
    """What was updated in the days before the last extraction is read again."""
    rescan_days: int = 35
    """How far back changes are looked for that were written late."""
    rescan_every_days: int = 7
    """How often that is done."""
    backfill_days: int = 0
    """Days to look back on the first night; 0: to the first run. More days later fetch the rest."""
    page_size: int = 200
    """Tasks per request; servers give no more than 500."""
    timeout_seconds: int = 120
    """How long one request may take."""

    name: ClassVar[str] = "clearml"
    tables: ClassVar[Sequence[Table]] = (TASKS,)

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
            yield from changes(TASKS, _Tasks(self, service), known, at, days)
            _log.info("clearml: %d requests", service.requests)

    def _open(self) -> JsonService:
        """Connect with a token, taken anew when it runs out.

        Raises: SourceError
        """
        from connectors.http import JsonService  # noqa: PLC0415 - loads an HTTP client

        if not self.root.startswith(("http://", "https://")) or "@" in self.root:
            raise SourceError(
                "root is not an address without credentials",
                where=self.root.rpartition("@")[2],
                fix='write "https://api.clearml.example", and name the environment variables that '
                f"hold the keys in {_CREDENTIALS}",
            )
        return JsonService.at(
            "ClearML", self.root, headers=self._logged_in, timeout_seconds=self.timeout_seconds
        )

    def _logged_in(self) -> dict[str, str]:
        """Trade the two keys for a token."""
        from connectors.http import JsonService  # noqa: PLC0415 - loads an HTTP client

        def keys() -> dict[str, str]:
            access_key, secret_key = (
                secret_of(named, where=self.root)
                for named in (self.access_key_env, self.secret_key_env)
            )
            return as_login(access_key, secret_key)

        with JsonService.at(
            "ClearML", self.root, headers=keys, timeout_seconds=self.timeout_seconds
        ) as service:
            answer = service.ask("POST", "auth.login", json={})
            return as_bearer(_data(service, answer, "auth.login")["token"])


@dataclass(frozen=True, slots=True)
class _Tasks:
    """The tasks of a workspace, archived and hidden ones too: they cost money all the same."""

    config: Clearml
    service: JsonService

    def changed(self, since: int) -> Iterator[Record]:
        """Yield tasks that were updated since, the oldest first: pages do not move then."""
        wanted: Json = {"order_by": ["created", "id"], "size": self.config.page_size}
        if since:
            text = datetime.fromtimestamp(since // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            wanted["last_update"] = [f">={text}"]
        scroll_id = None
        while True:
            # a server opens a scroll only for who names one, though it be none
            told = self._ask({**wanted, "scroll_id": scroll_id})
            yield from map(self._record, told["tasks"])
            if len(told["tasks"]) < self.config.page_size:
                return
            scroll_id = told.get("scroll_id")
            if not scroll_id:
                raise SourceError(
                    "ClearML gives a page and no scroll_id for the next",
                    where=self.service.where,
                    fix="update the server: it answers otherwise than API 2.23 says",
                )

    def by_key(self, key: str) -> Record | None:
        """Return a task; none for one that was deleted."""
        found = self._ask({"id": [key]})["tasks"]
        return self._record(found[0]) if found else None

    def _ask(self, wanted: Json) -> Json:
        asked = {"only_fields": _ASKED, "search_hidden": True, "allow_public": False, **wanted}
        told = _data(self.service, self.service.ask("POST", _ALL, json=asked), _ALL)
        return {**told, "tasks": told.get("tasks") or []}

    def _record(self, one: Json) -> Record:
        times = [utc_micros(one.get(name), self.service.where) for name in _TIMES]
        runtime = one.get("runtime") or {}
        sections = one.get("hyperparams") or {}
        row = (
            one.get("name"),
            one.get("type"),
            one.get("status"),
            one.get("status_reason"),
            *times,
            _named(one.get("user")),
            _named(one.get("project")),
            _id(one.get("parent")),
            json.dumps(sorted(one.get("tags") or ())),
            json.dumps(sorted(one.get("system_tags") or ())),
            (one.get("script") or {}).get("version_num"),
            one.get("last_worker"),
            runtime.get("hostname"),
            runtime.get("gpu_count"),
            runtime.get("version"),
            json.dumps(allowed(_values(sections.get("properties")), self.config.property_names)),
            json.dumps(_values(sections.get("Datasets")), sort_keys=True),
            json.dumps(_models(one)),
        )
        is_open = one.get("status") in _OPEN
        return Record(one["id"], [row], is_open=is_open, last_sign=max(time or 0 for time in times))


def _data(service: JsonService, answer: Answer, path: str) -> Json:
    """Return what an answer holds.

    Raises: SourceError
    """
    data, meta = answer.json.get("data"), answer.json.get("meta") or {}
    if not answer.is_success or not isinstance(data, dict):
        said = str(meta.get("result_msg") or "")[:200]
        raise service.refusal(answer, path, said=said, credentials=_CREDENTIALS)
    return data


def _id(given: object) -> str | None:
    """Return an id; a server puts an object in its place where it is asked for more than that."""
    found = given.get("id") if isinstance(given, dict) else given
    return str(found) if found else None


def _named(given: object) -> str | None:
    """Return the name of what an id stands for, or the id."""
    name = given.get("name") if isinstance(given, dict) else None
    return str(name) if name else _id(given)


def _values(section: Json | None) -> Json:
    """Return name -> value of a section of hyperparameters."""
    return {name: held.get("value") for name, held in (section or {}).items()}


def _models(one: Json) -> list[list[str]]:
    """Return the models that a task made: name, id."""
    made = (one.get("models") or {}).get("output") or ()
    pairs = ((_named(item.get("model")), _id(item.get("model"))) for item in made)
    return sorted([name, model_id] for name, model_id in pairs if name and model_id)
