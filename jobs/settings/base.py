"""What every section of the config file shares."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of the config file: an unknown key is a mistake, and no value is bent to fit."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
