"""The nearest of the names that there are, for whoever misspelt one."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Return the end of a sentence that names the nearest of `known`; empty where none is near."""
    near = get_close_matches(given, list(known), 1)
    return f'; did you mean "{near[0]}"?' if near else ""
