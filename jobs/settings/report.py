"""`[report]`: what the site and the leaderboards show."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from jobs.settings.base import Section


class Report(Section):
    """What the site and the leaderboards show."""

    title: Annotated[str, Field(min_length=1, max_length=200)] = "What machine learning costs"
    top: Annotated[int, Field(ge=1, le=1000)] = 10
    is_demo: bool = False
