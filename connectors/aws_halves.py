"""Answers of AWS that break off, asked again.

boto3 takes half an object of JSON, and a login page in its place, for an answer in which nothing
is: a list that seems empty. Its own retries do not see that.
"""

from __future__ import annotations

import json
from typing import Any, Final

from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]

_TRIES: Final = 6
_FIRST_WAIT: Final = 0.2
"""Seconds; twice as long after each try."""
_OK: Final = 200
_JSON: Final = frozenset({"json", "rest-json"})


class HalfAnswerError(BotoCoreError):  # type: ignore[misc]
    """An answer that breaks off, or is no JSON, each time."""

    fmt = "the answer to {operation} breaks off, or is not JSON, after {tries} tries"


def ask_halves_again(client: Any) -> Any:
    """Return a client of boto3 that does not take half an answer for a whole one."""
    if client.meta.service_model.metadata.get("protocol") in _JSON:
        client.meta.events.register("needs-retry", _wait)
    return client


def _wait(*, response: Any, attempts: int, operation: Any, **_: object) -> float | None:
    """Return for how long to wait before asking again; nothing for a whole answer.

    Raises: HalfAnswerError
    """
    if response is None or response[0].status_code != _OK or is_whole(response[0].content):
        return None
    if attempts >= _TRIES:
        raise HalfAnswerError(operation=operation.name, tries=attempts)
    return float(_FIRST_WAIT * 2 ** (attempts - 1))


def is_whole(content: bytes) -> bool:
    """Tell whether an answer is an object of JSON, or empty, as some are that tell nothing."""
    try:
        return not content or isinstance(json.loads(content), dict)
    except (UnicodeDecodeError, json.JSONDecodeError):
        return False
