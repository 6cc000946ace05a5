"""The site is whole, adds up, names its queries, and stands by itself."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from plotly.offline import get_plotlyjs_version  # type: ignore[import-untyped]  # noqa: TID251

from queries.named import named_query
from reports import REPORTS
from reports.base import Frame, ReportError
from reports.books import BOOKS
from reports.figures import COLOURS, NOBODYS
from reports.site import HOME, site_reads, write_site
from tests.reports.frames import META, SPAN
from tests.reports.page import read_page

if TYPE_CHECKING:
    from pathlib import Path

    from tests.reports.page import Element

NAMES = [report.name for report in REPORTS]


def all_pages(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


def amounts(element: Element) -> list[Decimal]:
    """Return the exact amounts that an element's cells give on pointing."""
    return [
        Decimal(each.attributes["title"].split()[0].replace(",", "").replace("\u2212", "-"))
        for each in (*element.all("span"), *element.all("td"))
        if "title" in each.attributes
    ]


def test_every_report_has_its_page_in_the_order_of_the_navigation(site: Path) -> None:
    links = read_page(site / "index.html").all("nav")[0].all("a")

    assert [link.attributes["href"] for link in links] == [f"{name}.html" for name in NAMES]
    assert all((site / f"{name}.html").is_file() for name in NAMES)


def test_dear_members_have_a_page_with_their_runs(site: Path) -> None:
    assert len(list((site / "users").iterdir())) > 20
    rows = read_page(site / "users.html").all("tr")
    dearest = next(row for row in rows if "Wei Schr" in row.text)
    page = read_page(site / dearest.all("a")[0].attributes["href"])

    assert page.all("h1")[0].text == "Wei Schröder"
    assert any("Dearest runs" in heading.text for heading in page.all("h2"))
    assert "run-0" in page.all("table")[-1].text


def test_every_page_is_closed_has_one_heading_and_says_its_language(site: Path) -> None:
    for path in all_pages(site):
        page = read_page(path)
        assert len(page.all("h1")) == 1, path
        assert page.all("html")[0].attributes["lang"] == "en"
        assert page.all("title")[0].text.strip()
        assert page.all("main")[0].attributes["id"] == "main"
        assert page.all("a")[0].attributes == {"class": "skip", "href": "#main"}


def test_every_table_has_a_caption_and_every_heading_cell_a_scope(site: Path) -> None:
    for path in all_pages(site):
        for table in read_page(path).all("table"):
            assert len(table.all("caption")) == 1, path
            assert table.all("caption")[0].text.strip()
            assert {head.attributes.get("scope") for head in table.all("th")} <= {"col", "row"}
            widths = {
                sum(int(cell.attributes.get("colspan", 1)) for cell in row.children)
                for row in table.all("tr")
            }
            assert len(widths) == 1, (path, widths)


def test_every_id_is_unique_and_every_label_names_something(site: Path) -> None:
    for path in all_pages(site):
        page = read_page(path)
        elements = [page]
        for element in elements:
            elements += element.children
        ids = [one.attributes["id"] for one in elements if "id" in one.attributes]
        assert len(ids) == len(set(ids)), path
        for one in elements:
            for word in ("aria-labelledby", "for"):
                assert one.attributes.get(word, ids[0]) in ids, (path, one)


def test_every_link_leads_to_a_file_of_the_site(site: Path) -> None:
    for path in all_pages(site):
        page = read_page(path)
        for element in (one for tag in ("a", "link", "script") for one in page.all(tag)):
            target = element.attributes.get("href") or element.attributes.get("src")
            if target is None or target == "data:,":
                continue
            parts = urlsplit(target)
            assert not parts.scheme, target
            assert not parts.netloc, target
            assert (path.parent / parts.path).resolve().is_file() if parts.path else True, target


def test_no_page_can_reach_a_network_or_run_what_stands_in_it(site: Path) -> None:
    for path in all_pages(site):
        page = read_page(path)
        (policy,) = [
            meta.attributes["content"]
            for meta in page.all("meta")
            if meta.attributes.get("http-equiv") == "Content-Security-Policy"
        ]
        assert policy.startswith("default-src 'none'; script-src 'self' file:;")
        for script in page.all("script"):
            assert "src" in script.attributes or script.attributes["type"] == "application/json"
        for element in (one for tag in ("a", "td", "svg", "rect", "div") for one in page.all(tag)):
            assert not any(name.startswith("on") for name in element.attributes), path
            assert "style" not in element.attributes


def test_the_first_page_weighs_at_most_a_megabyte_and_a_half(site: Path) -> None:
    parts = [site / "index.html", *(site / "static").glob("*.css"), *(site / "static").glob("*.js")]

    assert sum(part.stat().st_size for part in parts) < 1_500_000


def test_the_rows_of_every_leaderboard_add_up_to_its_total_and_the_bill(site: Path) -> None:
    checked = 0
    for name in NAMES[:7]:
        page = read_page(site / f"{name}.html")
        for table in (table for table in page.all("table") if table.has_class("board")):
            *rows, total = amounts(table)
            assert sum(rows) == total, name
            checked += 1
        for line in (line for line in page.all("p") if line.has_class("proof")):
            assert "Difference 0.000000000000 ✓ the books close" in line.text
            checked += 1
    assert checked > 100


def test_the_proof_compares_with_the_bill_and_not_with_itself(
    frames: dict[str, Frame], tmp_path: Path
) -> None:
    """A bill that is one millionth of a cent larger than the rows must show."""
    broken = dict(frames)
    for key, frame in frames.items():
        if key.startswith("books_proof"):
            place = frame.columns.index("billed")
            rows = [list(row) for row in frame.rows]
            for row in rows:
                row[place] += Decimal("0.00000001")
            broken[key] = Frame(frame.columns, rows)

    page = read_page(write_site(tmp_path / "site", broken, META))

    (line, *_) = [line for line in page.all("p") if line.has_class("proof")]
    assert "Difference 0.000000010000 ✗ the books do not close" in line.text


def test_every_figure_names_the_query_that_gives_it(site: Path) -> None:
    commands = set()
    for path in all_pages(site):
        page = read_page(path)
        tables = len(page.all("table")) + len(page.all("figure"))
        notes = [one for one in page.all("details") if one.has_class("query")]
        assert len(notes) >= tables / 3, path
        commands |= {note.all("code")[1].text for note in notes}
    assert len(commands) > 150
    for command in commands:
        program, verb, option, name, *params = shlex.split(command)
        assert (program, verb, option) == ("mlspend", "sql", "--named")
        given = dict(param.split("=", 1) for param in params if param != "--param")
        assert given.keys() <= named_query(name).bind(given).keys()


def test_a_range_or_a_currency_that_is_not_chosen_is_not_shown(site: Path) -> None:
    page = read_page(site / "index.html")
    checked = [one for one in page.all("input") if "checked" in one.attributes]
    style = page.all("style")[0].text

    assert [one.attributes["id"] for one in checked] == ["range-month", "currency-0"]
    for choice in page.all("input"):
        assert f"#{choice.attributes['id']}:checked" in style


def test_the_first_page_says_in_half_a_minute_what_matters(site: Path) -> None:
    text = " ".join(read_page(site / "index.html").all("main")[0].text.split())

    for said in (
        "Idle 29%",
        "Unattributed 1.7%",
        "on which model",
        "tables is stale: prometheus gpu_hours",
    ):
        assert said in text


def test_the_users_by_models_add_up_in_both_directions(site: Path) -> None:
    tables = read_page(site / "index.html").all("table")
    for table in (one for one in tables if one.has_class("matrix")):
        body, foot = table.all("tbody")[0], table.all("tfoot")[0]
        for row in body.all("tr"):
            *cells, total = amounts(row)
            assert sum(cells) == total
        *totals, whole = amounts(foot)
        assert sum(totals) == whole == sum(amounts(row)[-1] for row in body.all("tr"))


@pytest.mark.parametrize(
    ("digits", "shown"),
    [(None, "0"), (f"0.{'0' * 36}", "0"), (f"-0.{'0' * 12}25{'0' * 22}", f"-0.{'0' * 12}25")],
)
def test_what_lies_beyond_twelve_places_is_shown_as_short_as_it_is(
    frames: dict[str, Frame], tmp_path: Path, digits: str | None, shown: str
) -> None:
    key = BOOKS.key
    frame = frames[key]
    place = frame.columns.index("beyond_12_places")
    rows = [(*row[:place], digits, *row[place + 1 :]) for row in frame.rows]

    write_site(tmp_path / "site", {**frames, key: Frame(frame.columns, rows)}, META)

    table = read_page(tmp_path / "site" / "books.html").all("table")[2]
    assert {row.all("td")[-1].text for row in table.all("tbody")[0].all("tr")} == {shown}


def test_the_books_say_whose_cost_they_count_as_attributed(site: Path) -> None:
    page = read_page(site / "books.html")
    assert BOOKS.params == {"dimension": "user"}
    assert sum("attributed to users" in heading.text for heading in page.all("h2")) == 3
    assert "Attributed, here, is what has a user" in page.text


def test_a_frame_that_nobody_read_is_named(frames: dict[str, Frame], tmp_path: Path) -> None:
    lacking = {key: frame for key, frame in frames.items() if key != "freshness"}

    with pytest.raises(ReportError, match='the frame "freshness" is missing'):
        write_site(tmp_path / "site", lacking, META)

    assert list(tmp_path.iterdir()) == []


def test_writing_again_replaces_the_folder_with_the_same_bytes(
    frames: dict[str, Frame], site: Path, tmp_path: Path
) -> None:
    target = tmp_path / "site"
    target.mkdir()
    (target / "old.html").write_text("old")

    write_site(target, frames, META)

    assert {path.relative_to(target): path.read_bytes() for path in target.rglob("*.*")} == {
        path.relative_to(site): path.read_bytes() for path in site.rglob("*.*")
    }


def test_a_company_with_nothing_yet_still_has_every_page(
    frames: dict[str, Frame], tmp_path: Path
) -> None:
    empty = {key: Frame(frame.columns, []) for key, frame in frames.items()}

    first = write_site(tmp_path / "site", empty, replace(META, is_demo=True))

    assert len(list(first.parent.glob("*.html"))) == len(NAMES)
    assert "demo" in read_page(first).text


def test_the_site_asks_for_each_frame_once() -> None:
    keys = [read.key for read in site_reads(SPAN)]

    assert len(keys) == len(set(keys))


def test_the_bundle_is_the_one_that_the_python_package_writes_for() -> None:
    head = (HOME / "static" / "plotly-basic.min.js").read_text(encoding="utf-8")[:300]

    assert f"plotly.js (basic - minified) v{get_plotlyjs_version()}" in head
    assert "MIT" in (HOME / "static" / "plotly-LICENSE.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_its_ground_in_both_themes(theme: str) -> None:
    css = (HOME / "static" / "site.css").read_text(encoding="utf-8")
    light, dark = css.split("prefers-color-scheme: dark", 1)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light))
    if theme == "dark":
        colours |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", dark))

    for ink in ("ink", "quiet", "accent", "good", "bad"):
        for ground in ("paper", "raised"):
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    marks = [name for name in colours if name.startswith("series")]
    nobodys = set(COLOURS.values())
    assert len({colours[mark] for mark in (*marks, *nobodys)}) == len(marks) + len(nobodys)
    for mark in (*marks, *nobodys, "bar", "other"):
        least = 2.5 if mark == "others" else 2.8
        assert contrast(colours[mark], colours["paper"]) >= least, mark


def test_every_kind_of_cost_that_is_nobodys_has_a_colour_of_its_own() -> None:
    own = set(NOBODYS) - {"(others)", "(not shown)", "not a model's", "not a dataset's"}
    assert len({COLOURS[member] for member in own}) == len(own)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of WCAG 2."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
