"""Airflow 3's assets: the events by which tasks say that they wrote one, and who reads it.

An event names the task that wrote the asset, and the DAG runs that it has started so far: the list
grows. Which tasks read an asset is told by their inlets, as the DAGs declare them now. What goes
with an event as `extra` may hold anything and is not copied. A user who may not see assets is told
of none, which is no mistake.

Source: https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from connectors.airflow_rest import Rest, key_of
from connectors.run_changes import Record, micros, table_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.http import Json

_FOREVER = 2**62
_UNSEEN = frozenset({403, 404})

ASSETS = table_of("assets", {"uri": "text", "name": "text", "consumers": "text"})
"""`consumers`: JSON, a list of [DAG, task, microseconds since when the task declares it]."""
ASSET_EVENTS = table_of(
    "asset_events",
    {
        "uri": "text",
        "name": "text",
        "task_key": "text",
        "timestamp": "integer",
        "dag_runs": "text",
    },
)
"""`task_key`: of the task that wrote it; `dag_runs`: JSON, the keys of the runs that it began."""


@dataclass(frozen=True, slots=True)
class Assets:
    """Every asset that a DAG names now, with the tasks that read it."""

    rest: Rest

    def changed(self, since: int) -> Iterator[Record]:
        """Yield all of them, whenever they changed."""
        del since
        where = self.rest.service.where
        for one in _listed(self.rest, "assets", "assets", order_by="id"):
            readers = sorted(
                [task["dag_id"], task["task_id"], micros(task["created_at"], where)]
                for task in one.get("consuming_tasks") or ()
            )
            row = (one["uri"], one.get("name"), json.dumps(readers))
            yield Record(str(one["id"]), [row], is_open=False, last_sign=_FOREVER)

    def by_key(self, key: str) -> Record | None:
        """Return none: an asset is never open."""
        del key
        return None


@dataclass(frozen=True, slots=True)
class AssetEvents:
    """What was written, when, by which task."""

    rest: Rest

    def changed(self, since: int) -> Iterator[Record]:
        """Yield the events since; those of the overlap too, whose DAG runs may have begun since."""
        asked: dict[str, str] = {"order_by": "timestamp"}
        if since:
            asked["timestamp_gte"] = datetime.fromtimestamp(since // 1_000_000, UTC).isoformat()
        for one in _listed(self.rest, "assets/events", "asset_events", **asked):
            at = micros(one["timestamp"], self.rest.service.where) or 0
            began = sorted(
                key_of(run["dag_id"], run["run_id"]) for run in one.get("created_dagruns") or ()
            )
            row = (one.get("uri"), one.get("name"), _task_of(one), at, json.dumps(began))
            yield Record(str(one["id"]), [row], is_open=False, last_sign=at)

    def by_key(self, key: str) -> Record | None:
        """Return none: an event is never open."""
        del key
        return None


def _task_of(event: Json) -> str | None:
    """Return the key of the task that wrote; none for an event that came from outside."""
    parts = [event.get(name) for name in ("source_dag_id", "source_run_id", "source_task_id")]
    if not all(parts):
        return None
    index = event.get("source_map_index", -1)
    mapped = [str(index)] if index is not None and index >= 0 else []
    return key_of(*map(str, parts), *mapped)


def _listed(rest: Rest, path: str, name: str, **asked: Any) -> Iterator[Json]:
    """Yield the records of all pages, by offsets; none where the user may not see them.

    Raises: SourceError
    """
    offset = 0
    while True:
        answer = rest.answer(path, limit=rest.page_size, offset=offset, **asked)
        found = answer.json.get(name)
        if answer.status in _UNSEEN:
            return
        if not answer.is_success or not isinstance(found, list):
            raise rest.refusal(answer if not answer.is_success else None, path)
        yield from found
        offset += len(found)
        if not found or offset >= answer.json["total_entries"]:
            return
