"""Telling of a service that is asked again, where the wait is one that somebody would wonder at."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from stamina.instrumentation import set_on_retry_hooks

if TYPE_CHECKING:
    from stamina.instrumentation import RetryDetails

_WORTH_TELLING = 4.0
"""Seconds: shorter waits are a server's every day."""
_log = logging.getLogger(__name__)


def tell_of_waits() -> None:
    """Tell of long waits, in place of the library's line about each, which does not say why."""
    set_on_retry_hooks([tell_of_wait])


def tell_of_wait(details: RetryDetails) -> None:
    """Tell of one wait, and of what it is for, if it is a long one."""
    if details.wait_for >= _WORTH_TELLING:
        _log.warning("asked again in %.0f s: %s", details.wait_for, details.caused_by)
