"""Secrets that are replaced while a night runs, or refused: of all sources that ask over HTTP."""

from __future__ import annotations

import base64
import logging
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from connectors import connector_class
from connectors.base import SourceError
from connectors.mlflow import Mlflow
from connectors.secrets import FILE
from tests.connectors.known import Memory
from tests.connectors.refusing_server import (
    ADDRESS,
    CASES,
    NEW,
    OLD,
    SETTINGS,
    Door,
    guarded,
    keys_of,
)

if TYPE_CHECKING:
    from pathlib import Path


def source_of(kind: str, key: str, address: str, folder: Path) -> Any:
    """Return a source whose secret `key` lies in a file; what belongs to it lies beside."""
    named = dict.fromkeys(keys_of(kind), "")
    (folder / "secret").write_text(OLD, encoding="utf-8")
    (folder / "name").write_text("somebody", encoding="utf-8")
    pairs = {"password_env": "username_env", "secret_key_env": "access_key_env"}
    pairs |= {after: before for before, after in pairs.items()}
    named[key] = f"{FILE}{folder / 'secret'}"
    if key in pairs:
        named[pairs[key]] = f"{FILE}{folder / 'name'}"
    settings = SETTINGS.get(kind, {}) | {ADDRESS.get(kind, "root"): address}
    return connector_class(kind)(**settings, **named)


@pytest.mark.parametrize(("kind", "key"), CASES)
def test_a_secret_that_was_renewed_in_its_file_is_taken_at_once(
    kind: str, key: str, tmp_path: Path
) -> None:
    door = Door(tmp_path / "secret", opens=True)
    with guarded(door) as address:
        source = source_of(kind, key, address, tmp_path)
        with suppress(SourceError):  # of the 404 that comes after
            list(source.deliveries(Memory()))
    assert (door.asked >= 2, door.let_in >= 1) == (True, True)


@pytest.mark.parametrize(("kind", "key"), CASES)
def test_a_refused_secret_is_told_and_not_repeated(
    kind: str, key: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    door = Door(tmp_path / "secret", opens=False)
    with guarded(door) as address:
        source = source_of(kind, key, address, tmp_path)
        with pytest.raises(SourceError, match="401") as raised:
            list(source.deliveries(Memory()))
    assert (door.asked <= 2, door.let_in) == (True, 0)
    assert key in "".join(raised.value.__notes__)
    printed = "".join(traceback.format_exception(raised.value)) + caplog.text + repr(source)
    for secret in (OLD, NEW):
        hidden = base64.b64encode(f"somebody:{secret}".encode()).decode()
        assert secret not in printed
        assert hidden not in printed


def test_what_a_file_holds_anew_and_is_refused_too_is_told(tmp_path: Path) -> None:
    door = Door(tmp_path / "secret", opens=False)
    with guarded(door) as address:
        source: Mlflow = source_of("mlflow", "token_env", address, tmp_path)
        with pytest.raises(SourceError, match="MLflow answers 401") as raised:
            list(source.deliveries(Memory()))
    assert raised.value.__notes__[1].startswith("fix: what its file holds now was refused too")


def test_a_secret_in_a_variable_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_TOKEN", OLD)
    door = Door(tmp_path / "secret", opens=True)
    with guarded(door) as address:
        source = Mlflow(address, token_env="A_TOKEN", workspace="one")  # noqa: S106
        with pytest.raises(SourceError, match="MLflow answers 401"):
            list(source.deliveries(Memory()))
    assert door.asked == 1
