"""Full costs stand beside the leaderboards, without a total, and say that they have none."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from reports.base import Frame
from reports.full_cost import FullCosts
from reports.site import write_site
from tests.reports.frames import META
from tests.reports.page import read_page

if TYPE_CHECKING:
    from pathlib import Path

    from tests.reports.page import Element


def section_of(page: Element) -> Element:
    """Return the part of a page that shows full costs."""
    return next(
        one for one in page.all("section") if one.attributes.get("aria-labelledby") == "full"
    )


@pytest.mark.parametrize("name", ["model", "dataset"])
def test_full_costs_are_a_table_of_their_own_that_must_not_be_added_up(
    site: Path, frames: dict[str, Frame], name: str
) -> None:
    section = section_of(read_page(site / f"{name}s.html"))
    assert "Not to be added up." in section.text
    assert f"every one of the {name}s that would not be without it" in " ".join(
        section.text.split()
    )
    assert section.all("tfoot") == []
    rows = [row for body in section.all("tbody") for row in body.all("tr")]
    records = frames[FullCosts(name, 40).board.key].records()
    assert sorted(row.all("th")[0].text.strip() for row in rows) == sorted(
        record[name] for record in records
    )
    titles = [row.all("span")[0].attributes["title"].split()[0] for row in rows]
    shown = sorted(Decimal(title.replace(",", "")) for title in titles)
    assert shown == sorted(record["non_additive_cost"] for record in records)


def test_the_page_of_a_model_shows_the_way_back_to_its_data(site: Path) -> None:
    link = next(
        one for one in read_page(site / "models.html").all("a") if one.text.strip() == "lens-detect"
    )
    text = " ".join(read_page(site / link.attributes["href"]).all("main")[0].text.split())
    assert "laion-5b <- web-images" in text
    assert "Not to be added up." in text


def test_where_no_lineage_is_known_the_page_says_so(
    frames: dict[str, Frame], tmp_path: Path
) -> None:
    none = {
        key: Frame(frame.columns, []) if "full_cost" in key else frame
        for key, frame in frames.items()
    }
    first = write_site(tmp_path / "site", none, META)
    section = section_of(read_page(first.parent / "models.html"))
    assert "Nothing is known of what the models were made from." in section.text
    assert section.all("table") == []
