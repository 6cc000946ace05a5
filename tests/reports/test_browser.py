"""The site in a real browser: charts are drawn, nothing is fetched, nothing complains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from reports import REPORTS
from reports.site import write_site
from tests.reports.frames import META
from tests.reports.test_hostile_names import named
from tests.servers.chromium import Chromium, Look

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reports.base import Frame

pytestmark = pytest.mark.servers
PAGES = tuple(report.name for report in REPORTS)
BARS = "document.querySelectorAll('.plot .trace').length"
SHOWN = "[...document.querySelectorAll('h2, caption')].filter(one => one.offsetParent).length"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_without_a_complaint_a_request_or_a_sideways_scroll(
    browser: Chromium, site: Path, page: str, width: int, theme: Literal["light", "dark"]
) -> None:
    shown = browser.open(site / f"{page}.html", Look(width=width, theme=theme))

    assert shown.complaints == []
    assert {request.rpartition("/")[2] for request in shown.requests} == {
        f"{page}.html",
        "site.css",
        "site.js",
        "plotly-basic.min.js",
    }
    assert all(request.startswith("file://") for request in shown.requests)
    assert browser.run("document.documentElement.scrollWidth") == width
    paper = {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 20, 23)"}[theme]
    assert browser.run("getComputedStyle(document.body).backgroundColor") == paper


@pytest.mark.parametrize("page", ["index", "users", "teams", "models", "services", "machines"])
def test_every_series_of_a_chart_is_drawn(browser: Chromium, site: Path, page: str) -> None:
    browser.open(site / f"{page}.html", Look())

    given = browser.run(
        "JSON.parse(document.querySelector('.plot + script').textContent).data"
        ".map(trace => [50, 0].map(least => trace.y.filter(y => Math.abs(y) > least).length))"
    )
    drawn = browser.run(
        "[...document.querySelector('.plot').querySelectorAll('.trace')]"
        ".map(trace => [...trace.querySelectorAll('path')])"
        ".map(paths => paths.filter(one => one.getBBox().height).length)"
    )
    assert len(drawn) == len(given)
    assert sum(drawn) > 80
    for bars, (large, nonzero) in zip(drawn, given, strict=True):
        assert large <= bars <= nonzero, "a bar may be lower than a pixel"


def test_choosing_a_range_and_a_currency_shows_that_and_nothing_else(
    browser: Chromium, site: Path
) -> None:
    browser.open(site / "index.html", Look())
    visible = (
        "[...document.querySelectorAll('.view')].filter(one => one.offsetParent)"
        ".map(one => [one.dataset.range, one.dataset.currency].join())"
    )
    assert set(browser.run(visible)) == {"month,0", ",0"}

    browser.run("document.querySelector('label[for=range-week]').click()")
    browser.run("document.querySelector('label[for=currency-1]').click()")

    assert set(browser.run(visible)) == {"week,1", ",1"}
    assert browser.run(BARS) > 11, "the chart of the other currency is drawn now"


def test_the_choice_is_kept_from_page_to_page(browser: Chromium, site: Path) -> None:
    browser.open(site / "index.html", Look())
    browser.run("document.querySelector('label[for=range-previous]').click()")

    browser.open(site / "users.html", Look())

    assert browser.run("document.querySelector('#range-previous').checked") is True
    browser.run("sessionStorage.clear()")


def test_the_keyboard_reaches_the_choice_and_moves_it(browser: Chromium, site: Path) -> None:
    browser.open(site / "teams.html", Look())
    browser.run("document.querySelector('#range-month').focus()")

    browser.press("ArrowRight", 39)

    assert browser.run("document.activeElement.id") == "range-previous"
    assert browser.run("document.querySelector('#range-previous').checked") is True
    browser.run("sessionStorage.clear()")


def test_the_first_stop_of_the_keyboard_leads_to_the_figures(browser: Chromium, site: Path) -> None:
    browser.open(site / "index.html", Look())

    browser.press("Tab", 9)

    assert browser.run("document.activeElement.className") == "skip"
    assert browser.run("document.activeElement.getBoundingClientRect().left") > 0


def test_a_column_is_sorted_by_its_button(browser: Chromium, site: Path) -> None:
    browser.open(site / "users.html", Look())
    table = "[...document.querySelectorAll('table.sortable')].find(one => one.offsetParent)"
    column = f"[...{table}.tBodies[0].rows].map(row => row.cells[5].textContent)"
    button = f"{table}.querySelectorAll('.sorter')[4]"

    browser.run(f"{button}.click()")
    down = browser.run(column)
    browser.run(f"{button}.click()")
    up = browser.run(column)

    numbers = [float(text.replace(",", "")) for text in down]
    assert numbers == sorted(numbers, reverse=True)
    assert up == down[::-1]
    assert browser.run(f"{table}.querySelector('th[aria-sort]').ariaSort") == "ascending"


def test_the_numbers_of_a_chart_are_a_table_on_asking(browser: Chromium, site: Path) -> None:
    browser.open(site / "machines.html", Look())
    browser.run("document.querySelector('details.numbers').open = true")
    browser.run("new Promise(done => setTimeout(done, 50))")

    cells = browser.run(
        "[...document.querySelector('.numbers table').rows].slice(0, 2)"
        ".map(row => [...row.cells].map(cell => cell.textContent))"
    )
    assert cells[0] == ["Day", "Held, USD", "Idle, USD"]
    assert cells[1][0] == "2026-08-20"
    assert all("." in cell for cell in cells[1][1:])


def test_hovering_a_bar_shows_the_exact_amount(browser: Chromium, site: Path) -> None:
    browser.open(site / "machines.html", Look())
    browser.run(
        "Plotly.Fx.hover(document.querySelector('.plot'), [{curveNumber: 0, pointNumber: 3}])"
    )

    text = browser.run("document.querySelector('.plot .hoverlayer').textContent")

    exact = browser.run(
        "JSON.parse(document.querySelector('.plot + script').textContent).data[0].customdata[3]"
    )
    assert f"{exact} USD" in text


def test_on_paper_the_choice_and_the_queries_are_gone(browser: Chromium, site: Path) -> None:
    browser.open(site / "index.html", Look())
    before = browser.run(SHOWN)
    browser.call("Emulation.setEmulatedMedia", media="print")

    assert browser.run("document.querySelector('.choices').offsetParent") is None
    assert browser.run("document.querySelector('.query').offsetParent") is None
    assert browser.run(SHOWN) == before
    browser.call("Emulation.setEmulatedMedia", media="")


@pytest.mark.parametrize(
    "name",
    [
        "<img src=x onerror=alert(1)>",
        "</script><script>alert(1)</script>",
        "<a href='https://example.org'>x</a>",
        "<b>bold</b>%{y}",
        "&lt;b&gt;",
    ],
)
def test_a_hostile_name_is_drawn_as_text(
    browser: Chromium, frames: dict[str, Frame], tmp_path: Path, name: str
) -> None:
    first = write_site(tmp_path / "site", named(frames, name), META)

    shown = browser.open(first, Look())

    assert shown.complaints == []
    assert all(request.startswith("file://") for request in shown.requests)
    legend = browser.run(
        "[...document.querySelectorAll('.plot .legendtext')].map(one => one.textContent)"
    )
    assert any(text.startswith(name) for text in legend), legend
    assert browser.run("document.querySelectorAll('.plot a, .plot img').length") == 0
