"""Sections made from classes: a connector's or a lever's fields are its table in the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from datetime import date
from importlib import import_module
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Annotated, Any, Final, get_args, get_type_hints

from pydantic import BaseModel, Field, create_model

from jobs.settings.base import Section

_SOURCE_NAME = r"^[a-z0-9][a-z0-9_-]{0,62}$"
SOURCE_KEYS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "source": (Annotated[str | None, Field(pattern=_SOURCE_NAME)], None),
        "retired": (bool, False),
    }
)
"""The keys that every source has."""


def class_of(target: str) -> type[Any]:
    """Import a class by its `module:Class`."""
    module, _, name = target.partition(":")
    found: type[Any] = getattr(import_module(module), name)
    return found


def model_of(kind: str, cls: type[Any], more: Mapping[str, Any] | None = None) -> type[Section]:
    """Make a section of a class's fields, of a key for a file per secret, and of `more` keys."""
    names = {"Mapping": Mapping, "Sequence": Sequence, "Path": Path, "date": date}
    written = SimpleNamespace(__annotations__={field.name: field.type for field in fields(cls)})
    module = vars(import_module(cls.__module__))
    kinds = get_type_hints(written, globalns=module, localns=names, include_extras=True)
    keys: dict[str, Any] = {}
    for field in fields(cls):
        keys[field.name] = (_lenient(kinds[field.name]), _default_of(field))
        if field.name.endswith("_env"):  # a secret: a file may be named instead
            keys[f"{field.name.removesuffix('_env')}_file"] = (str, "")
    model: type[Section] = create_model(kind, __base__=Section, **keys, **(more or {}))
    return model


def _lenient(kind: Any) -> Any:
    """Let a TOML list fill a tuple; what is in it stays strict."""
    return Annotated[kind, Field(strict=False)] if "tuple" in str(kind) else kind


def _default_of(field: Any) -> Any:
    if field.default_factory is not MISSING:
        return Field(default_factory=field.default_factory)
    return ... if field.default is MISSING else field.default


def section_of(model: type[BaseModel], place: Sequence[str | int]) -> type[BaseModel]:
    """Follow the place of a mistake to the section whose key is wrong; numbers count in lists."""
    for part in place:
        info = model.model_fields.get(str(part))
        model = (_section_in(info.annotation) if info else None) or model
    return model


def sections_of(file: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Return the file's sections by name, those that are lists of tables too."""
    found = {name: _section_in(info.annotation) for name, info in file.model_fields.items()}
    return {name: section for name, section in found.items() if section is not None}


def _section_in(annotation: object) -> type[BaseModel] | None:
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None
