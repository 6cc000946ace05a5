"""Figures and names as people read them.

Money is shown with the places of its currency and never without it; every digit stays within reach
(`exact`). Names come from whoever could name a run, so what does not print is written out.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from datetime import date, datetime

PLACES = {
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(
        ("CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "XAF"), 0
    ),
    **dict.fromkeys(("VUV", "XOF", "XPF"), 0),
}
"""Minor units of ISO 4217 where they are not two."""

LONGEST_NAME = 160
LONGEST_SENTENCE = 400
MINUS = "\u2212"
DASH = "\u2013"
"""Stands where there is no figure."""
NOBODYS = {
    "(idle)": "Idle",
    "(shared)": "Shared",
    "(tax)": "Tax",
    "(unused commitment)": "Unused commitment",
    "(credit)": "Credit",
    "(others)": "Others",
    "(not shown)": "Not shown",
    "unattributed": "Unattributed",
    "not a model's": "Not a model's",
    "not a dataset's": "Not a dataset's",
}
"""Members that are nobody -> what a reader sees."""
COLOURS = {
    "(idle)": "idle",
    "(shared)": "shared",
    "(tax)": "tax",
    "(unused commitment)": "commitment",
    "(credit)": "credit",
    "(others)": "others",
    "unattributed": "unattributed",
    "not a model's": "others",
    "not a dataset's": "others",
}
"""Members that are nobody -> the word for their colour, which site.css has for both themes."""


def money(amount: Decimal, currency: str) -> str:
    """Return an amount rounded to its currency's places: `1,204.18`."""
    places = PLACES.get(currency, 2)
    unit = Decimal(1).scaleb(-places)
    rounded = amount.quantize(unit, ROUND_HALF_EVEN)
    if amount and not rounded:
        return f"{MINUS if amount < 0 else ''}<{unit}"
    return _signed(rounded, f"{abs(rounded):,.{places}f}")


def exact(amount: Decimal, currency: str) -> str:
    """Return an amount with every digit it has, and its currency: `1,204.184502 USD`."""
    return f"{digits(amount, currency)} {currency}"


def digits(amount: Decimal, currency: str) -> str:
    """Return an amount with every digit it has: `1,204.184502`."""
    whole, _, part = f"{abs(amount):,f}".partition(".")
    part = part.rstrip("0").ljust(PLACES.get(currency, 2), "0")
    return _signed(amount, f"{whole}.{part}" if part else whole)


def whole_money(amount: Decimal, currency: str) -> str:
    """Return a large amount without its cents, for headlines: `41,204`; small ones keep them."""
    if abs(amount) < 1000:  # noqa: PLR2004 - below it cents are news
        return money(amount, currency)
    rounded = amount.quantize(Decimal(1), ROUND_HALF_EVEN)
    return _signed(rounded, f"{abs(rounded):,.0f}")


def _signed(amount: Decimal, text: str) -> str:
    return f"{MINUS}{text}" if amount < 0 else text


def percent(part: Decimal, whole: Decimal) -> str:
    """Return a share as a person reads it; a dash where there is no whole."""
    if not whole:
        return DASH
    share = float(part) / float(whole) * 100
    if 0 < abs(share) < 0.1:  # noqa: PLR2004 - one decimal would say nothing
        return "<0.1%"
    places = 0 if round(abs(share), 1) >= 10 else 1  # noqa: PLR2004 - two digits are enough
    return f"{share:.{places}f}%".replace("-", MINUS)


def bar(part: Decimal, whole: Decimal) -> float:
    """Return how much of a bar to fill, 0 to 100."""
    if whole <= 0 or part <= 0:
        return 0.0
    return round(min(float(part) / float(whole), 1.0) * 100, 2)


def change(now: Decimal, before: Decimal | None) -> str:
    """Return the change since the days before: `+12%`; `new` where there was nothing."""
    if before is None or not before:
        return "new"
    moved = (float(now) - float(before)) / abs(float(before)) * 100
    if abs(moved) < 0.5:  # noqa: PLR2004 - rounds to nothing
        return "±0%"
    if abs(moved) >= 1000:  # noqa: PLR2004 - a factor reads better
        return f"\u00d7{float(now) / float(before):,.0f}" if moved > 0 else f"{moved:+,.0f}%"
    return f"{moved:+.0f}%".replace("-", MINUS)


def hours(value: Decimal | float | None) -> str:
    """Return hours: `1,204` or, below a hundred, `12.4`."""
    if value is None:
        return DASH
    number = float(value)
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:,.1f}"  # noqa: PLR2004 - as said


def day(value: date) -> str:
    """Return a day: `19 Nov 2026`."""
    return f"{value.day} {value:%b %Y}"


def moment(value: datetime) -> str:
    """Return a moment in UTC to the minute: `19 Nov 2026, 02:14`."""
    return f"{day(value)}, {value:%H:%M}"


def visible(text: object, longest: int = LONGEST_NAME) -> str:
    """Return a name with every character that does not print written out, and not too long.

    Direction marks, zero-width characters and control characters could make a name read as
    another one.
    """
    name = str(text)
    if not name.isprintable():
        name = "".join(char if char.isprintable() else f"⟨U+{ord(char):04X}⟩" for char in name)
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def apart(text: str) -> str | Markup:
    """Return a name for HTML such that its writing direction stays its own."""
    return text if text.isascii() else Markup("<bdi>{}</bdi>").format(text)


def member_name(name: str) -> str:
    """Return a member as a reader sees it."""
    return NOBODYS.get(name, visible(name))


def is_nobodys(member: str) -> bool:
    """Tell whether a member stands for cost that belongs to nobody."""
    return member in NOBODYS
