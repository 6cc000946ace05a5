"""People, accounts, their names and teams in one TOML file: checked whole, and told as rows.

    [[people]]
    id = "jane"
    name = "Jane Roe"
    email = "jane@acme.example"
    aliases = ["jdoe", { name = "jr", until = 2026-06-01 }]
    teams = [{ team = "nlp", until = 2026-10-01 }, { team = "vision", from = 2026-10-01 }]
    left = 2026-12-01                          # the first day without her

    [[accounts]]                               # what no person is; the team answers for it
    id = "nightly-evals"
    aliases = ["system:serviceaccount:evals:runner"]
    teams = ["nlp"]

`from` is inclusive, `until` exclusive; a text in place of a table means always.
Apart from the connector: the libraries it needs are slow to load, and the file seldom changes.
"""

from __future__ import annotations

import tomllib
from datetime import date
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any

import polars as pl
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from connectors.base import SourceError
from connectors.contract_csv import Mistakes
from connectors.identities_checks import People, Spans
from connectors.toml_lines import line_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from connectors.toml_lines import KeyPath

Row = tuple[object, ...]
_FIX = "the top of connectors/identities_toml.py shows the form; a person is in one team at a time"


def _plain(text: str) -> str:
    if not text.strip() or text != text.strip() or not text.isprintable():
        raise ValueError(f"is {text!r}: a text that is not empty, without spaces around it")
    return text


def _named(value: object, key: str) -> object:
    return {key: value} if isinstance(value, str) else value


_Text = Annotated[str, AfterValidator(_plain)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Dated(_Strict):
    from_: date | None = Field(default=None, alias="from")
    until: date | None = None

    @property
    def span(self) -> tuple[date, date]:
        return self.from_ or date.min, self.until or date.max


class _Alias(_Dated):
    name: _Text


class _Stay(_Dated):
    team: _Text


_Aliases = list[Annotated[_Alias, BeforeValidator(lambda value: _named(value, "name"))]]
_Stays = list[Annotated[_Stay, BeforeValidator(lambda value: _named(value, "team"))]]


class _Account(_Strict):
    id: _Text
    name: _Text | None = None
    aliases: _Aliases = []
    teams: _Stays = []


class _Person(_Account):
    email: _Text | None = None
    left: date | None = None


class _File(_Strict):
    people: list[_Person] = []
    accounts: list[_Account] = []


def frames_of(path: Path, tables: Mapping[str, Mapping[str, str]]) -> Mapping[str, pl.DataFrame]:
    """Return the file's tables; `tables` are their columns with their types.

    Raises: SourceError that lists every mistake of the file.
    """
    text, written = _read(path)
    _check(path, text, written)
    rows: dict[str, list[Row]] = {
        "people": [(one.id, one.name, one.email, one.left) for one in written.people],
        "accounts": [
            (one.id, one.name, stay.team, stay.from_, stay.until)
            for one in written.accounts
            for stay in one.teams
        ],
        "aliases": [
            (alias.name, one.id, alias.from_, alias.until)
            for _, one in _each(written)
            for alias in one.aliases
        ],
        "memberships": [
            (one.id, stay.team, stay.from_, stay.until)
            for one in written.people
            for stay in one.teams
        ],
    }
    return {table: _frame(rows[table], columns) for table, columns in tables.items()}


def _frame(rows: Sequence[Row], columns: Mapping[str, str]) -> pl.DataFrame:
    kinds = {name: pl.Date if kind == "time" else pl.String for name, kind in columns.items()}
    return pl.DataFrame(rows, schema=kinds, orient="row")


def _read(path: Path) -> tuple[str, _File]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        told = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SourceError(
            f"{path.name} is not TOML: {error}",
            where=str(path),
            fix="mend the line; texts stand in quotes",
        ) from error
    mistakes = Mistakes(path)
    try:
        return text, _File.model_validate(told)
    except ValidationError as error:
        for mistake in error.errors():
            mistakes.add(_line(text, mistake["loc"]), _say(mistake["loc"], mistake["msg"]))
        mistakes.refuse(_FIX)
        raise


def _check(path: Path, text: str, written: _File) -> None:
    """Hold the file's people, accounts and names against each other."""
    mistakes, people = Mistakes(path), People()
    for number, person in enumerate(written.people):
        for what in people.add(person.id, person.email or "", person.left or date.max):
            mistakes.add(_line(text, ("people", number)), what)
    for number, account in enumerate(written.accounts):
        line = _line(text, ("accounts", number))
        if account.id in people.accounts:
            mistakes.add(line, f"account {account.id} is there twice")
        for what in people.add_account(account.id):
            mistakes.add(line, what)
        if not account.teams:
            mistakes.add(line, f"{account.id} has no team that answers for it")
    if not people.left:
        mistakes.add(1, "names nobody; people are tables [[people]]")
    aliases = Spans()
    for place, one in _each(written):
        for what in (*_of_aliases(one, people, aliases), *_of_teams(one, people)):
            mistakes.add(_line(text, place), what)
    mistakes.refuse(_FIX)


def _each(written: _File) -> Iterator[tuple[KeyPath, _Account]]:
    for number, person in enumerate(written.people):
        yield ("people", number), person
    for number, account in enumerate(written.accounts):
        yield ("accounts", number), account


def _of_aliases(one: _Account, people: People, spans: Spans) -> Iterator[str]:
    for alias in one.aliases:
        yield from _of_span(alias)
        yield from people.others_name(alias.name, one.id)
        other = spans.add(alias.name.lower(), one.id, alias.span)
        if other not in (None, one.id):
            yield f"{alias.name} is {other}'s at the same time"


def _of_teams(one: _Account, people: People) -> Iterator[str]:
    spans = Spans()
    for stay in one.teams:
        yield from _of_span(stay)
        if isinstance(one, _Person):
            yield from people.not_a_member(one.id, stay.span[0])
        team = spans.add(one.id, stay.team, stay.span)
        if team is not None:
            yield f"{one.id} is in {team} at the same time"


def _of_span(dated: _Dated) -> Iterator[str]:
    start, end = dated.span
    if start >= end:
        yield f"until ({end}) is not after from ({start})"


def _line(text: str, place: Sequence[Any]) -> int:
    return line_of(text, tuple(place)) or 1


def _say(place: tuple[int | str, ...], message: str) -> str:
    where = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in place)
    text = message.removeprefix("Value error, ")
    if message == "Extra inputs are not permitted":
        known = _known_keys(place)
        near = get_close_matches(str(place[-1]), known, n=1)
        text = "is not known" + (f"; did you mean {near[0]}?" if near else "")
        text += "" if near else f"; known are {', '.join(known)}"
    return f"{where.lstrip('.')}: {text}" if where else text


def _known_keys(place: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = _File
    if len(place) > 2:  # noqa: PLR2004 - table, number, key
        model = _Person if place[0] == "people" else _Account
    if "aliases" in place[:-1] or "teams" in place[:-1]:
        model = _Alias if "aliases" in place[:-1] else _Stay
    return [field.alias or name for name, field in model.model_fields.items()]
