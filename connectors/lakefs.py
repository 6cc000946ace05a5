"""lakeFS: repositories as datasets, their commits as versions, and the runs that commits name.

A repository's bytes lie in its storage namespace, whatever commits share them. Its own metadata
says whose it is: `owner` (or `user`), `team`, `project`. A commit whose metadata names a run of
another system, as `mlflow_run_id` does, tells what that run wrote; messages are not copied. Commits
never change, so that a night reads those that are new, of branches that have moved.

Runs that name data as lakefs://repository/branch/path are understood. What they read by lakeFS's S3
gateway looks like a bucket with the repository's name: register s3://repository in the ownership
file, under the repository's name.

Verified against the models of lakeFS's own client (lakefs-sdk 1.88), not against a server.
Source: https://docs.lakefs.io/reference/api/
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

from connectors.base import Delivery, SourceError, Table
from connectors.platforms import check_address
from connectors.records import ParquetParts, as_map, digest_of
from connectors.secrets import as_login, secret_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.base import Known
    from connectors.http import Json, JsonService

_log = logging.getLogger(__name__)
_SECOND = 1_000_000
_NOT_FOUND = 404
_LEFT_OUT = (403, _NOT_FOUND)

REPOSITORIES = Table(
    name="repositories",
    columns={
        "repository": "text",
        "storage_namespace": "text",
        "default_branch": "text",
        "creation_date": "integer",
        "metadata": "tags",
    },
)
COMMITS = Table(
    name="commits",
    columns={
        "repository": "text",
        "commit_id": "text",
        "committer": "text",
        "creation_date": "integer",
        "metadata": "tags",
    },
)
"""`creation_date`: microseconds."""


@dataclass(frozen=True, slots=True)
class Lakefs:
    """One lakeFS server."""

    root: str = field(repr=False)
    """Its address: `https://lakefs.example`, without passwords."""
    access_key_env: str = ""
    """Environment variable that holds the id of an access key."""
    secret_key_env: str = ""
    """Environment variable that holds the key's secret."""
    page_size: int = 1000
    """Records per request; lakeFS gives no more than 1000."""
    timeout_seconds: int = 120
    """How long one request may take."""

    name: ClassVar[str] = "lakefs"
    tables: ClassVar[Sequence[Table]] = (REPOSITORIES, COMMITS)

    def check(self) -> None:
        """Refuse settings that contradict each other.

        Raises: SourceError
        """
        check_address(self.root, self.name)

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield the repositories, if they changed, and the commits that are new.

        Raises: SourceError
        """
        yield from self.deliveries_at(known, datetime.now(UTC))

    def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
        """Yield deliveries as of a time of extraction, whose unit they carry."""
        with self._open() as service:
            lake = _Lake(service, self.page_size)
            repositories = list(lake.listed("repositories"))
            parts = ParquetParts(REPOSITORIES)
            for one in repositories:
                parts.add(_repository_row(one, lake.metadata(one["id"])))
            yield from _delivery(parts, at, known.cursor(REPOSITORIES.name))
            yield from _new_commits(lake, repositories, known, at)
            _log.info("lakefs: %d requests", service.requests)

    def _open(self) -> JsonService:
        from connectors.http import JsonService  # noqa: PLC0415 - loads an HTTP client

        if not self.root.startswith(("http://", "https://")) or "@" in self.root:
            raise SourceError(
                "root is not an address without credentials",
                where=self.root.rpartition("@")[2],
                fix='write "https://lakefs.example", and name the environment variables that hold '
                "credentials in access_key_env and secret_key_env",
            )
        return JsonService.at(
            "lakeFS",
            self.root.rstrip("/").removesuffix("/api/v1") + "/api/v1",
            headers=self._headers,
            timeout_seconds=self.timeout_seconds,
        )

    def _headers(self) -> dict[str, str]:
        access_key, secret_key = (
            secret_of(named, where=self.root)
            for named in (self.access_key_env, self.secret_key_env)
        )
        return as_login(access_key if secret_key else "", secret_key)


@dataclass(frozen=True, slots=True)
class _Lake:
    """Asks lakeFS for lists."""

    service: JsonService
    page_size: int

    def listed(self, path: str) -> Iterator[Json]:
        """Yield what a list has, page by page.

        Raises: SourceError
        """
        after = ""
        while True:
            answer = self.service.ask(
                "GET", path, params={"amount": self.page_size, "after": after}
            )
            found, pages = answer.json.get("results"), answer.json.get("pagination")
            if not (answer.is_success and isinstance(found, list) and isinstance(pages, dict)):
                if answer.status == _NOT_FOUND and path != "repositories":
                    return  # deleted since it was listed
                said = str(answer.json.get("message", ""))
                keys = "access_key_env and secret_key_env"
                raise self.service.refusal(answer, path, said=said, credentials=keys)
            yield from found
            if not pages.get("has_more"):
                return
            after = str(pages.get("next_offset"))

    def metadata(self, repository: str) -> Json:
        """Return what a repository says of itself; nothing where it may not be asked.

        Raises: SourceError
        """
        path = f"repositories/{quote(repository, safe='')}/metadata"
        answer = self.service.ask("GET", path)
        if not answer.is_success and answer.status not in _LEFT_OUT:
            said = str(answer.json.get("message", ""))
            keys = "access_key_env and secret_key_env"
            raise self.service.refusal(answer, path, said=said, credentials=keys)
        return answer.json if answer.is_success else {}

    def commits(self, repository: str, known: set[bytes]) -> Iterator[Json]:
        """Yield the commits that no night has delivered; `known` takes them in.

        The log gives children before their parents: once no parent is awaited, all have come.
        """
        base = f"repositories/{quote(repository, safe='')}"
        for branch in self.listed(f"{base}/branches"):
            awaited = {branch["commit_id"]}
            if _digest(repository, branch["commit_id"]) in known:
                continue
            for commit in self.listed(f"{base}/refs/{quote(branch['id'], safe='')}/commits"):
                awaited.discard(commit["id"])
                digest = _digest(repository, commit["id"])
                if digest not in known:
                    known.add(digest)
                    awaited |= {
                        parent
                        for parent in commit.get("parents") or ()
                        if _digest(repository, parent) not in known
                    }
                    yield commit
                if not awaited:
                    break


def _new_commits(
    lake: _Lake, repositories: Sequence[Json], known: Known, at: datetime
) -> Iterator[Delivery]:
    delivered = _unpacked(known.cursor(COMMITS.name))
    parts = ParquetParts(COMMITS)
    for one in repositories:
        for commit in lake.commits(one["id"], delivered):
            parts.add(
                (
                    one["id"],
                    commit["id"],
                    commit.get("committer"),
                    commit["creation_date"] * _SECOND,
                    _tags(commit.get("metadata")),
                )
            )
    yield from _delivery(parts, at, None, _packed(delivered))


def _delivery(
    parts: ParquetParts, at: datetime, last_version: str | None, cursor: str = ""
) -> Iterator[Delivery]:
    """Yield rows as a delivery; nothing where there are none, or the last one had the same."""
    if not parts.row_count:
        return
    files = parts.files()
    version = hashlib.sha256(b"".join(file.content for file in files)).hexdigest()[:32]
    if version == last_version:
        return
    yield Delivery(
        table=parts.table.name,
        unit=at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        version=version,
        version_at=at,
        files=files,
        cursor=cursor or version,
        stated_rows=parts.row_count,
    )


def _repository_row(one: Json, metadata: Json) -> tuple[object, ...]:
    return (
        one["id"],
        one["storage_namespace"],
        one.get("default_branch"),
        one["creation_date"] * _SECOND,
        _tags(metadata),
    )


def _tags(told: Json | None) -> list[dict[str, str]]:
    return as_map(tuple(sorted((key, str(value)) for key, value in (told or {}).items())))


def _digest(repository: str, commit_id: str) -> bytes:
    return digest_of([repository, commit_id])


def _packed(digests: set[bytes]) -> str:
    return json.dumps({"commits": base64.b64encode(b"".join(sorted(digests))).decode()})


def _unpacked(cursor: str | None) -> set[bytes]:
    packed = base64.b64decode(json.loads(cursor)["commits"]) if cursor else b""
    return {packed[start : start + 6] for start in range(0, len(packed), 6)}
