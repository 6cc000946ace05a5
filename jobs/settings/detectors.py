"""`[detectors.<name>]`: what a detector's header lets one set, and whether it runs at all."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError, create_model

from jobs.settings.base import Section
from queries.detecting import SWITCH, detectors
from queries.hints import did_you_mean

if TYPE_CHECKING:
    from connectors.toml_lines import KeyPath
    from queries.named import Value

    Read = tuple[
        dict[str, dict[str, Any]],
        list[tuple[KeyPath, str, str]],
        list[tuple[KeyPath, type[Section], ValidationError]],
    ]


def read_detectors(tables: object) -> Read:
    """Return what is set of each detector, and what is wrong: by a sentence, or by pydantic.

    A sentence is a place, what is wrong there, and how to put it right. Few files set any, and the
    headers take time to read.
    """
    found: dict[str, dict[str, Any]] = {}
    wrong: list[tuple[KeyPath, str, str]] = []
    invalid: list[tuple[KeyPath, type[Section], ValidationError]] = []
    if not isinstance(tables, dict) or not tables:
        return found, wrong, invalid
    sections = detector_sections()
    for name, table in tables.items():
        where: KeyPath = ("detectors", name)
        if name not in sections:
            hint = did_you_mean(name, sections)
            choice = f"choose one of {', '.join(sections)}"
            wrong.append((where, f'there is no detector "{name}"{hint}', choice))
        elif not isinstance(table, dict):
            fix = f"write [detectors.{name}]"
            wrong.append((where, f"detectors.{name} is not a table", fix))
        else:
            try:
                values = sections[name].model_validate(table)
            except ValidationError as error:
                invalid.append((where, sections[name], error))
            else:
                found[name] = values.model_dump(exclude_unset=True)
    return found, wrong, invalid


def detector_sections() -> dict[str, type[Section]]:
    """Return the section of every detector, made from its header."""
    return {
        name: _section_of(name, {param.name: param.default for param in detector.params})
        for name, detector in detectors().items()
    }


def _section_of(name: str, defaults: dict[str, Value]) -> type[Section]:
    keys: dict[str, Any] = {key: (_kind_of(value), value) for key, value in defaults.items()}
    keys[SWITCH] = (bool, True)
    model: type[Section] = create_model(name, __base__=Section, **keys)
    return model


def _kind_of(default: Value) -> Any:
    if isinstance(default, Decimal):
        return Annotated[Decimal, BeforeValidator(_as_decimal), Field(ge=0, le=10**9)]
    return Annotated[int, Field(ge=0, le=10**6)] if isinstance(default, int) else type(default)


def _as_decimal(value: object) -> object:
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value
