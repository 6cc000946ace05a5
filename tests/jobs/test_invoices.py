"""What invoices say, held against the bills: entered in the config, told at the end of a night."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from jobs.config import ConfigError, read_config
from jobs.errors import describe
from jobs.inputs import invoices_of
from queries.generation import newest_generation
from queries.read import open_generation
from tests.jobs.nights import FOCUS, make_home, run

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = '[[invoices]]\nprovider = "AWS"\nmonth = "2026-10"\namount = {}\ncurrency = "USD"\n'


def test_a_figure_that_differs_is_told_until_it_is_corrected(tmp_path: Path) -> None:
    config = make_home(tmp_path) / "mlspend.toml"
    run_of = (
        FOCUS + '[[invoices]]\nsource = "focus"\nmonth = "2026-09"\namount = 1\ncurrency = "USD"\n'
    )
    config.write_text(run_of + ENTRY.format("3.76"), encoding="utf-8")
    night = run(tmp_path)
    assert night.returncode == 0, night.stderr
    assert "invoice focus 2026-09: 1.00 USD entered, no line of a bill is on it" in night.stdout
    # October is not over at the newest day of the bill, so its figure is not judged yet
    assert rows(tmp_path) == [
        (None, None, Decimal(1), Decimal(-1), "no bill"),
        ("111", "estimated", Decimal("3.76"), Decimal("-0.01"), "open"),
    ]
    page = next((tmp_path / "state" / "reports").glob("*/books.html")).read_text(encoding="utf-8")
    assert "no bill" in page

    config.write_text(FOCUS + ENTRY.format("3.75"), encoding="utf-8")
    night = run(tmp_path)
    assert night.returncode == 0, night.stderr
    assert "invoice " not in night.stdout
    assert rows(tmp_path) == [("111", "estimated", Decimal("3.75"), Decimal(0), "agrees")]


def rows(home: Path) -> list[tuple[object, ...]]:
    """Return what the generation in force says of invoices."""
    with open_generation(newest_generation(home / "state")) as con:
        return con.execute(
            "select billing_account_id, state, entered_amount, "
            "difference, verdict from marts.invoices order by billing_period"
        ).fetchall()


@pytest.mark.parametrize(
    ("currency", "amount", "tolerance", "off"),
    [
        ("USD", "10", "0", "0.005"),
        ("USD", "10.5", "0", "0.005"),
        ("USD", "10.5000", "0", "0.00005"),
        ("USD", "10", "0.04", "0.04"),
        ("JPY", "10", "0", "0.5"),
        ("KWD", "10", "0", "0.0005"),
    ],
)
def test_a_figure_is_as_exact_as_it_is_written(
    tmp_path: Path, currency: str, amount: str, tolerance: str, off: str
) -> None:
    entry = ENTRY.format(amount).replace("USD", currency) + f"tolerance = {tolerance}\n"
    config = make_home(tmp_path) / "mlspend.toml"
    config.write_text(FOCUS + entry, encoding="utf-8")
    (invoice,) = invoices_of(read_config(config))
    assert (invoice.amount, invoice.tolerance) == (Decimal(amount), Decimal(off))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (ENTRY.format(1) + 'source = "focus"\n', "give either provider or source"),
        (ENTRY.format(1).replace('provider = "AWS"', ""), "give either provider or source"),
        (ENTRY.format(1) + 'invoice_id = "A"\n', "give either invoice_id or month"),
        (ENTRY.format(1).replace("2026-10", "2026-13"), 'month is "2026-13"'),
        (ENTRY.format('"1"'), "amount"),
        (ENTRY.format("nan"), "amount"),
        (ENTRY.format(1).replace("USD", "usd"), 'currency is "usd"'),
        (ENTRY.format(1) + "tolerance = -1\n", "tolerance is -1"),
        (ENTRY.format(1) * 2, "AWS 2026-10 USD is there twice"),
        (
            ENTRY.format(1)
            + 'billing_account_id = "/a/B"\n'
            + ENTRY.format(2)
            + 'billing_account_id = "b"\n',
            "is there twice",
        ),
        (ENTRY.format(1).replace('provider = "AWS"', 'source = "focsu"'), 'no source "focsu"'),
    ],
)
def test_a_figure_that_cannot_be_held_against_a_bill_is_refused(
    tmp_path: Path, entry: str, said: str
) -> None:
    config = make_home(tmp_path) / "mlspend.toml"
    config.write_text(FOCUS + entry, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_config(config)
    assert said in describe(caught.value)
