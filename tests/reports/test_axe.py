"""Every page passes axe, the accessibility checker, in both themes, on a phone and on a screen."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Literal

import pytest

from reports import REPORTS
from tests.reports.test_explanation import figure
from tests.reports.test_explanation import page as explained
from tests.servers.chromium import Chromium, Look

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.servers
PAGES = [report.name for report in REPORTS]
AXE = files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
ASK = (
    "axe.run(document, {resultTypes: ['violations']}).then(found => found.violations.map("
    "one => one.id + ': ' + one.nodes.slice(0, 3).map(node => node.html).join(' | ')))"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_passes_axe(
    browser: Chromium, site: Path, page: str, width: int, theme: Literal["light", "dark"]
) -> None:
    browser.open(site / f"{page}.html", Look(width=width, theme=theme))
    browser.run(AXE + ";undefined")

    assert browser.run(ASK) == []


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_explanation_passes_axe(
    browser: Chromium, tmp_path: Path, width: int, theme: Literal["light", "dark"]
) -> None:
    path = tmp_path / "explanation.html"
    path.write_text(explained(figure(lost="0.25")), encoding="utf-8")
    browser.open(path, Look(width=width, theme=theme))
    browser.run("document.querySelectorAll('details').forEach(one => one.open = true)")
    browser.run(AXE + ";undefined")

    assert browser.run(ASK) == []


def test_axe_finds_what_is_wrong(browser: Chromium, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text("<!doctype html><title>x</title><img src=''><p>no language", encoding="utf-8")
    browser.open(page, Look())
    browser.run(AXE + ";undefined")

    assert {found.partition(":")[0] for found in browser.run(ASK)} >= {"html-has-lang", "image-alt"}
