"""People's time as a bill: exact to the last digit; a wrong card is refused by line."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import SourceError
from connectors.people_card import PeopleCard
from queries.totals import raw_totals
from tests.connectors.known import Memory
from tests.connectors.test_rate_card import land, write
from tests.queries.bills import DATA, assert_plain, stage_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from connectors.base import Delivery

CREWS, SPLIT = (DATA / "people_card" / name for name in ("crews.csv", "split.csv"))
CARD = PeopleCard(str(CREWS), str(SPLIT), charge_from="2026-10-01")
AT = datetime(2026, 11, 3, 4, tzinfo=UTC)
HEADER = "crew,currency,price_per_month,starts,ends,work"
PARTS = "crew,share,day,days,project"


def months(card: PeopleCard, at: datetime = AT) -> list[Delivery]:
    return list(card.deliveries_at(Memory(), at))


def staged(paths: Sequence[Path]) -> list[dict[str, Any]]:
    return stage_rows("people_card", paths)


def costs(rows: Sequence[dict[str, Any]], crew: str) -> dict[str | None, Decimal]:
    """Return project -> what the crew's work for it cost."""
    found: dict[str | None, Decimal] = {}
    for row in rows:
        if row["resource_id"] == crew:
            project = row["tags"].get("project")
            found[project] = found.get(project, Decimal(0)) + row["effective_cost"]
    return found


def about(parts: Decimal, whole: Decimal) -> Any:
    """Allow each day's part a unit of 1e-12 less or more."""
    return pytest.approx(parts / whole, abs=Decimal("3.2e-11"))


def test_a_month_bears_its_price_by_shares_by_days_or_as_nobody_s(tmp_path: Path) -> None:
    october, november = months(CARD)
    assert (october.unit, november.unit) == ("2026-10", "2026-11")
    rows = staged(land([october], tmp_path))
    labelling = costs(rows, "labelling")
    assert sum(labelling.values()) == Decimal("42000.01")
    assert labelling == {
        "apollo": about(Decimal("25200.006"), Decimal(1)),
        "gemini": about(Decimal("10500.0025"), Decimal(1)),
        None: about(Decimal("6300.0015"), Decimal(1)),
    }
    engineers, price = costs(rows, "ml-engineers"), Decimal("61333.333333333333")
    assert sum(engineers.values()) == price
    assert engineers == {
        "apollo": about(price * Decimal("4.5"), Decimal(7)),
        "gemini": about(price * Decimal("2.5"), Decimal(7)),
    }
    # days 11 to 20 of 31: F(20) - F(10)
    units = [9000 * 10**12 * day // 31 for day in (10, 20)]
    assert costs(rows, "night-shift") == {None: Decimal(units[1] - units[0]).scaleb(-12)}
    november_rows = staged(land([november], tmp_path))
    assert costs(november_rows, "ml-engineers").keys() == {"gemini"}


def test_a_line_says_whom_it_is_for(tmp_path: Path) -> None:
    (month,) = months(CARD, datetime(2026, 10, 2, tzinfo=UTC))
    lines = [row for row in staged(land([month], tmp_path)) if row["resource_id"] == "labelling"]
    rows = {row["tags"].get("project"): row for row in lines}
    assert rows["gemini"]["tags"] == {"project": "gemini", "team": "speech", "x_model": "lens"}
    assert (rows["apollo"]["service_name"], rows["apollo"]["x_line_class"]) == (
        "Labelling",
        "other",
    )
    assert rows["apollo"]["charge_description"] == "Labelling of labelling, by shares"


def test_the_models_and_the_raw_totals_agree(tmp_path: Path) -> None:
    paths = land(months(CARD), tmp_path)
    wanted: dict[tuple[str, str], Decimal] = {}
    for row in staged(paths):
        key = (f"{row['charge_date']:%Y-%m}", row["billing_currency"])
        wanted[key] = wanted.get(key, Decimal(0)) + row["billed_cost"]
    totals = raw_totals("people_card__work_days", paths)
    assert {
        (total.charge_month, total.billing_currency): total.amount
        for total in totals
        if total.measure == "billed_cost"
    } == wanted
    assert sum(total.rows for total in totals) == 2 * len(staged(paths))
    assert_plain("people_card__work_days", paths)


PRICES = st.integers(0, 10**20).map(lambda units: format(Decimal(units).scaleb(-12), "f"))
DAYS = st.lists(st.integers(1, 9_999_000_000), min_size=1, max_size=8)
SHARES = st.lists(st.integers(1, 10**12 // 8), min_size=1, max_size=8)


@settings(deadline=None, max_examples=12)
@given(price=PRICES, days=DAYS, shares=SHARES, month=st.integers(1, 12))
def test_whatever_the_parts_a_month_is_its_price(
    tmp_path_factory: pytest.TempPathFactory,
    price: str,
    days: list[int],
    shares: list[int],
    month: int,
) -> None:
    folder = tmp_path_factory.mktemp("card")
    first = date(2024, month, 1)
    after = date(2024 + month // 12, month % 12 + 1, 1)
    crews = [f"{crew},EUR,{price},{first},{after}," for crew in ("by-day", "by-share")]
    parts = [
        f"by-day,,{first},{Decimal(worked).scaleb(-6):f},p{number}"
        for number, worked in enumerate(days)
    ] + [
        f"by-share,{Decimal(share).scaleb(-12):f},,,p{number}"
        for number, share in enumerate(shares)
    ]
    card = PeopleCard(
        str(write(folder, HEADER, *crews)),
        str(write(folder, PARTS, *parts, name="split.csv")),
    )
    rows = staged(land(months(card, datetime(2026, 1, 1, tzinfo=UTC)), folder))
    for crew in ("by-day", "by-share"):
        assert sum(costs(rows, crew).values()) == Decimal(price)
    assert min(row["effective_cost"] for row in rows) >= 0


def test_only_a_month_that_has_changed_is_delivered_again(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("crews.csv", "split.csv")]
    for path, source in zip(paths, (CREWS, SPLIT), strict=True):
        path.write_bytes(source.read_bytes())
    card, memory = PeopleCard(str(paths[0]), str(paths[1]), charge_from="2026-10-01"), Memory()
    for delivery in card.deliveries_at(memory, AT):
        memory.land(delivery)
    assert list(card.deliveries_at(memory, AT)) == []
    (next_day,) = card.deliveries_at(memory, AT.replace(day=4))
    assert next_day.unit == "2026-11"


@pytest.mark.parametrize(
    ("crew", "part", "said"),
    [
        ("a,EUR,1e3,2026-10-01,,", "a,1,,,p", "price_per_month '1e3' is not a number"),
        ("a,EUR,5,1.10.2026,,", "a,1,,,p", "starts '1.10.2026' is not a date"),
        ("a,EUR,5,2026-10-01,2026-10-01,", "a,1,,,p", "ends (2026-10-01) is not after starts"),
        ("a,eur,5,2026-10-01,,", "a,1,,,p", "currency 'eur' is not a code"),
        ("a,EUR,5,2026-10-01,,", "b,1,,,p", "b is not on the card"),
        ("a,EUR,5,2026-10-01,,", "a,1,,,", "it is for nobody"),
        ("a,EUR,5,2026-10-01,,", "a,1,2026-10-01,1,p", "neither a share, nor a day"),
        ("a,EUR,5,2026-10-01,,", "a,,2026-10-01,,p", "neither a share, nor a day"),
        ("a,EUR,5,2026-10-01,,", "a,,2026-10-01,0.0,p", "days is 0"),
        ("a,EUR,5,2026-10-01,,", "a,0.6,,,p\na,0.5,,,q", "come to more than 1"),
        ("a,EUR,5,2026-10-01,,", "a,0.6,,,p\na,0.1,,,p", "another share for the same"),
        ("a,EUR,5,2026-10-01,,", "a,0.6,,,p\na,,2026-10-01,1,p", "has shares and days"),
        ("a,EUR,5,2026-10-01,,\na,EUR,5,2026-10-01,,", "a,1,,,p", "a is on the card already"),
    ],
)
def test_a_wrong_card_is_refused_by_line(tmp_path: Path, crew: str, part: str, said: str) -> None:
    card = PeopleCard(
        str(write(tmp_path, HEADER, crew)), str(write(tmp_path, PARTS, part, name="split.csv"))
    )
    with pytest.raises(SourceError) as caught:
        months(card)
    assert said in str(caught.value)
    assert [note.split(":")[0] for note in caught.value.__notes__] == ["in", "fix"]
