"""What templates compile to is remembered, and a memory never changes a page."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, cast

import pytest
from jinja2 import DictLoader, Environment  # noqa: TID251 - what it is a memory of

from reports.compiled import Compiled

if TYPE_CHECKING:
    from pathlib import Path
    from types import CodeType

PAGE = "{% for name in names %}<b>{{ name }}</b>{% endfor %}"


class Counting(Environment):
    """An environment that counts the templates that it compiles."""

    compiled = 0

    def compile(  # type: ignore[no-untyped-def, override]
        self, *args, **more
    ) -> CodeType:
        self.compiled += 1
        return cast("CodeType", super().compile(*args, **more))


def rendered(folder: Path, page: str = PAGE, name: str = "page") -> tuple[str, int]:
    """Return a page as a new process makes it, and how many templates that compiled."""
    templates = Counting(
        loader=DictLoader({"page.html": page}),
        autoescape=name == "page",
        bytecode_cache=Compiled(name, folder),
    )
    return templates.get_template("page.html").render(names=["a & b"]), templates.compiled


@pytest.fixture(autouse=True)
def _writing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


def test_a_page_is_compiled_once_and_again_when_it_changes(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    assert rendered(folder) == ("<b>a &amp; b</b>", 1)
    assert rendered(folder) == ("<b>a &amp; b</b>", 0)
    assert rendered(folder, "{{ names[0] }}") == ("a &amp; b", 1)
    assert rendered(folder, name="text") == ("<b>a & b</b>", 1)


@pytest.mark.parametrize("left", [0, 3, 20, 40, -9], ids=str)
def test_what_is_broken_is_compiled_again(tmp_path: Path, left: int) -> None:
    rendered(tmp_path)
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(kept.read_bytes()[:left])

    assert rendered(tmp_path) == ("<b>a &amp; b</b>", 1)
    assert rendered(tmp_path) == ("<b>a &amp; b</b>", 0)


def test_where_nothing_is_kept_pages_are_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    assert [rendered(blocked), rendered(blocked)] == [("<b>a &amp; b</b>", 1)] * 2

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert rendered(tmp_path / "free") == ("<b>a &amp; b</b>", 1)
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208 - names
