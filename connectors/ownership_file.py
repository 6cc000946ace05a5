"""The file of owners: checked whole, every mistake listed at once, and told as rows.

Apart from the connector: the libraries it needs are slow to load, and the file seldom changes.
"""

from __future__ import annotations

import re
import tomllib
from datetime import date
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated

import polars as pl
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from connectors.base import SourceError
from connectors.ownership import MATCHES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Self

_PLACE = re.compile(r"[A-Za-z0-9]+://[^/\s]+(/\S*)?")


def _plain(text: str) -> str:
    if not text.strip() or text != text.strip():
        raise ValueError(f"is {text!r}: a text that is not empty, without spaces around it")
    return text


def _tag(text: str) -> str:
    key, _, value = text.partition("=")
    if not key or not value:
        raise ValueError(f"is {text!r}: write a tag as key=glob")
    return text


def _uri(text: str) -> str:
    if not _PLACE.fullmatch(text):
        raise ValueError(f"is {text!r}: write a place as s3://bucket/path")
    return text


_Text = Annotated[str, AfterValidator(_plain)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _When(_Strict):
    run: _Text | None = None
    experiment: _Text | None = None
    namespace: _Text | None = None
    source: _Text | None = None
    sub_account_id: _Text | None = None
    service_name: _Text | None = None
    resource_id: _Text | None = None
    tag: Annotated[_Text, AfterValidator(_tag)] | None = None

    @model_validator(mode="after")
    def _match_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("matches nothing: name at least one of what can be matched")
        return self


class _Rule(_Strict):
    id: _Text
    when: _When
    user: _Text | None = None
    team: _Text | None = None
    project: _Text | None = None
    from_: date | None = Field(default=None, alias="from")
    until: date | None = None

    @model_validator(mode="after")
    def _own_something(self) -> Self:
        if not (self.user or self.team or self.project):
            raise ValueError("gives no user, team or project")
        if self.from_ and self.until and self.from_ >= self.until:
            raise ValueError(f"until ({self.until}) is not after from ({self.from_})")
        return self


class _Dataset(_Strict):
    name: _Text
    version: _Text | None = None
    uri: Annotated[_Text, AfterValidator(_uri)]
    region: _Text | None = None
    user: _Text | None = None
    team: _Text | None = None
    project: _Text | None = None
    from_: date | None = Field(default=None, alias="from")

    @model_validator(mode="after")
    def _date_a_version(self) -> Self:
        if self.from_ and not self.version:
            raise ValueError("has a from, and no version that is there from that day on")
        return self


class _File(_Strict):
    overrides: list[_Rule] = []
    rules: list[_Rule] = []
    datasets: list[_Dataset] = []

    @model_validator(mode="after")
    def _name_each_once(self) -> Self:
        ids = [rule.id for rule in (*self.overrides, *self.rules)]
        twice = sorted({text for text in ids if ids.count(text) > 1})
        if twice:
            raise ValueError(f"gives these ids twice: {', '.join(twice)}")
        places = [(dataset.uri.rstrip("/"), dataset.name) for dataset in self.datasets]
        for uri, name in places:
            others = sorted({other for place, other in places if place == uri and other != name})
            if others:
                raise ValueError(f"{uri} is given to {name} and to {', '.join(others)}")
        if not (ids or places):
            raise ValueError("holds no rules, overrides or datasets")
        return self


def frames_of(path: Path, tables: Mapping[str, Mapping[str, str]]) -> Mapping[str, pl.DataFrame]:
    """Return the file's tables; `tables` are their columns with their types.

    Raises: SourceError that lists every mistake of the file.
    """
    written = _read(path)
    rows = {"rules": _rules(written), "datasets": _datasets(written)}
    return {
        table: pl.DataFrame(
            rows[table], schema={name: _polars(kind) for name, kind in columns.items()}
        )
        for table, columns in tables.items()
    }


def _read(path: Path) -> _File:
    try:
        return _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SourceError(
            f"{path.name} is not TOML: {error}",
            where=str(path),
            fix="mend the line; texts stand in quotes",
        ) from error
    except ValidationError as error:
        mistakes = [_say(mistake["loc"], mistake["msg"]) for mistake in error.errors()]
        raise SourceError(
            f"{path.name} has {len(mistakes)} mistakes:\n  " + "\n  ".join(mistakes)
            if len(mistakes) > 1
            else f"{path.name}: {mistakes[0]}",
            where=str(path),
            fix="config.example.toml shows the form",
        ) from error


def _say(place: tuple[int | str, ...], message: str) -> str:
    where = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in place)
    text = message.removeprefix("Value error, ")
    if message == "Extra inputs are not permitted":
        known = _known_keys(place)
        near = get_close_matches(str(place[-1]), known, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"
        text = f"is not known{hint}"
    return f"{where.lstrip('.') or 'the file'} {text}"


def _known_keys(place: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = _File
    if len(place) > 2:  # noqa: PLR2004 - table, number, key
        model = _Dataset if place[0] == "datasets" else _Rule
        model = _When if "when" in place[:-1] else model
    return [field.alias or name for name, field in model.model_fields.items()]


def _rules(written: _File) -> list[Mapping[str, object]]:
    rules = [(rule, True) for rule in written.overrides]
    rules += [(rule, False) for rule in written.rules]
    return [
        _rule_row(number, rule, is_override) for number, (rule, is_override) in enumerate(rules)
    ]


def _rule_row(number: int, rule: _Rule, is_override: bool) -> Mapping[str, object]:  # noqa: FBT001 - one of a row's values
    key, _, value = (rule.when.tag or "").partition("=")
    return {
        "rule_id": rule.id,
        "position": number + 1,
        "is_override": is_override,
        **{f"match_{what}": getattr(rule.when, what) for what in MATCHES},
        "match_tag_key": key or None,
        "match_tag_value": value or None,
        "user_id": rule.user,
        "team": rule.team,
        "project": rule.project,
        "valid_from": rule.from_,
        "valid_to": rule.until,
    }


def _datasets(written: _File) -> list[Mapping[str, object]]:
    return [
        {
            "dataset": dataset.name,
            "version": dataset.version,
            "uri": dataset.uri,
            "region_id": dataset.region,
            "owner_user": dataset.user,
            "owner_team": dataset.team,
            "project": dataset.project,
            "valid_from": dataset.from_,
        }
        for dataset in written.datasets
    ]


def _polars(kind: str) -> type[pl.DataType]:
    known = {"integer": pl.Int64, "flag": pl.Boolean, "time": pl.Date}
    return known.get(kind, pl.String)
