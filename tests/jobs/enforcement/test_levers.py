"""Every lever is one file that is listed, whose fields are its table, and that shows no secret."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import jobs.enforcement
from jobs.enforcement import LEVERS
from jobs.settings.shapes import class_of, model_of

HOME = Path(jobs.enforcement.__file__).parent


def test_every_file_is_listed() -> None:
    files = {path.stem for path in HOME.glob("*.py")} - {"__init__", "base"}
    assert files == set(LEVERS)


@pytest.mark.parametrize("kind", sorted(LEVERS))
def test_a_lever_has_what_plans_and_acts_ask_for(kind: str) -> None:
    cls: type[Any] = class_of(LEVERS[kind])
    assert cls.kind == kind
    for word in ("targets", "change", "undo", "look", "is_stopped", "stop", "release"):
        assert callable(getattr(cls, word)), word
    names = {field.name: field.default for field in fields(cls)}
    assert (names["name"], names["dimension"]) == (kind, "team")
    secrets = {f"{name.removesuffix('_env')}_file" for name in names if name.endswith("_env")}
    assert set(model_of(kind, cls).model_fields) == set(names) | secrets
