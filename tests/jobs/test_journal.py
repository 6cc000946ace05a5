"""The journal keeps what is entered, exactly, and refuses what it cannot understand."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from jobs.errors import describe
from jobs.journal import VERSION, Journal, JournalError
from jobs.ledger import LedgerTotal, NewDelivery, Restatement, StoredFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT = datetime(2026, 11, 3, 4, 15, 0, 250)  # noqa: DTZ001  (UTC without a zone)


def delivery(version: str = "v1") -> NewDelivery:
    """Return a delivery of one file."""
    file = StoredFile("ab" * 32, 12, "part-0.csv", "csv", "aws/lines/2026-10/abab.csv")
    return NewDelivery("aws", "aws_cur", "lines", "2026-10", version, AT, "c1", (file,), 3)


def total(amount: str, beyond: str = "0") -> LedgerTotal:
    """Return a total."""
    return LedgerTotal(
        provider="AWS",
        billing_account_id="000123",
        billing_period="2026-10",
        charge_month="2026-09",
        billing_currency="USD",
        measure="billed_cost",
        rows=3,
        amount=Decimal(amount),
        beyond=Decimal(beyond),
        blank=2,
    )


def restatement() -> Restatement:
    """Return a restatement."""
    return Restatement(
        source="aws",
        unit="2026-10",
        charge_month="2026-10",
        billing_currency="USD",
        measure="billed_cost",
        before=Decimal("-1E-12"),
        after=Decimal("99999999999999999999999999.999999999999"),
        at=AT,
        was_open=False,
        why="late credits",
    )


def test_what_is_entered_comes_back_exactly_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    totals = [total("12345678901234567890.123456789012", "0.0000000000001"), total("-0.10")]
    with Journal(path) as journal:
        identity = journal.enter(delivery(), totals, [restatement()])
    with Journal(path) as journal:
        (entry,) = journal.deliveries()
        assert (entry.id, entry.files, entry.version_at) == (identity, delivery().files, AT)
        assert (entry.state, entry.cursor, entry.row_count) == ("landed", "c1", 3)
        assert journal.totals_of(identity) == totals
        assert journal.totals() == {identity: totals}
        assert journal.restatements() == [restatement()]
        assert journal.versions("aws", "lines", "2026-10") == [entry]
        assert journal.versions("aws", "lines", "2026-09") == []


def test_a_delivery_is_entered_with_its_totals_or_not_at_all(tmp_path: Path) -> None:
    def totals_that_break() -> Iterator[LedgerTotal]:
        yield total("1")
        raise RuntimeError

    with Journal(tmp_path / "journal.sqlite") as journal:
        with pytest.raises(RuntimeError):
            journal.enter(delivery(), totals_that_break(), [])
        assert journal.deliveries() == []
        assert journal.totals() == {}


def test_a_journal_of_a_newer_mlspend_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    Journal(path).close()
    with sqlite3.connect(path) as con:
        con.execute(f"pragma user_version = {VERSION + 1}")
    con.close()
    with pytest.raises(JournalError) as caught:
        Journal(path)
    assert f"of version {VERSION + 1}, this mlspend knows {VERSION}" in describe(caught.value)


def test_a_file_that_is_no_journal_is_refused_with_a_way_out(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(JournalError) as caught:
        Journal(path)
    assert "mlspend restore" in describe(caught.value)
    assert path.read_bytes().startswith(b"not a database")


def test_commits_wait_for_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with Journal(path) as journal:
        journal.begin_night("nightly")
        assert journal.durability() == ("wal", 2)


def test_a_night_that_was_killed_has_no_end(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with Journal(path) as journal:
        journal.begin_night("nightly")
    with Journal(path) as journal:
        second = journal.begin_night("nightly")
        journal.end_night(second, "published", "000001", ["one", "two"])
        first_night, second_night = journal.nights()
        assert (first_night.ended_at, first_night.outcome) == (None, None)
        assert second_night.ended_at is not None
        assert (second_night.outcome, second_night.problems) == ("published", "one\ntwo")


def test_verdicts_and_collection_are_kept(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.sqlite") as journal:
        first = journal.enter(delivery("v1"), [], [])
        second = journal.enter(delivery("v2"), [], [])
        journal.judge([(first, "quarantined", "twice", "digest")])
        journal.mark_collected([second])
        one, two = journal.deliveries()
        assert (one.state, one.reason, one.refused_by) == ("quarantined", "twice", "digest")
        assert (two.state, one.is_collected, two.is_collected) == ("landed", False, True)
