"""Charts, as plotly figures in JSON.

plotly reads a little HTML in every text it draws (`<b>`, `<a href>`), so names are escaped before
they go in. Bars are drawn from doubles; what a reader sees on hovering is the exact amount, as
text. Colours are words that the page's script turns into those of the light or the dark theme.

The page carries plotly.js's "basic" bundle (scatter, bar, pie): other traces would not be drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from html import escape
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from reports.figures import COLOURS, digits, member_name, visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from decimal import Decimal

    from reports.base import Range

DAY = timedelta(1)
SERIES = tuple(f"series-{number}" for number in range(1, 9))


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure ready for a page."""

    json: Markup
    """Safe inside a script element."""
    summary: str
    """What a reader who does not see it is told."""
    height: int


def text(name: object) -> str:
    """Return a name such that plotly draws it as it stands."""
    return escape(member_name(str(name)), quote=False)


@dataclass(frozen=True, slots=True)
class Series:
    """One colour of a chart."""

    member: str
    name: str
    amounts: Mapping[date, Decimal]


def stacked_days(series: Sequence[Series], currency: str, days: Range, *, summary: str) -> Chart:
    """Return stacked bars, one stack a day of `days`; the first series stands at the foot."""
    hover = f"%{{customdata}} {text(currency)}<extra>%{{fullData.name}}</extra>"
    dates = [
        days.from_date + DAY * place for place in range((days.to_date - days.from_date).days + 1)
    ]
    colours = iter(SERIES * (len(series) // len(SERIES) + 1))
    traces = []
    for one in series:
        amounts = [one.amounts.get(when) or None for when in dates]
        traces.append(
            {
                "type": "bar",
                "name": text(one.name),
                "x0": days.from_date.isoformat(),
                "dx": DAY // timedelta(milliseconds=1),
                "y": [None if cost is None else round(float(cost), 2) for cost in amounts],
                "customdata": ["" if cost is None else digits(cost, currency) for cost in amounts],
                "hovertemplate": hover,
                "marker": {"color": COLOURS.get(one.member) or next(colours)},
            }
        )
    layout = _layout(currency)
    # As text, for the page's table of numbers:
    spoken = {"names": [member_name(one.name) for one in series], "currency": visible(currency)}
    layout["xaxis"] = {"type": "date", "hoverformat": "%a %d %b %Y", "automargin": True}
    layout["xaxis"]["showgrid"] = False
    layout["xaxis"]["range"] = [f"{days.from_date - DAY}T12:00", f"{days.to_date}T12:00"]
    layout["barmode"] = "relative"
    layout["hovermode"] = "x unified"
    return Chart(
        json=script_json({"data": traces, "layout": layout, **spoken}),
        summary=summary,
        height=320,
    )


def script_json(figure: Mapping[str, Any]) -> Markup:
    """Return a figure as JSON that cannot end a script element."""
    # no command but one that draws is to wait for it; plotly has no types
    from plotly.io import to_json  # type: ignore[import-untyped]  # noqa: PLC0415

    written = to_json(dict(figure), validate=False, pretty=False)
    for char in "<>&\u2028\u2029":
        written = written.replace(char, f"\\u{ord(char):04x}")
    return Markup(written)  # noqa: S704 - every character that means something to HTML is escaped


def _layout(currency: str) -> dict[str, Any]:
    return {
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "bargap": 0.18,
        "showlegend": True,
        "legend": {
            "orientation": "h",
            "y": 1.02,
            "yanchor": "bottom",
            "x": 0,
            "traceorder": "normal",
        },
        "yaxis": {
            "title": {"text": escape(currency, quote=False), "standoff": 4},
            "tickformat": ",.3~s",
            "automargin": True,
            "rangemode": "tozero",
        },
        "hoverlabel": {"namelength": 60},
    }
