"""Feast: the sources of feature views as datasets, with their owners.

Read from the registry's file, as `feast apply` writes it, or from a registry server with its REST
API (`feast serve_registry --rest-api`). A night delivers the registry as it is, if it has changed.
A source's own owner and tags (`team`, `project`) count; where it has none, those on which all of
the views that read it agree. Queries are not copied: they are no place, and may hold secrets.

Verified against the registry's file and the server of Feast 0.67.
Source: https://docs.feast.dev/reference/registries
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from connectors.base import Delivery, SourceError, Table
from connectors.records import ParquetParts, as_map
from connectors.secrets import as_bearer, secret_of
from connectors.store import open_store
from connectors.stored import read_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.base import Known
    from connectors.feast_registry import Json
    from connectors.http import JsonService

Row = tuple[object, ...]

SOURCES = Table(
    name="sources",
    columns={
        "project": "text",
        "source": "text",
        "kind": "text",
        "uri": "text",
        "table_name": "text",
        "owner": "text",
        "tags": "tags",
    },
)
VIEWS = Table(
    name="views",
    columns={
        "project": "text",
        "view": "text",
        "source": "text",
        "owner": "text",
        "tags": "tags",
    },
)
"""A feature view, and the source that it reads; `source` as `sources` has it."""

_KINDS = {
    "fileOptions": "file",
    "sparkOptions": "spark",
    "bigqueryOptions": "bigquery",
    "redshiftOptions": "redshift",
    "snowflakeOptions": "snowflake",
    "athenaOptions": "athena",
    "trinoOptions": "trino",
}


@dataclass(frozen=True, slots=True)
class Feast:
    """One registry of Feast."""

    root: str
    """Its file, on this machine or s3://bucket/folder/registry.db, or the address of a server."""
    token_env: str = ""
    """The environment variable that holds a server's token."""
    page_size: int = 100
    """Records per request; Feast gives no more than 100."""
    timeout_seconds: int = 120
    """How long one request may take."""

    name: ClassVar[str] = "feast"
    tables: ClassVar[Sequence[Table]] = (SOURCES, VIEWS)

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield the registry as it is, if that is news.

        Raises: SourceError
        """
        yield from self.deliveries_at(known, datetime.now(UTC))

    def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
        """Yield deliveries as of a time of extraction, whose unit they carry."""
        is_server = self.root.startswith(("http://", "https://"))
        sources, views = _rows(self._asked() if is_server else self._filed())
        version = hashlib.sha256(json.dumps([sources, views]).encode()).hexdigest()[:32]
        unit = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for table, rows in ((SOURCES, sources), (VIEWS, views)):
            if not rows or known.cursor(table.name) == version:
                continue
            parts = ParquetParts(table)
            for row in rows:
                parts.add(row)
            yield Delivery(
                table=table.name,
                unit=unit,
                version=version,
                version_at=at,
                files=parts.files(),
                cursor=version,
                stated_rows=parts.row_count,
            )

    def _filed(self) -> Json:
        """Return what the registry's file holds."""
        from connectors.feast_registry import decoded  # noqa: PLC0415 - a server needs none of it

        folder, mark, name = self.root.rpartition("/")
        if "://" in self.root:
            found = [file for file in open_store(folder).files() if file.name == name]
            content = read_whole(found[0]) if found else None
        else:
            path = Path(folder + mark).expanduser() / name
            content = path.read_bytes() if path.is_file() else None
        if content is None:
            raise SourceError(
                "the registry's file is not there",
                where=self.root,
                fix="write what feature_store.yaml has as `registry`; `feast apply` makes the file",
            )
        try:
            return decoded(content)
        except ValueError as error:
            raise SourceError(
                f"the file is no registry of Feast: {error}",
                where=self.root,
                fix="name the file that `feast apply` writes, not the online store; a registry in "
                "a database is read by the address of its server",
            ) from error

    def _asked(self) -> Json:
        """Return what a registry server tells."""
        from connectors.http import JsonService  # noqa: PLC0415 - loads an HTTP client

        if "@" in self.root:
            raise SourceError(
                "root holds credentials",
                where=self.root.rpartition("@")[2],
                fix="put a token into the environment: token_env",
            )
        with JsonService.at(
            "Feast",
            self.root.rstrip("/").removesuffix("/api/v1") + "/api/v1",
            headers=lambda: as_bearer(secret_of(self.token_env, where=self.root)),
            timeout_seconds=self.timeout_seconds,
        ) as service:
            return {
                "dataSources": list(self._pages(service, "data_sources/all", "dataSources")),
                "featureViews": list(self._pages(service, "feature_views/all", "featureViews")),
            }

    def _pages(self, service: JsonService, path: str, key: str) -> Iterator[Json]:
        """Yield what a list has, in an order that stays from page to page."""
        page = 1
        while True:
            asked = {"page": page, "limit": self.page_size, "sort_by": "name"}
            answer = service.ask("GET", path, params=asked)
            found, pages = answer.json.get(key), answer.json.get("pagination")
            if not (answer.is_success and isinstance(found, list) and isinstance(pages, dict)):
                said = str(answer.json.get("detail", ""))
                raise service.refusal(answer, path, said=said, credentials="token_env")
            yield from found
            if page >= pages.get("totalPages", 0):
                return
            page += 1


def _rows(registry: Json) -> tuple[list[Row], list[Row]]:
    """Return the rows of both tables: sources are told on their own, and within views."""
    sources: dict[tuple[str, str], Row] = {}
    views = []
    for told in registry.get("dataSources") or ():
        for source in _stored(told):
            _note(sources, source, told.get("project", ""))
    for kind in ("featureViews", "streamFeatureViews"):
        for view in registry.get(kind) or ():
            spec = view.get("spec") or {}
            project = spec.get("project") or view.get("project", "")
            for source in _stored(spec.get("batchSource") or {}):
                name = _note(sources, source, project)
                owner, tags = spec.get("owner") or None, _tags(spec)
                views.append((project, spec.get("name"), name, owner, tags))
    return sorted(sources.values(), key=repr), sorted(views, key=repr)


def _stored(source: Json) -> Iterator[Json]:
    """Yield the source that data lies in: of a stream or a push, what it is kept in."""
    if source.get("batchSource"):
        yield from _stored(source["batchSource"])
    elif any(option in source for option in _KINDS):
        yield source


def _note(sources: dict[tuple[str, str], Row], source: Json, project: str) -> str:
    """Note a source, and return its name; told on its own it counts before a view's copy."""
    option = next(option for option in _KINDS if option in source)
    place = source[option]
    uri = place.get("uri") or place.get("path") or None
    words = (place.get(word) for word in ("database", "schema", "table"))
    table = ".".join(word for word in words if word) if place.get("table") else None
    name = source.get("name") or uri or table or ""
    owner = source.get("owner") or None
    row = (project, name, _KINDS[option], uri, table, owner, _tags(source))
    sources.setdefault((project, name), row)
    return name


def _tags(told: Mapping[str, Json]) -> list[dict[str, str]]:
    tags = told.get("tags") or {}
    return as_map(tuple(sorted((key, str(value)) for key, value in tags.items())))
