"""`[currency]`: the one currency that every bill is shown in, beside its own."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from jobs.settings.base import Section


class Currency(Section):
    """What cost is reported in."""

    report: Annotated[str, Field(pattern=r"^([A-Z]{3})?$")] = ""
    """ISO 4217; empty: each bill in its own currency, and nothing beside."""
