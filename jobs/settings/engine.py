"""`[engine]`: what a night may use of the machine."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from jobs.settings.base import Section


class Engine(Section):
    """What a night may use of the machine."""

    memory_limit: Annotated[str, Field(pattern=r"^[1-9][0-9]*(MB|GB|MiB|GiB)$")] = "1500MB"
    threads: Annotated[int, Field(ge=1, le=256)] = 2
