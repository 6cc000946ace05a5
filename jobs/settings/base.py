"""What every section of the config file shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, model_validator

from connectors.secrets import FILE
from jobs.state import place

if TYPE_CHECKING:
    from pathlib import Path


class Section(BaseModel):
    """A table of the config file: an unknown key is a mistake, and no value is bent to fit.

    Where a section has a key `token_env` and a key `token_file`, one of the two names the secret;
    `settled` makes of either what `connectors.secrets` reads.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _prefer_files(cls, table: Any) -> Any:
        """Let a file that is named stand for the variable that is named by default, or demanded."""
        if not isinstance(table, dict):
            return table
        filed = {f"{stem}_env": "" for stem in cls._secrets() if table.get(f"{stem}_file")}
        return {**filed, **table}

    @model_validator(mode="after")
    def _name_secrets_once(self) -> Self:
        for stem in self._secrets():
            if getattr(self, f"{stem}_env") and getattr(self, f"{stem}_file"):
                raise ValueError(f"clear: {stem}_env and {stem}_file name the same secret")
        return self

    def settled(self, folder: Path) -> Self:
        """Return the section with its secrets' files named in the `_env` keys, from `folder` on."""
        filed = {
            f"{stem}_env": FILE + place(getattr(self, f"{stem}_file"), folder)
            for stem in self._secrets()
            if getattr(self, f"{stem}_file")
        }
        return self.model_copy(update=filed)

    @classmethod
    def _secrets(cls) -> list[str]:
        """Return the keys that name a secret, without `_env`."""
        stems = (key.removesuffix("_env") for key in cls.model_fields if key.endswith("_env"))
        return [stem for stem in stems if f"{stem}_file" in cls.model_fields]
