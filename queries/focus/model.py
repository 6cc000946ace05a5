"""The columns that a FOCUS bill has in each version, from the model of 1.4.

The model says since when a column exists; what versions before 1.4 had besides, or asked for
otherwise, stands here.

Source: https://focus.finops.org/focus-specification/
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VERSIONS = ("1.0", "1.1", "1.2", "1.3", "1.4")
_HOME = Path(__file__).parent
_REMOVED_IN_1_4 = ("ProviderName", "PublisherName")
_RECOMMENDED_BEFORE_1_4 = ("InvoiceId",)


@dataclass(frozen=True, slots=True)
class Column:
    """What the specification says of one column."""

    name: str
    level: str
    """Mandatory, Conditional or Recommended."""
    kind: str
    """String, Decimal, Date/Time or JSON."""
    form: str
    """What a value looks like: Currency, Key-Value, JSON Object, Decimal (non-negative), ..."""
    allows_null: bool
    allowed: Sequence[str]
    """The only values there are; empty where any will do."""
    condition: str
    """When a conditional column has to be there."""
    since: str


@cache
def columns_of(version: str) -> Mapping[str, Column]:
    """Return the columns of Cost and Usage in a version, by name."""
    columns = {
        name: column
        for name, column in _columns_of_1_4().items()
        if _number(column.since) <= _number(version)
    }
    if version != VERSIONS[-1]:
        for name in _REMOVED_IN_1_4:
            columns[name] = Column(
                name, "Mandatory", "String", "Unspecified", allows_null=False, allowed=(),
                condition="n/a", since="1.0",
            )  # fmt: skip
        for name in _RECOMMENDED_BEFORE_1_4:
            if name in columns:
                columns[name] = replace(columns[name], level="Recommended")
    return dict(sorted(columns.items()))


def version_of(headers: Sequence[str]) -> str:
    """Return the version that a file's columns speak of: the newest whose own columns it has."""
    found = {header.lower() for header in headers}
    if found & {"serviceprovidername", "hostprovidername"}:
        return "1.3" if found & {"providername", "publishername"} else "1.4"
    known = _columns_of_1_4().values()
    since = [column.since for column in known if column.name.lower() in found]
    return max((each for each in since if each in VERSIONS), key=_number, default="1.0")


@cache
def currencies() -> frozenset[str]:
    """Return the codes of ISO 4217."""
    text = (_HOME / "iso_4217_currencies.json").read_text(encoding="utf-8")
    return frozenset(json.loads(text)["codes"])


@cache
def category_of() -> Mapping[str, str]:
    """Return service subcategory -> the one category it belongs to."""
    parents: Mapping[str, str] = _model()["service_subcategory_parents"]
    return parents


@cache
def _columns_of_1_4() -> Mapping[str, Column]:
    described = _model()["datasets"]["Cost and Usage"]["columns"]
    return {
        name: Column(
            name=name,
            level=column["feature_level"],
            kind=column["data_type"],
            form=column["value_format"],
            allows_null=column["allows_nulls"],
            allowed=tuple(column["allowed_values"] or ()),
            condition=column["condition"],
            since=column["version"],
        )
        for name, column in described.items()
    }


@cache
def _model() -> Any:
    return json.loads((_HOME / "focus_1_4_model.json").read_text(encoding="utf-8"))


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
