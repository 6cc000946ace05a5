"""`[operations]`: who hears of a night that failed, and what is kept to recover with."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from jobs.settings.base import Section

if TYPE_CHECKING:
    from pathlib import Path

_Address = Annotated[str, Field(pattern=r"^[^@\s<>\",;:]+@[^@\s<>\",;:]+$", max_length=254)]


class Operations(Section):
    """What the people who run mlspend need of it."""

    operators: Annotated[tuple[_Address, ...], Field(strict=False)] = ()
    dead_man_file: str = ""
    late_after_hours: Annotated[int, Field(ge=1, le=8760)] = 30
    backfill_months: Annotated[int, Field(ge=0, le=1200)] = 0
    journal_backups: Annotated[int, Field(ge=1, le=10_000)] = 14
    log_format: Literal["text", "json"] = "text"


def operations_of(config_path: Path) -> Operations:
    """Return `[operations]` of a config file that may be wrong in every other place."""
    try:
        table = tomllib.loads(config_path.read_text(encoding="utf-8")).get("operations", {})
        return Operations.model_validate(table)
    except (OSError, ValueError):
        return Operations()
