"""The page of machines: what GPUs did is told in one place, with its cost."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from queries.catalog import HOME
from queries.read import open_generation
from reports.machines import MEANINGS
from tests.queries.acme import write_generation
from tests.reports.page import read_page

if TYPE_CHECKING:
    from pathlib import Path

    from tests.reports.page import Element


def _tables(site: Path) -> list[Element]:
    (section,) = (
        one
        for one in read_page(site / "machines.html").all("section")
        if one.attributes.get("aria-labelledby") == "uses"
    )
    return section.all("table")


def test_each_cause_of_idle_gpus_is_shown_with_its_cost(site: Path, tmp_path: Path) -> None:
    shown = {}
    for table in _tables(site):
        currency = table.all("caption")[0].text.rpartition(", ")[2]
        for row in table.all("tr")[1:]:
            use = row.all("th")[0].text.split("\n")[0]
            exact = row.all("td")[0].all("span")[0].attributes["title"].split()[0]
            name = next(name for name in MEANINGS if use.lower().startswith(name))
            shown[currency, name] = Decimal(exact.replace(",", ""))
    with open_generation(write_generation(tmp_path / "acme.duckdb")) as con:
        rows = con.execute(
            "select billing_currency, gpu_use, sum(effective_cost) from marts.gpu_uses group by all"
        ).fetchall()

    assert {use for _, use in shown} == {"unallocated", "dead", "starved", "wrong class", "in use"}
    assert shown == {(currency, use): cost for currency, use, cost in rows}


def test_every_use_that_the_mart_knows_is_explained() -> None:
    """The mart's own text lists them."""
    text = (HOME / "marts" / "gpu_uses.sql").read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith("    gpu_use,  -- "))

    assert set(line.partition("-- ")[2].replace(" or ", ", ").split(", ")) == MEANINGS.keys()
