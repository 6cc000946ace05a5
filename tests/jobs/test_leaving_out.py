"""What the config file takes back counts no more, and every night says so."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.jobs.nights import FOCUS, billed, configure, run, write_month

if TYPE_CHECKING:
    from pathlib import Path

LEFT_OUT = '\n[[left_out]]\nsource = "focus"\nunit = "2026-10"\nwhy = "a test export"\n'


def test_a_unit_counts_no_more_until_its_table_goes(home: Path) -> None:
    write_month(home / "bills", "2026-09", {1: "8"})
    configure(home, FOCUS + LEFT_OUT)
    first, second = run(home), run(home)
    for done in (first, second):
        assert done.returncode == 0, done.stderr
        told = "note: focus 2026-10 is left out (2 lines, 3.75 USD): a test export\n"
        assert told in done.stderr
    assert "nothing changed" in second.stderr
    assert billed(home) == Decimal(8)
    listed = run(home, "sources")
    assert "left out: focus 2026-10: the config file leaves it out: a test export" in listed.stdout
    configure(home, FOCUS)
    first, second = run(home), run(home)
    assert first.returncode == 0
    assert "note: focus 2026-10 counts again (2 lines, 3.75 USD)\n" in first.stderr
    assert "counts again" not in second.stderr
    assert billed(home) == Decimal("11.75")


def test_what_else_comes_of_the_unit_is_left_out_too(home: Path) -> None:
    configure(home, FOCUS + LEFT_OUT)
    write_month(home / "bills", "2026-10", {1: "1.25", 2: "2.5", 3: "4"})
    done = run(home)
    assert done.returncode == 0, done.stderr
    assert "focus 2026-10 is left out (3 lines, 7.75 USD): a test export" in done.stderr
    assert billed(home) == 0


def test_a_file_under_a_new_name_counts_once_its_old_unit_is_left_out(home: Path) -> None:
    old = home / "bills" / "2026-10.csv"
    old.unlink()
    write_month(home / "bills", "2026-10", {1: "1.25", 2: "2.5", 3: "4"})
    old.rename(old.with_name("bill.csv"))
    done = run(home)
    assert done.returncode == 1
    assert '[[left_out]] with source = "focus" and unit = "2026-10"' in done.stderr
    assert billed(home) == Decimal("3.75")

    configure(home, FOCUS + LEFT_OUT)
    done = run(home)
    assert done.returncode == 0, done.stderr
    assert billed(home) == Decimal("7.75")


def test_a_bill_that_two_sources_deliver_is_the_others(home: Path) -> None:
    write_month(home / "again", "2026-10", {1: "1.25", 2: "2.5", 3: "4"})
    both = FOCUS.replace("[connectors.focus]", "[[connectors.focus]]")
    both += '[[connectors.focus]]\nsource = "again"\nroot = "again"\n'
    configure(home, both)
    assert run(home).returncode == 1
    assert billed(home) == Decimal("3.75")
    configure(home, both + LEFT_OUT)
    done = run(home)
    assert done.returncode == 0, done.stderr
    assert billed(home) == Decimal("7.75")


def test_a_unit_that_nobody_has_delivered_is_told_with_the_nearest(home: Path) -> None:
    configure(home, FOCUS + LEFT_OUT.replace("2026-10", "2026-1O"))
    done = run(home)
    assert done.returncode == 0
    assert (
        'note: [[left_out]]: focus has landed nothing called "2026-1O"; did you mean 2026-10?\n'
    ) in done.stderr
    assert billed(home) == Decimal("3.75")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LEFT_OUT.replace("focus", "aws"), '"2026-10" of "aws" is left out, and there is no such'),
        (LEFT_OUT * 2, "left out once: focus 2026-10 is there twice"),
        (LEFT_OUT.replace("why", "because"), "left_out"),
        (LEFT_OUT.replace("a test export", ""), "why"),
    ],
)
def test_mistakes_are_told_before_anything_runs(home: Path, text: str, said: str) -> None:
    configure(home, FOCUS + text)
    done = run(home)
    assert done.returncode == 2
    assert said in done.stderr
