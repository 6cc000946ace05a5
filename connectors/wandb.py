"""Weights & Biases: runs, who ran them and where, and the artifacts that they read and made.

W&B has no time of an end: a run ended with its last heartbeat. A night asks for what was made or
gave a heartbeat since the last one, and for what was not over then; once a week it reads far back,
because a tag edited late moves no time. Tags such as `team:vision` say whose a run is and, with the
values of its config that `config_keys` allows, what it is called elsewhere. The rest of a config,
summaries, notes, command lines and metrics are not copied.

W&B tells how many GPUs a run's machine has, not how many the run held: that is not read. A run may
say it (`finops.gpu_count` in its config). What W&B saves in a file of each run, among it
SLURM's job, is not fetched: log `slurm_job_id` in the config.

Not run against W&B's own service: requests and answers are those of its client, wandb 0.31, and
`host`, which that does not ask for, as its web application asks for it.
Source: https://docs.wandb.ai/ref/python/public-api/
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
from connectors.secrets import as_login, secret_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.base import Delivery, Known, Table
    from connectors.http import Json, JsonService

_log = logging.getLogger(__name__)
_OVER = frozenset({"finished", "crashed", "failed", "killed", "preempted"})
_USED = (
    "{ pageInfo { endCursor hasNextPage } edges { node { versionIndex digest artifactType { name } "
    "artifactSequence { name project { name entity { name } } } } } }"
)
_TOLD = (
    " fragment told on Run { name displayName state group jobType sweepName commit createdAt "
    "heartbeatAt host tags config user { username } "
    f"inputArtifacts(first: 20) {_USED} outputArtifacts(first: 20) {_USED} }}"
)
_PROJECTS = (
    "query($entity: String, $cursor: String, $perPage: Int) "
    "{ models(entityName: $entity, after: $cursor, first: $perPage) "
    "{ pageInfo { endCursor hasNextPage } edges { node { name } } } }"
)
_RUNS = (
    "query($entity: String!, $project: String!, $cursor: String, $perPage: Int, "
    "$filters: JSONString) { project(name: $project, entityName: $entity) "
    '{ runs(filters: $filters, after: $cursor, first: $perPage, order: "+created_at") '
    "{ pageInfo { endCursor hasNextPage } edges { node { ...told } } } } }" + _TOLD
)
_RUN = (
    "query($entity: String!, $project: String!, $run: String!) "
    "{ project(name: $project, entityName: $entity) { run(name: $run) { ...told } } }" + _TOLD
)
_MORE = (
    "query($entity: String!, $project: String!, $run: String!, $cursor: String) "
    "{ project(name: $project, entityName: $entity) { run(name: $run) "
    "{ artifacts: %s(after: $cursor, first: 50) " + _USED + " } } }"
)

RUNS = table_of(
    "runs",
    {
        "entity": "text",
        "project": "text",
        "run_id": "text",
        "name": "text",
        "state": "text",
        "group_name": "text",
        "job_type": "text",
        "sweep": "text",
        "commit_sha": "text",
        "created_at": "integer",
        "heartbeat_at": "integer",
        "username": "text",
        "host": "text",
        "tags": "text",
        "config": "text",
        "inputs": "text",
        "outputs": "text",
    },
)


@dataclass(frozen=True, slots=True)
class Wandb:
    """The projects of one entity of W&B, in its cloud or on a server of your own."""

    entity: str
    """The team or the user whose projects are read."""
    projects: tuple[str, ...] = ()
    """The projects to read; none named: all of them."""
    root: str = field(default="https://api.wandb.ai", repr=False)
    """The address of the service, without `/graphql` and without passwords."""
    api_key_env: str = "WANDB_API_KEY"
    """Environment variable that holds an API key, best a service account's."""
    config_keys: tuple[str, ...] = NAMED
    """Globs of what of a run's config is copied; the rest may hold secrets and stays there."""
    overlap_days: int = 3
    """What was made or gave a heartbeat in the days before the last extraction is read again."""
    rescan_days: int = 35
    """How far back edits are looked for that were made later: of tags, say."""
    rescan_every_days: int = 7
    """How often that is done."""
    backfill_days: int = 0
    """Days to look back on the first night; 0: to the first run. More days later fetch the rest."""
    page_size: int = 50
    """Runs per request."""
    timeout_seconds: int = 120
    """How long one request may take."""

    name: ClassVar[str] = "wandb"
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
            yield from changes(RUNS, _Runs(self, service), known, at, days)
            _log.info("wandb: %d requests", service.requests)

    def _open(self) -> JsonService:
        from connectors.http import JsonService  # noqa: PLC0415 - loads an HTTP client

        if not self.root.startswith(("http://", "https://")) or "@" in self.root:
            raise SourceError(
                "root is not an address without credentials",
                where=self.root.rpartition("@")[2],
                fix='write "https://wandb.example", and name the environment variable that holds '
                "the API key in api_key_env",
            )
        return JsonService.at(
            "W&B",
            self.root,
            headers=lambda: as_login("api", secret_of(self.api_key_env, where=self.root)),
            timeout_seconds=self.timeout_seconds,
        )


@dataclass(frozen=True, slots=True)
class _Runs:
    """The runs of an entity's projects."""

    config: Wandb
    service: JsonService

    def changed(self, since: int) -> Iterator[Record]:
        """Yield runs that were made or gave a heartbeat since, the oldest first."""
        wanted: Json = {}
        if since:
            # with Z: W&B finds nothing after a time that is written another way
            text = datetime.fromtimestamp(since // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            wanted = {"$or": [{name: {"$gte": text}} for name in ("heartbeatAt", "createdAt")]}
        for project in self.config.projects or self._projects():
            given = {"project": project, "filters": json.dumps(wanted)}
            for one in self._pages(_RUNS, given, "project", "runs"):
                yield self._record(project, one)

    def by_key(self, key: str) -> Record | None:
        """Return a run; none for one that was deleted."""
        _, project, run = key.split("/", 2)
        told = self._ask(_RUN, {"project": project, "run": run}).get("project") or {}
        return self._record(project, told["run"]) if told.get("run") else None

    def _projects(self) -> list[str]:
        found = [one["name"] for one in self._pages(_PROJECTS, {}, "models")]
        if not found:
            raise self._not_there(f"{self.config.entity} has no projects")
        return sorted(found)

    def _pages(self, query: str, given: Json, *path: str) -> Iterator[Json]:
        """Yield the nodes of all pages of what lies at the end of a path.

        Raises: SourceError where it is not there.
        """
        cursor = None
        while True:
            sent = {**given, "cursor": cursor, "perPage": self.config.page_size}
            told: Json | None = self._ask(query, sent)
            for name in path:
                told = (told or {}).get(name)
            if told is None:
                missing = "/".join([self.config.entity, *[given[one] for one in path[:-1]]])
                raise self._not_there(f"there is no {missing}")
            yield from (edge["node"] for edge in told["edges"])
            if not told["pageInfo"]["hasNextPage"]:
                return
            cursor = told["pageInfo"]["endCursor"]

    def _ask(self, query: str, given: Json) -> Json:
        """Return the data of an answer.

        Raises: SourceError
        """
        asked = {"query": query, "variables": {"entity": self.config.entity, **given}}
        answer = self.service.ask("POST", "graphql", json=asked)
        data = answer.json.get("data")
        if not answer.is_success or not isinstance(data, dict) or answer.json.get("errors"):
            errors = answer.json.get("errors") or [{}]
            said = errors[0].get("message") if isinstance(errors[0], dict) else errors[0]
            raise self.service.refusal(
                answer, "graphql", said=str(said or "")[:200], credentials="api_key_env"
            )
        return data

    def _not_there(self, what: str) -> SourceError:
        return SourceError(
            f"{what}, or the API key may not see it",
            where=self.service.where,
            fix="mend entity and projects, or use the key of somebody who may see them",
        )

    def _record(self, project: str, one: Json) -> Record:
        where, path = self.service.where, f"{self.config.entity}/{project}/{one['name']}"
        made, beat = (utc_micros(one.get(name), where) for name in ("createdAt", "heartbeatAt"))
        row = (
            self.config.entity,
            project,
            one["name"],
            one.get("displayName"),
            one.get("state"),
            one.get("group"),
            one.get("jobType"),
            one.get("sweepName"),
            one.get("commit"),
            made,
            beat,
            (one.get("user") or {}).get("username"),
            one.get("host"),
            json.dumps(sorted(one.get("tags") or ())),
            json.dumps(allowed(_values(one.get("config")), self.config.config_keys)),
            self._artifacts(project, one, "inputArtifacts"),
            self._artifacts(project, one, "outputArtifacts"),
        )
        is_open = one.get("state") not in _OVER
        return Record(path, [row], is_open=is_open, last_sign=max(made or 0, beat or 0))

    def _artifacts(self, project: str, one: Json, name: str) -> str:
        """Return what a run read or made, as JSON: [type, name, version, digest], all pages."""
        told, found = one.get(name) or {}, []
        while told:
            found += [_artifact(edge["node"]) for edge in told["edges"] if edge.get("node")]
            if not told["pageInfo"]["hasNextPage"]:
                break
            given = {"run": one["name"], "cursor": told["pageInfo"]["endCursor"]}
            run = self._ask(_MORE % name, {"project": project, **given}).get("project") or {}
            told = (run.get("run") or {}).get("artifacts") or {}
        return json.dumps(sorted(found))


def _artifact(node: Json) -> list[str]:
    sequence = node.get("artifactSequence") or {}
    project = sequence.get("project") or {}
    of = [(project.get("entity") or {}).get("name"), project.get("name"), sequence.get("name")]
    kind = (node.get("artifactType") or {}).get("name")
    version = node.get("versionIndex")
    path = "/".join(part for part in of if part)
    return [kind or "", path, "" if version is None else f"v{version}", node.get("digest") or ""]


def _values(text: object) -> Json:
    """Return a run's config; each value of it comes with a description."""
    try:
        given = json.loads(text, strict=False) if isinstance(text, str) else text
    except json.JSONDecodeError:
        return {}
    if not isinstance(given, dict):
        return {}
    return {
        key: held["value"] if isinstance(held, dict) and "value" in held else held
        for key, held in given.items()
        if key not in {"_wandb", "wandb_version"}
    }
