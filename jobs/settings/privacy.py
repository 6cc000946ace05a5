"""`[privacy]`: how people are shown, to whom, and for how long."""

from __future__ import annotations

from grp import getgrnam
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from jobs.settings.base import Section

EVERYTHING = "*"
_Texts = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False)]
_Dimension = Literal["user", "team", "project", "model", "dataset", "service"]
_ALL: tuple[_Dimension, ...] = ("user", "team", "project", "model", "dataset", "service")
People = Literal["names", "pseudonyms", "teams"]


def _is_group(name: str) -> str:
    if name:
        try:
            getgrnam(name)
        except KeyError as error:
            raise ValueError("a group of this machine") from error
    return name


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names or len(set(names)) < len(names):
        raise ValueError("a list of at least one name, each once")
    return names


def _with_teams(dimensions: tuple[_Dimension, ...]) -> tuple[_Dimension, ...]:
    if "team" not in dimensions:
        raise ValueError("a list that holds team: its rows are what a page begins with")
    return dimensions


class Audience(Section):
    """Some readers, and what they may see: a database, a site and mails of their own."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,40}$")]
    teams: Annotated[_Texts, AfterValidator(_each_once)] = (EVERYTHING,)
    dimensions: Annotated[
        tuple[_Dimension, ...], Field(strict=False), AfterValidator(_with_teams)
    ] = _ALL
    members: dict[_Dimension, _Texts] = Field(default_factory=dict)
    people: People = "names"
    others: Literal["totals", "nothing"] = "totals"
    recipients: _Texts = ()
    group: Annotated[str, AfterValidator(_is_group)] = ""


class Privacy(Section):
    """Who may see whom."""

    people: People = "names"
    key_env: str = ""
    key_file: str = ""
    personal_days: Annotated[int, Field(ge=0, le=36_600)] = 0
    audiences: Annotated[tuple[Audience, ...], Field(strict=False)] = ()

    @property
    def is_open(self) -> bool:
        """Tell whether everybody may see everything, for ever."""
        return self.people == "names" and not self.personal_days and not self.audiences

    @property
    def needs_key(self) -> bool:
        """Tell whether anybody sees pseudonyms."""
        return "pseudonyms" in (self.people, *(audience.people for audience in self.audiences))

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [audience.name for audience in self.audiences]
        if len(set(names)) < len(names):
            raise ValueError("audiences of different names")
        return self
