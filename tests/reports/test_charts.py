"""Charts are figures that plotly accepts, and no name in them is markup."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import plotly.graph_objects as go  # type: ignore[import-untyped]  # noqa: TID251 - the judge of figures

from reports.base import Range
from reports.charts import Series, stacked_days

DAYS = Range("x", "x", date(2026, 11, 1), date(2026, 11, 3))
SERIES = [
    Series("vision", "</script><b>vision</b>", {date(2026, 11, 1): Decimal("1.234567891234")}),
    Series("(idle)", "(idle)", {date(2026, 11, 1): Decimal(2), date(2026, 11, 3): Decimal(-1)}),
]
CHART = stacked_days(SERIES, "USD", DAYS, summary="Two series.")


def test_plotly_accepts_every_property() -> None:
    figure = json.loads(CHART.json)
    del figure["names"], figure["currency"]
    for trace in figure["data"]:
        trace["marker"]["color"] = "red"  # the page's script puts the theme's colour here

    assert len(go.Figure(figure).data) == 2


def test_hovering_gives_every_digit() -> None:
    (vision, idle) = json.loads(CHART.json)["data"]

    assert vision["customdata"] == ["1.234567891234", "", ""]
    assert idle["customdata"] == ["2.00", "", "\u22121.00"]
    assert vision["hovertemplate"].startswith("%{customdata} USD")


def test_a_name_is_escaped_for_plotly_and_again_for_the_page() -> None:
    assert json.loads(CHART.json)["data"][0]["name"] == "&lt;/script&gt;&lt;b&gt;vision&lt;/b&gt;"
    assert not set("<>&") & set(CHART.json)


def test_the_axis_shows_all_the_days_though_some_cost_nothing() -> None:
    axis = json.loads(CHART.json)["layout"]["xaxis"]

    assert axis["range"] == ["2026-10-31T12:00", "2026-11-03T12:00"]
