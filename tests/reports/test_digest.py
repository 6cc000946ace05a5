"""A digest is whole, small, stands by itself, and shows every name as text."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from html import unescape
from typing import TYPE_CHECKING

import pytest

from queries.read import open_generation, run_named
from reports.base import Frame, Frames, Range, Read
from reports.digest import LARGEST, About, Reader, Section, _teams, digest_reads, write_digest
from tests.queries.acme import NEWEST_DAY, write_generation
from tests.reports.page import parse, skeleton
from tests.reports.test_hostile_names import PAYLOADS, named
from tests.servers.chromium import Chromium, Look

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reports.digest import Digest

DAYS = Range("digest", "Last 7 days", NEWEST_DAY - timedelta(6), NEWEST_DAY)
ABOUT = About("What machine learning costs", DAYS, site_url="https://costs.acme.example/")


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> dict[str | None, dict[str, Frame]]:
    """The frames of a team's digest and of the company's."""
    generation = write_generation(tmp_path_factory.mktemp("acme") / "acme.duckdb")
    with open_generation(generation) as con:
        return {
            team: {
                read.key: Frame(*run_named(con, read.query, read.params))
                for read in digest_reads(team, DAYS)
            }
            for team in ("vision", None)
        }


def digest(
    frames: dict[str, Frame], team: str | None = None, reader: str = "Ada", about: About = ABOUT
) -> Digest:
    return write_digest(Frames(frames), Reader(reader, team, "u001"), about)


def test_both_parts_say_the_same(company: dict[str | None, dict[str, Frame]]) -> None:
    found = digest(company["vision"], "vision")
    html = parse(found.html).text

    assert found.subject.startswith("vision: ")
    assert found.subject.endswith("13 – 19 Nov 2026")  # noqa: RUF001
    for line in found.text.splitlines():
        if line[:1].isalpha() and line[44:45] == " " and len(line) > 60:
            name, cost = line[:44].rstrip().rpartition(": ")[2].partition(",")[0], line[45:59]
            assert name.rstrip("…") in html
            assert cost.strip() in html
    assert max(len(line) for line in found.text.splitlines() if line[44:45] == " ") <= 96


@pytest.mark.parametrize("unit", ["EUR", "USD"])
def test_teams_and_what_is_nobodys_add_up_to_the_total(
    company: dict[str | None, dict[str, Frame]], unit: str
) -> None:
    """Also where some teams are not shown: those are one row."""
    frames = company[None]
    (read,) = [one for one in digest_reads(None, DAYS) if one.query == "leaderboard"]
    shown = digest(frames).text.partition(f"\nTEAMS, {unit}\n")[2].partition("\n$ ")[0]
    amounts = {
        line[:44].rstrip(): Decimal(line[45:59].strip().replace(",", "").replace("\u2212", "-"))
        for line in shown.splitlines()
    }
    total = amounts.pop("Total")
    places = Decimal("0.01")
    records = [one for one in Frames(frames).records(read) if one["billing_currency"] == unit]
    assert total == sum(one["effective_cost"] for one in records).quantize(places)
    assert abs(sum(amounts.values()) - total) <= places * len(amounts)
    assert "Idle" in amounts

    section = next(one for one in _teams(Frames(frames), read) if one.title == f"Teams, {unit}")
    cut = section.cut(1)
    assert [row["name"] for row in cut.rows][1:] == [f"{len(section.rows) - 1} more"]
    assert (cut.left, cut.closing) == (0, section.closing)


def test_it_needs_nothing_but_the_mail(company: dict[str | None, dict[str, Frame]]) -> None:
    page = parse(digest(company[None]).html)

    for tag in ("script", "img", "link", "style", "iframe", "form", "svg"):
        assert page.all(tag) == []
    assert [one.attributes["href"] for one in page.all("a")] == [ABOUT.site_url]
    assert "url(" not in digest(company[None]).html


@pytest.mark.parametrize(
    ("most", "shown"), [(3, ["e0", "e1", "u0"]), (5, ["e0", "e1", "e2", "u0", "u1"]), (1, ["e0"])]
)
def test_no_currency_crowds_out_another(most: int, shown: list[str]) -> None:
    rows = [{"name": f"e{place}", "unit": "EUR"} for place in range(9)]
    rows += [{"name": f"u{place}", "unit": "USD"} for place in range(2)]
    cut = Section("People", "spend", rows, Read("team_spend", {})).cut(most)

    assert [row["name"] for row in cut.rows] == shown
    assert cut.left == 11 - most


def test_it_stays_small_and_says_what_it_leaves_out(
    company: dict[str | None, dict[str, Frame]],
) -> None:
    long = {
        key: Frame(frame.columns, list(frame.rows) * 40) if frame.rows else frame
        for key, frame in named(company[None], "a long name, " * 9).items()
    }
    found = digest(long)

    assert (len(found.html.encode()) + len(found.text.encode())) * 4 // 3 < LARGEST
    assert "more are not shown here" in found.html
    assert "more are not shown here" in found.text
    assert parse(found.html).all("body")


@pytest.fixture(scope="module")
def tame(company: dict[str | None, dict[str, Frame]]) -> list[str]:
    return skeleton(parse(digest(named(company["vision"], "x"), "vision", "x").html))


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: ascii(payload)[:60])
def test_a_hostile_name_is_text_in_every_part(
    company: dict[str | None, dict[str, Frame]], tame: list[str], payload: str
) -> None:
    about = About(ABOUT.title, DAYS, ABOUT.site_url, restatements=[])
    found = digest(named(company["vision"], payload), "vision", payload, about)

    if len(payload) <= 120:  # of longer names fewer rows are shown
        assert skeleton(parse(found.html)) == tame
    hrefs = [one.attributes["href"] for one in parse(found.html).all("a")]
    assert hrefs == [ABOUT.site_url]
    shown = unescape(found.html).replace("\xa0", " ")  # what stands in empty cells
    for part in (shown, found.text, found.subject):
        assert [line for line in part.split("\n") if not line.isprintable()] == []


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.mark.servers
@pytest.mark.parametrize("width", [360, 640])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_browser_shows_it_without_a_request_or_a_sideways_scroll(
    browser: Chromium,
    company: dict[str | None, dict[str, Frame]],
    tmp_path: Path,
    width: int,
    theme: str,
) -> None:
    page = tmp_path / "digest.html"
    page.write_text(digest(company["vision"], "vision").html, encoding="utf-8")
    shown = browser.open(page, Look(width=width, theme=theme))  # type: ignore[arg-type]

    assert shown.complaints == []
    assert shown.requests == [page.as_uri()]
    assert browser.run("document.documentElement.scrollWidth") == width
