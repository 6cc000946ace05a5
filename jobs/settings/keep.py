"""`[keep]`: how much of the past stays on the disk."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from jobs.settings.base import Section


class Keep(Section):
    """How much of the past stays on the disk."""

    generations: Annotated[int, Field(ge=2, le=10_000)] = 7
    open_versions: Annotated[int, Field(ge=1, le=10_000)] = 3
