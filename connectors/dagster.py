"""Dagster: runs, each attempt of their steps, and what they materialised.

Dagster tells what was updated since, so that a night asks for that, and for what was not over then.
Tags `team`, `user` and `project` say whose a run is, others (`mlflow_run_id`) what it is called
elsewhere. The configuration of a run may hold secrets and is not copied.

Dagster does not say where a run ran. On Kubernetes its pods bear the label `dagster/run-id`: let
`run_label` of Prometheus be `label_dagster_run_id`.

Verified against Dagster 1.13. Source: https://docs.dagster.io/guides/operate/graphql
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from connectors.base import SourceError
from connectors.platforms import check_address, days_of
from connectors.run_changes import Days, Record, changes, table_of
from connectors.secrets import as_bearer, secret_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.base import Delivery, Known, Table
    from connectors.http import Answer, Json, JsonService

_log = logging.getLogger(__name__)
_OVER = frozenset({"SUCCESS", "FAILURE", "CANCELED"})
_TIMES = ("creationTime", "startTime", "endTime", "updateTime")
_TOLD = (
    " fragment told on Run { runId jobName status creationTime startTime endTime updateTime "
    "tags { key value } assetSelection { path } "
    "stepStats { stepKey status startTime endTime attempts { startTime endTime } } "
    "assetMaterializations { stepKey tags { key value } "
    "metadataEntries { ... on UrlMetadataEntry { url } "
    "... on PathMetadataEntry { path } ... on TextMetadataEntry { text } } } }"
)
_LIST = (
    "query($limit: Int, $cursor: String, $filter: RunsFilter) "
    "{ runsOrError(limit: $limit, cursor: $cursor, filter: $filter) { __typename "
    "... on Runs { results { ...told } } ... on PythonError { message } } }" + _TOLD
)
_ONE = (
    "query($id: ID!) { runOrError(runId: $id) { __typename ...told "
    "... on PythonError { message } } }" + _TOLD
)

RUNS = table_of(
    "runs",
    {
        "job_name": "text",
        "status": "text",
        "creation_time": "integer",
        "start_time": "integer",
        "end_time": "integer",
        "update_time": "integer",
        "tags": "text",
        "assets": "text",
        "steps": "text",
        "places": "text",
    },
)


@dataclass(frozen=True, slots=True)
class Dagster:
    """One Dagster, read through its web server."""

    root: str = field(repr=False)
    """`https://dagster.example`, without `/graphql` and without passwords."""
    token_env: str = ""
    """Environment variable that holds a token of Dagster+, or of what stands before the server."""
    header_name: str = "Dagster-Cloud-Api-Token"
    """The header that the token goes into; `authorization` sends it as a bearer token."""
    overlap_days: int = 1
    """What changed in the days before the last extraction is read again."""
    rescan_days: int = 35
    """How far back changes are looked for that were written late."""
    rescan_every_days: int = 7
    """How often that is done."""
    backfill_days: int = 0
    """Days to look back on the first night; 0: to the first run. More days later fetch the rest."""
    page_size: int = 50
    """Runs per request."""
    timeout_seconds: int = 120
    """How long one request may take."""

    name: ClassVar[str] = "dagster"
    tables: ClassVar[Sequence[Table]] = (RUNS,)

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
            yield from changes(RUNS, _Runs(service, self.page_size), known, at, days)
            _log.info("dagster: %d requests", service.requests)

    def _open(self) -> JsonService:
        from connectors.http import JsonService  # noqa: PLC0415 - loads an HTTP client

        if not self.root.startswith(("http://", "https://")) or "@" in self.root:
            raise SourceError(
                "root is not an address without credentials",
                where=self.root.rpartition("@")[2],
                fix='write "https://dagster.example", and name the environment variable that holds '
                "a token in token_env",
            )
        return JsonService.at(
            "Dagster",
            self.root,
            headers=self._headers,
            timeout_seconds=self.timeout_seconds,
        )

    def _headers(self) -> dict[str, str]:
        token = secret_of(self.token_env, where=self.root)
        if self.header_name.lower() == "authorization":
            return as_bearer(token)
        return {self.header_name: token} if token else {}


@dataclass(frozen=True, slots=True)
class _Runs:
    """The runs of a Dagster."""

    service: JsonService
    page_size: int

    def changed(self, since: int) -> Iterator[Record]:
        """Yield runs that were updated since, the newest first."""
        wanted: dict[str, Any] = {"limit": self.page_size, "cursor": None, "filter": {}}
        if since:
            wanted["filter"] = {"updatedAfter": since / 1_000_000}
        while True:
            told = self._ask(_LIST, wanted, "runsOrError", "Runs")
            found = told["results"]
            for one in found:
                yield _record(one)
            if len(found) < self.page_size:
                return
            wanted["cursor"] = found[-1]["runId"]

    def by_key(self, key: str) -> Record | None:
        """Return a run; none for one that was deleted."""
        told = self._ask(_ONE, {"id": key}, "runOrError", "Run", "RunNotFoundError")
        return _record(told) if told["__typename"] == "Run" else None

    def _ask(self, query: str, variables: Json, field_name: str, *wanted: str) -> Json:
        """Return one field of the answer, of one of the wanted types.

        Raises: SourceError
        """
        asked = {"query": query, "variables": variables}
        answer = self.service.ask("POST", "graphql", json=asked)
        told = (answer.json.get("data") or {}).get(field_name) or {}
        if not answer.is_success or told.get("__typename") not in wanted:
            raise self.service.refusal(
                answer, "graphql", said=_said(answer, told), credentials="token_env"
            )
        return dict(told)


def _said(answer: Answer, told: Json) -> str:
    """Return what the server says is wrong, in a line."""
    errors = answer.json.get("errors") or [{}]
    said = told.get("message") or errors[0].get("message") or ""
    return str(said).strip().partition("\n")[0][:200]


def _record(one: Json) -> Record:
    times = [_micros(one.get(name)) for name in _TIMES]
    steps = [
        {
            "step": step["stepKey"],
            "status": step.get("status"),
            "begun": _micros(step.get("startTime")),
            "attempts": [
                {"begun": _micros(each.get("startTime")), "ended": _micros(each.get("endTime"))}
                for each in step.get("attempts") or ()
            ],
        }
        for step in one.get("stepStats") or ()
    ]
    row = (
        one.get("jobName"),
        one.get("status"),
        *times,
        json.dumps({tag["key"]: tag["value"] for tag in one.get("tags") or ()}, sort_keys=True),
        json.dumps(sorted("/".join(each["path"]) for each in one.get("assetSelection") or ())),
        json.dumps(sorted(steps, key=lambda step: str(step["step"]))),
        json.dumps(_places(one)),
    )
    is_open = one.get("status") not in _OVER
    return Record(one["runId"], [row], is_open=is_open, last_sign=max(time or 0 for time in times))


def _places(one: Json) -> list[list[str]]:
    """Return what was written where, as far as a materialisation tells: step, address, version."""
    told = (
        (
            str(made.get("stepKey")),
            entry.get("url") or entry.get("path") or entry.get("text") or "",
            _data_version(made),
        )
        for made in one.get("assetMaterializations") or ()
        for entry in made.get("metadataEntries") or ()
    )
    return [list(each) for each in sorted({each for each in told if "://" in each[1]})]


def _data_version(made: Json) -> str:
    """Return the version that Dagster or the asset's author gave the data; '' where none did."""
    tags = {tag["key"]: tag["value"] for tag in made.get("tags") or ()}
    return str(tags.get("dagster/data_version", ""))


def _micros(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1_000_000)
