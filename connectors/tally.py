"""How often a source was asked: requests, or statements of a database, counted where they are made.

Who wants to know opens a count around the work; one that is not wanted costs nothing.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class Tally:
    """What was asked so far."""

    requests: int = 0
    """Repeated ones too."""
    lock: Lock = field(default_factory=Lock, repr=False)


_OPEN: ContextVar[Tally | None] = ContextVar("tally", default=None)


@contextmanager
def counting() -> Iterator[Tally]:
    """Count what this thread asks in the meantime."""
    tally = Tally()
    token = _OPEN.set(tally)
    try:
        yield tally
    finally:
        _OPEN.reset(token)


def count_request() -> None:
    """Count one request."""
    tally = _OPEN.get()
    if tally is not None:
        with tally.lock:
            tally.requests += 1


def shared(function: Callable[P, T]) -> Callable[P, T]:
    """Return a function that counts where this thread does, whichever thread calls it."""
    tally = _OPEN.get()

    def counted(*args: P.args, **kwargs: P.kwargs) -> T:
        token = _OPEN.set(tally)
        try:
            return function(*args, **kwargs)
        finally:
            _OPEN.reset(token)

    return counted


def count_boto(client: Any) -> Any:
    """Return a client of boto3 that counts what it sends."""
    client.meta.events.register("before-send", _count_sent)
    return client


def _count_sent(**_: object) -> None:
    """Count, and return nothing: an answer would be taken for AWS's."""
    count_request()


def count_session(session: Any) -> None:
    """Count what a session of `requests`, as Google's clients have one, is answered."""
    session.hooks["response"].append(_count_answer)


def _count_answer(*_: object, **__: object) -> None:
    count_request()


def count_azure(_: object) -> None:
    """Count a try of Azure's clients, which take it as their `raw_request_hook`."""
    count_request()
