"""Amounts keep their currency's places and, on asking, all their digits."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.base import Read, Span
from reports.figures import bar, change, exact, money, percent, visible, whole_money

AMOUNTS = st.decimals(-(10**15), 10**15, places=12)


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("1204.184502", "USD", "1,204.18"),
        ("1204.5", "JPY", "1,204"),
        ("1.2345", "KWD", "1.234"),
        ("-750", "USD", "−750.00"),  # noqa: RUF001 - a minus sign is meant
        ("0.0004", "USD", "<0.01"),
        ("0", "USD", "0.00"),
        ("0.125", "EUR", "0.12"),
    ],
)
def test_money_is_rounded_to_the_places_of_its_currency(
    amount: str, currency: str, shown: str
) -> None:
    assert money(Decimal(amount), currency) == shown


@given(AMOUNTS)
def test_an_exact_amount_can_be_read_back_to_the_last_digit(amount: Decimal) -> None:
    text = exact(amount, "USD").removesuffix(" USD").replace(",", "").replace("\u2212", "-")

    assert Decimal(text) == amount


@given(AMOUNTS, AMOUNTS)
def test_a_bar_is_never_wider_than_its_track(part: Decimal, whole: Decimal) -> None:
    assert 0 <= bar(part, whole) <= 100


@given(AMOUNTS, AMOUNTS)
def test_no_amount_makes_a_share_or_a_change_fail(one: Decimal, other: Decimal) -> None:
    assert percent(one, other)
    assert change(one, other)
    assert whole_money(one, "USD")


@pytest.mark.parametrize(
    ("now", "before", "shown"),
    [
        ("112", "100", "+12%"),
        ("88", "100", "−12%"),  # noqa: RUF001 - a minus sign is meant
        ("100", "100", "±0%"),
        ("100", None, "new"),
        ("100", "0", "new"),
        ("1500", "1", "×1,500"),  # noqa: RUF001 - a multiplication sign is meant
    ],
)
def test_a_change_is_said_in_percent(now: str, before: str | None, shown: str) -> None:
    assert change(Decimal(now), None if before is None else Decimal(before)) == shown


@given(st.text())
def test_a_name_is_never_longer_than_it_may_and_always_prints(name: str) -> None:
    shown = visible(name)

    assert len(shown) <= 160
    assert shown.isprintable()


def test_the_ranges_of_a_span_are_the_months_the_week_and_all() -> None:
    ranges = Span(date(2026, 8, 15), date(2026, 11, 19)).ranges()

    assert [(days.key, days.from_date, days.to_date) for days in ranges] == [
        ("month", date(2026, 11, 1), date(2026, 11, 19)),
        ("previous", date(2026, 10, 1), date(2026, 10, 31)),
        ("week", date(2026, 11, 13), date(2026, 11, 19)),
        ("all", date(2026, 8, 15), date(2026, 11, 19)),
    ]


def test_a_first_day_alone_is_a_span_too() -> None:
    span = Span(date(2026, 1, 1), date(2026, 1, 1))

    assert {(days.from_date, days.to_date) for days in span.ranges()} == {
        (date(2026, 1, 1), date(2026, 1, 1))
    }
    assert [days.key for days in span.ranges()] == ["month", "week", "all"]


def test_a_range_covers_a_month_when_it_holds_every_day_with_cost() -> None:
    span = Span(date(2026, 8, 15), date(2026, 11, 19))
    month, previous, week, whole = span.ranges()

    assert month.covers(date(2026, 11, 1), span)
    assert previous.covers(date(2026, 10, 1), span)
    assert whole.covers(date(2026, 8, 1), span)
    assert not week.covers(date(2026, 11, 1), span)
    assert week.touches(date(2026, 11, 1))
    assert not week.touches(date(2026, 10, 1))


def test_a_read_is_named_by_the_command_that_gives_it() -> None:
    read = Read("leaderboard", {"dimension": "team", "from_date": date(2026, 11, 1)})

    assert read.command == (
        "mlspend sql --named leaderboard --param dimension=team --param from_date=2026-11-01"
    )
