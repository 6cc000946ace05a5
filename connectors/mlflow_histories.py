"""How the histories of metrics are read: page by page, from a database or from a server."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from connectors.mlflow_gpus import Point
from connectors.mlflow_objectives import Mark, is_news, value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from connectors.http import Json
    from connectors.mlflow_objectives import Asked, Named

_PAIRS = 100
"""Metrics of runs that one statement reads."""
_ROWS = 20_000
"""Points of a page."""
_FOREVER = 2**62
_STEPS = 2500
"""Points of one metric that a server tells of some steps."""


class Asking(Protocol):
    """A database that answers statements."""

    def read(self, question: Callable[[], list[tuple[Any, ...]]], /) -> list[tuple[Any, ...]]:
        """Answer a question from one state of the database."""
        ...

    def ask(self, sql: str, values: Sequence[object] = (), /) -> list[tuple[Any, ...]]:
        """Run one statement, with `?` for each value."""
        ...


def newest_points(
    database: Asking, named: Named, run_ids: Sequence[str]
) -> Iterator[tuple[str, tuple[str, Mark]]]:
    """Yield run, and the metric that is asked for with where its newest point is."""
    likes = named.likes()
    wanted = " or ".join("key like ? escape '!'" for _ in likes)
    rows = database.ask(
        "select run_uuid, key, step, timestamp from latest_metrics "
        f"where run_uuid in ({_marks(run_ids)}) and ({wanted}) order by run_uuid, key",
        [*run_ids, *likes],
    )
    for run_id, metric, step, timestamp in rows:
        if named.has(metric):
            yield run_id, (metric, Mark(step, timestamp))


def database_histories(database: Asking, asked: Sequence[Asked]) -> Iterator[Point]:
    """Yield the points that are asked for: a metric that goes on from its newest one, others whole.

    Pages go by all that tells points apart, so that none is lost or comes twice, however many a run
    logged at once.
    """
    whole = [one for one in asked if one.known is None]
    for start in range(0, len(whole), _PAIRS):
        some = whole[start : start + _PAIRS]
        pairs = {(one.run.run_id, one.metric) for one in some}
        run_ids, metrics = (sorted(set(texts)) for texts in zip(*pairs, strict=True))
        for point in _points(database, run_ids, metrics):
            if (point.run_id, point.key) in pairs:
                yield point
    for one in asked:
        if one.known is not None:
            yield from _points(database, [one.run.run_id], [one.metric], one.known)


def _points(
    database: Asking, run_ids: Sequence[str], metrics: Sequence[str], known: Mark | None = None
) -> Iterator[Point]:
    order = "run_uuid, key, step, timestamp, value, is_nan"
    where = f"run_uuid in ({_marks(run_ids)}) and key in ({_marks(metrics)})"
    values: list[object] = [*run_ids, *metrics]
    if known is not None:
        where += " and (step, timestamp) > (?, ?)"
        values += known
    last: tuple[object, ...] = ()
    while True:
        after = f" and ({order}) > ({_marks(last)})" if last else ""
        sql = f"select {order} from metrics where {where}{after} order by {order} limit {_ROWS}"
        rows = database.read(partial(database.ask, sql, [*values, *last]))
        for run_id, metric, step, timestamp, value, is_nan in rows:
            yield Point(run_id, metric, timestamp, value_of(value, is_nan=bool(is_nan)), step)
        if len(rows) < _ROWS:
            return
        last = rows[-1]


class Question(Protocol):
    """Answers a path and its parameters; with nothing for what is not there."""

    def __call__(self, path: str, sent: Json, /) -> Json:
        """Ask."""
        ...


def server_histories(ask: Question, one: Asked) -> Iterator[Point]:
    """Yield the points of a metric that are asked for.

    One that goes on is asked for by steps, others whole.
    """
    if one.known is not None and one.newest.step > one.known.step:
        yield from _by_steps(ask, one, one.known)
    else:
        yield from _by_pages(ask, one)


def _by_pages(ask: Question, one: Asked) -> Iterator[Point]:
    """Yield the points of a whole history that are news.

    A server tells them in the order of time, so that what is logged meanwhile comes last; one that
    knows no pages tells all at once.
    """
    token: Json = {}
    while True:
        sent = {"run_id": one.run.run_id, "metric_key": one.metric, "max_results": _ROWS, **token}
        answer = ask("metrics/get-history", sent)
        for point in _told(one, answer):
            if is_news(point, one.known):
                yield point
        if not answer.get("next_page_token"):
            return
        token = {"page_token": answer["next_page_token"]}


def _by_steps(ask: Question, one: Asked, known: Mark) -> Iterator[Point]:
    low = known.step
    while low <= one.newest.step:
        sent = {
            "run_ids": one.run.run_id,
            "metric_key": one.metric,
            "start_step": low,
            "end_step": low + _STEPS - 1,
            "max_results": _STEPS,
        }
        found = _told(one, ask("metrics/get-history-bulk-interval", sent))
        if len(found) >= _STEPS:  # several points a step: the server may have left some out
            yield from _by_pages(ask, one._replace(known=known))
            return
        yield from (point for point in found if is_news(point, known))
        low += _STEPS
        known = max(known, Mark(low - 1, _FOREVER))


def _told(one: Asked, answer: Json) -> list[Point]:
    return [
        Point(
            one.run.run_id,
            one.metric,
            int(told["timestamp"]),
            value_of(told["value"]),
            int(told.get("step") or 0),
        )
        for told in answer.get("metrics", ())
    ]


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" for _ in values)
