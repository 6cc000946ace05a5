"""`[books]`: how far a night goes in proving what was billed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from jobs.settings.base import Section


class Books(Section):
    """What is added up a third time."""

    recompute_rows: Annotated[int, Field(ge=0, le=10**9)] = 50_000
