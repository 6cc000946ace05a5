"""What every connector promises, asked of each in CONNECTORS without its doing anything for it."""

from __future__ import annotations

import ast
import inspect
import sys
from dataclasses import MISSING, Field, fields, is_dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from subprocess import run
from typing import Any, get_args

import pytest

import connectors
from connectors import CONNECTORS, SUPPORT, connector_class
from connectors.base import ColumnType, Table

HOME = Path(connectors.__file__).parent
CANARY = "canary-3f9c"
WRITABLE = ("str", "int", "bool", "str | None", "Sequence[str]", "tuple[str, ...]")
"""What TOML holds and the config file's reader understands."""


def here() -> list[str]:
    """Return the kinds whose module is in this tree."""
    return [kind for kind, target in CONNECTORS.items() if find_spec(target.partition(":")[0])]


def tables() -> list[tuple[str, Table]]:
    return [(kind, table) for kind in here() for table in connector_class(kind).tables]


def own_fields(kind: str) -> tuple[Field[Any], ...]:
    cls: Any = connector_class(kind)
    assert is_dataclass(cls)
    return fields(cls)


def documented(cls: type) -> set[str]:
    """Return the annotated names of a class that a docstring follows."""
    (body,) = ast.parse(inspect.getsource(cls)).body
    assert isinstance(body, ast.ClassDef)
    found = set()
    for line, following in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(line, ast.AnnAssign)
            and isinstance(line.target, ast.Name)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
        ):
            found.add(line.target.id)
    return found


def test_every_file_is_a_listed_connector_or_listed_support() -> None:
    """A connector that nobody lists would never run, and nobody would notice."""
    listed = {
        target.partition(":")[0].removeprefix("connectors.") for target in CONNECTORS.values()
    }
    there = {path.stem for path in HOME.glob("*.py")} - {"__init__"}
    assert there - listed - SUPPORT == set()
    assert listed & SUPPORT == set()


def test_every_listed_connector_is_there() -> None:
    assert here() == list(CONNECTORS)


@pytest.mark.parametrize(
    "loading",
    [
        "import connectors.base",
        "from connectors import *; [connector_class(k) for k in CONNECTORS]",
    ],
    ids=["the list", "what every connector declares"],
)
def test_what_is_declared_is_read_without_loading_a_cloud(loading: str) -> None:
    """A command has to start fast, and without the libraries of clouds that are not used."""
    heavy = (
        "boto3",
        "botocore",
        "google.cloud",
        "pyarrow",
        "httpx2",
        "stamina",
        "psycopg",
        "polars",
        "duckdb",
    )
    code = f"import sys; {loading}; print([name for name in {heavy!r} if name in sys.modules])"
    done = run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=HOME.parent
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", here())
def test_a_connector_is_called_as_it_is_listed(kind: str) -> None:
    assert connector_class(kind).name == kind
    assert CONNECTORS[kind].partition(":")[0] == f"connectors.{kind}"


@pytest.mark.parametrize("kind", here())
def test_a_connector_cannot_be_changed_once_made(kind: str) -> None:
    cls: Any = connector_class(kind)
    assert vars(cls)["__dataclass_params__"].frozen


@pytest.mark.parametrize("kind", here())
def test_every_field_says_what_it_is(kind: str) -> None:
    """A field is a key of the config file; its docstring is that key's manual."""
    missing = {field.name for field in own_fields(kind)} - documented(connector_class(kind))
    assert missing == set()
    assert connector_class(kind).__doc__
    assert import_module(connector_class(kind).__module__).__doc__


@pytest.mark.parametrize("kind", here())
def test_every_field_can_be_written_in_the_config_file(kind: str) -> None:
    assert {field.type for field in own_fields(kind)} <= set(WRITABLE)


@pytest.mark.parametrize("kind", here())
def test_no_secret_is_kept_in_the_config_file(kind: str) -> None:
    """Secrets come from the environment: a field may name the variable, never hold its value."""
    words = ("token", "password", "secret", "api_key", "access_key")
    suspects = {
        field.name
        for field in own_fields(kind)
        if any(word in field.name for word in words) and not field.name.endswith("_env")
    }
    assert suspects == set()


@pytest.mark.parametrize("kind", here())
def test_the_environment_is_not_shown(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an `_env` field names is a secret; a connector's text must not hold it."""
    values: dict[str, Any] = {}
    for field in own_fields(kind):
        if field.default is MISSING and field.default_factory is MISSING:
            values[field.name] = "x"
        if field.name.endswith("_env"):
            monkeypatch.setenv("MLSPEND_CANARY", CANARY)
            values[field.name] = "MLSPEND_CANARY"
    cls: Any = connector_class(kind)
    assert CANARY not in repr(cls(**values))


@pytest.mark.parametrize("kind", here())
def test_tables_have_names_of_their_own(kind: str) -> None:
    names = [table.name for table in connector_class(kind).tables]
    assert names
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() and name.islower() for name in names)


@pytest.mark.parametrize(("kind", "table"), tables(), ids=lambda each: getattr(each, "name", each))
def test_columns_are_of_known_types_and_named_once(kind: str, table: Table) -> None:
    assert kind
    assert table.columns
    assert set(table.columns.values()) <= set(get_args(ColumnType))
    assert len({name.lower() for name in table.columns}) == len(table.columns)
    assert not any(name.startswith(("x_source", "x_unit", "x_version")) for name in table.columns)


@pytest.mark.parametrize(("kind", "table"), tables(), ids=lambda each: getattr(each, "name", each))
def test_maps_are_declared(kind: str, table: Table) -> None:
    assert kind
    assert all(table.columns.get(name) == "tags" for name in table.maps)
    assert all(prefix for prefix in table.maps.values())
    if table.rename is not None:
        assert {table.rename(name) for name in table.columns} == set(table.columns)


@pytest.mark.parametrize(("kind", "table"), tables(), ids=lambda each: getattr(each, "name", each))
def test_every_table_has_a_staging_model(kind: str, table: Table) -> None:
    staging = HOME.parent / "queries" / "staging"
    reads = f"raw.{kind}__{table.name}"
    models = [path for path in staging.glob(f"{kind}__*.sql") if reads in path.read_text("utf-8")]
    assert models, f"no staging model reads {reads}"
