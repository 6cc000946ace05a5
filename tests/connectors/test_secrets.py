"""Secrets from variables and files: what is told where one cannot be had, and that it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from connectors import CONNECTORS, connector_class
from connectors.base import SourceError
from connectors.secrets import FILE, is_open, secret_of, written
from jobs.enforcement import LEVERS
from jobs.settings.mail import Mail
from jobs.settings.privacy import Privacy
from jobs.settings.shapes import class_of, model_of

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "s3cr3t-canary-51bd"


def test_a_file_holds_one_line_and_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{CANARY}\r\n", encoding="utf-8")
    assert secret_of(f"{FILE}{path}", where="here") == CANARY
    path.write_text("renewed", encoding="utf-8")
    assert secret_of(f"{FILE}{path}", where="here") == "renewed"
    assert secret_of("", where="here") == ""


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read: No such file"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (CANARY.encode() + b"\nmore\n", "holds more than one line"),
        (CANARY.encode() + b"\xff", "is not text"),
        (CANARY.encode() * 5000, "is longer than any secret"),
    ],
)
def test_a_file_without_a_secret_is_told_and_not_repeated(
    tmp_path: Path, content: bytes | None, told: str
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=f"token {told}") as raised:
        secret_of(f"{FILE}{path}", where="[connectors.mlflow]")
    notes = raised.value.__notes__
    assert notes[0] == "in:  [connectors.mlflow]"
    assert notes[1].startswith("fix: ")
    assert CANARY not in str(raised.value) + "".join(notes) + repr(raised.value.__cause__)


@pytest.mark.parametrize(
    ("value", "told"),
    [(None, "is not set"), ("", "is empty"), (f"{CANARY}\nx: y", "holds more than one line")],
)
def test_a_variable_without_a_secret_is_told(
    monkeypatch: pytest.MonkeyPatch, value: str | None, told: str
) -> None:
    monkeypatch.delenv("A_TOKEN", raising=False)
    if value is not None:
        monkeypatch.setenv("A_TOKEN", value)
    with pytest.raises(SourceError, match=f"the environment variable A_TOKEN {told}") as raised:
        secret_of("A_TOKEN", where="here")
    assert CANARY not in str(raised.value) + "".join(raised.value.__notes__)


def test_a_file_that_anybody_may_read_is_known(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(CANARY, encoding="utf-8")
    path.chmod(0o640)
    assert not is_open(f"{FILE}{path}")
    path.chmod(0o644)
    assert is_open(f"{FILE}{path}")
    assert not is_open("A_TOKEN")
    assert not is_open(f"{FILE}{path}.gone")
    assert (written(f"{FILE}{path}"), written("A_TOKEN"), written("")) == (
        str(path),
        "$A_TOKEN",
        "",
    )


def test_every_secret_there_is_may_come_from_a_file() -> None:
    """What names a variable in any section has a key beside it that names a file."""
    classes = {kind: connector_class(kind) for kind in CONNECTORS}
    classes |= {kind: class_of(target) for kind, target in LEVERS.items()}
    sections = {kind: model_of(kind, cls) for kind, cls in classes.items()}
    sections |= {"mail": Mail, "privacy": Privacy}
    stems = {
        (kind, key.removesuffix("_env"))
        for kind, section in sections.items()
        for key in section.model_fields
        if key.endswith("_env")
    }
    assert len(stems) > 20
    assert [
        (kind, stem) for kind, stem in stems if f"{stem}_file" not in sections[kind].model_fields
    ] == []
    named = {key for section in sections.values() for key in section.model_fields}
    odd = ("token", "password", "secret", "api_key", "credentials", "bearer", "cookie")
    assert not named & set(odd)


def test_an_error_repeats_no_secret_but_names_and_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_TOKEN", CANARY)
    monkeypatch.setenv("A_NAME", "postgres")
    monkeypatch.setenv("A_WORD", "letmein")
    (tmp_path / "odd").write_text("a/b c=d&e", encoding="utf-8")
    for named in ("A_TOKEN", "A_WORD", f"{FILE}{tmp_path / 'odd'}"):
        secret_of(named, where="here")
    assert secret_of("A_NAME", where="here", is_name=True) == "postgres"
    error = SourceError(
        f"no {CANARY}, a/b c=d&e nor a%2Fb%20c%3Dd%26e for postgres",
        where=f"https://x/?key={CANARY} letmein",
        fix="letmeinto",
    )
    assert str(error) == "no ***, *** nor *** for postgres"
    assert error.__notes__ == ["in:  https://x/?key=*** ***", "fix: letmeinto"]
