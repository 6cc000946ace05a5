"""Charts, as plotly figures in JSON.

plotly reads a little HTML in every text it draws (`<b>`, `<a href>`), so names are escaped before
they go in. Bars are drawn from doubles; what a reader sees on hovering is the exact amount, as
text. Colours are words that the page's script turns into those of the light or the dark theme.

The page carries plotly.js's "basic" bundle (scatter, bar, pie): other traces would not be drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from plotly.io import to_json

from reports.figures import day, exact, member_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from decimal import Decimal

SERIES = tuple(f"series-{number}" for number in range(1, 9))
COLOURS = {
    "(idle)": "idle",
    "(shared)": "shared",
    "(others)": "others",
    "(tax)": "other",
    "(unused commitment)": "other",
    "(credit)": "other",
    "unattributed": "unattributed",
    "not a model's": "others",
    "not a dataset's": "others",
}


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure ready for a page."""

    json: Markup
    """Safe inside a script element."""
    summary: str
    """What a reader who does not see it is told."""
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    """The numbers, for those who would rather read them."""
    height: int


def text(name: object) -> str:
    """Return a name such that plotly draws it as it stands."""
    return escape(member_name(str(name)), quote=False)


def stacked_days(
    series: Mapping[str, Mapping[date, Decimal]], currency: str, *, summary: str
) -> Chart:
    """Return stacked bars, one stack a day; the series in the order given, the first at the foot."""
    days = sorted({when for amounts in series.values() for when in amounts})
    colours = iter(SERIES * (len(series) // len(SERIES) + 1))
    traces = []
    for name, amounts in series.items():
        present = [when for when in days if amounts.get(when)]
        traces.append(
            {
                "type": "bar",
                "name": text(name),
                "x": [when.isoformat() for when in present],
                "y": [float(amounts[when]) for when in present],
                "customdata": [exact(amounts[when], currency) for when in present],
                "hovertemplate": "%{customdata}<extra>%{fullData.name}</extra>",
                "marker": {"color": COLOURS.get(name) or next(colours)},
            }
        )
    layout = _layout(currency)
    layout["xaxis"] = {"type": "date", "hoverformat": "%a %d %b %Y", "automargin": True}
    layout["xaxis"]["showgrid"] = False
    layout["barmode"] = "relative"
    layout["hovermode"] = "x unified"
    return Chart(
        json=script_json({"data": traces, "layout": layout}),
        summary=summary,
        columns=["Day", *(member_name(name) for name in series)],
        rows=[
            [
                day(when),
                *(
                    exact(amounts[when], currency) if when in amounts else "–"
                    for amounts in series.values()
                ),
            ]
            for when in days
        ],
        height=320,
    )


def script_json(figure: Mapping[str, Any]) -> Markup:
    """Return a figure as JSON that cannot end a script element."""
    written = to_json(dict(figure), validate=False, pretty=False)
    for char in "<>&\u2028\u2029":
        written = written.replace(char, f"\\u{ord(char):04x}")
    return Markup(written)  # noqa: S704 - every character that means something to HTML is escaped


def _layout(currency: str) -> dict[str, Any]:
    return {
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "bargap": 0.18,
        "showlegend": True,
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
        "yaxis": {
            "title": {"text": escape(currency, quote=False), "standoff": 4},
            "tickformat": ",.3~s",
            "automargin": True,
            "rangemode": "tozero",
        },
        "hoverlabel": {"namelength": 60},
    }
