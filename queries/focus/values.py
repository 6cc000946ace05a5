"""What the model asks of each column by itself, as rules: nulls, types, formats, allowed values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from queries.engines.duckdb import literal, name
from queries.focus.model import category_of, currencies
from queries.focus.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from queries.focus.model import Column

_ISO_TIME = "____-__-__T__:__:__%Z"


def value_rules(kinds: Mapping[str, str], columns: Mapping[str, Column]) -> Iterator[Rule]:
    """Yield the rules of the columns that a file has, given DuckDB's type of each."""
    for each, kind in kinds.items():
        column = columns[each]
        if not column.allows_null:
            yield _rule(each, "a value is missing", f"{_raw(each)} is null", "no line may lack it")
        if column.kind == "Decimal":
            yield from _decimal(column)
        elif column.kind == "Date/Time":
            yield from _time(each, is_text=kind == "VARCHAR")
        elif column.kind == "JSON":
            yield from _json(column)
        if column.allowed:
            yield _allowed(column)
        if each == "BillingCurrency":
            yield _rule(
                each,
                "a currency is a code of ISO 4217",
                f"{name(each)} not in ({_list(sorted(currencies()))})",
                "write three capital letters, such as USD",
            )
    if {"ServiceSubcategory", "ServiceCategory"} <= kinds.keys():
        yield _subcategory()


def _rule(column: str, rule: str, wrong: str, fix: str) -> Rule:
    return Rule(column, rule, wrong, fix)


def _raw(column: str) -> str:
    return name(f"raw_{column}")


def _list(values: Collection[str]) -> str:
    return ", ".join(literal(value) for value in values)


def _decimal(column: Column) -> Iterator[Rule]:
    raw, value = _raw(column.name), name(column.name)
    yield _rule(
        column.name,
        "a number is written in digits",
        f"{raw} is not null and ({value} is null or contains({raw}, '_') or contains({raw}, ' '))",
        "write 1234.5 or 1.2345e3: no currency, no separators, at most 26 digits before the point",
    )
    if "non-negative" in column.form:
        yield _rule(column.name, "a price is not negative", f"{value} < 0", "write what it is")


def _time(column: str, *, is_text: bool) -> Iterator[Rule]:
    raw, value = _raw(column), name(column)
    form = f" or {raw} not like {literal(_ISO_TIME)}" if is_text else ""
    yield _rule(
        column,
        "a time is written as ISO 8601 has it, in UTC",
        f"{raw} is not null and ({value} is null{form})",
        "write 2026-10-01T00:00:00Z",
    )


def _json(column: Column) -> Iterator[Rule]:
    raw = _raw(column.name)
    yield _rule(
        column.name,
        "it is a JSON object",
        f"{raw} is not null and (not starts_with({raw}, '{{') or not json_valid({raw}))",
        'write {"key": "value"}, and null where there is nothing',
    )
    if column.form == "Key-Value":
        inner = f"substr({raw}, 2)"
        nested = (
            f"len(list_filter(try(json_extract({raw}, '$.*')), "
            "lambda part: starts_with(cast(part as varchar), '{') "
            "or starts_with(cast(part as varchar), '['))) > 0"
        )
        yield _rule(
            column.name,
            "values are not nested",
            f"(contains({inner}, '{{') or contains({inner}, '[')) and {nested}",
            "write texts, numbers, true, false or null as values",
        )


def _allowed(column: Column) -> Rule:
    near = ", ".join(column.allowed[:8]) + (", ..." if len(column.allowed) > 8 else "")  # noqa: PLR2004
    return _rule(
        column.name,
        "the value is not one of those allowed",
        f"{name(column.name)} not in ({_list(column.allowed)})",
        f"write {near}",
    )


def _subcategory() -> Rule:
    pairs = ", ".join(
        f"({literal(category)}, {literal(part)})" for part, category in category_of().items()
    )
    parts, categories = _list(category_of().keys()), _list(sorted(set(category_of().values())))
    return _rule(
        "ServiceSubcategory",
        "a subcategory belongs to its category",
        f"ServiceSubcategory in ({parts}) and ServiceCategory in ({categories}) "
        f"and (ServiceCategory, ServiceSubcategory) not in ({pairs}) "
        "and ServiceSubcategory <> 'Other (' || ServiceCategory || ')'",
        "write the category that FOCUS lists for it",
    )
