"""One invoice from two sources counts once: the source that landed it first keeps it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from jobs.duplicates import find_duplicates
from jobs.ledger import Entry, LedgerTotal, StoredFile


class Ledger:
    """Deliveries and totals, entered in order."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.totals: dict[int, list[LedgerTotal]] = {}

    def enter(self, source: str, unit: str, day: int, *bills: tuple[str, str]) -> int:
        """Enter a delivery of the day that bills (account, period) each."""
        identity = len(self.entries) + 1
        at = datetime(2026, 11, day)  # noqa: DTZ001  (UTC without a zone)
        entry = Entry(
            source=source,
            connector="focus",
            table="lines",
            unit=unit,
            version=f"v{identity}",
            version_at=at,
            cursor=None,
            files=(StoredFile(f"{identity:064}", 1, "f", "csv", "p"),),
            row_count=None,
            id=identity,
            landed_at=at,
            state="landed",
            reason="",
            refused_by="",
            is_collected=False,
        )
        self.entries.append(entry)
        self.totals[identity] = [
            LedgerTotal(
                "AWS", account, period, period, "USD", "billed_cost", 1, Decimal(1), Decimal(0)
            )
            for account, period in bills
        ]
        return identity

    def refused(self) -> set[int]:
        """Return the deliveries that do not count."""
        return set(find_duplicates(self.entries, self.totals))


def test_the_second_source_of_a_bill_is_left_out_and_both_are_named() -> None:
    ledger = Ledger()
    ledger.enter("cur", "2026-10", 1, ("1", "2026-10"))
    second = ledger.enter("focus", "2026-10", 1, ("1", "2026-10"), ("2", "2026-10"))
    (reason,) = find_duplicates(ledger.entries, ledger.totals).values()
    assert ledger.refused() == {second}
    assert '"cur" and "focus" both deliver the AWS bill of account 1 for 2026-10' in reason


def test_sources_may_hand_over_at_a_months_edge() -> None:
    ledger = Ledger()
    ledger.enter("cur", "2026-10", 1, ("1", "2026-10"))
    ledger.enter("focus", "2026-11", 1, ("1", "2026-11"))
    assert ledger.refused() == set()


def test_one_source_may_bill_an_invoice_in_several_units() -> None:
    ledger = Ledger()
    ledger.enter("bq", "2026-10-01", 1, ("1", "2026-10"))
    ledger.enter("bq", "2026-10-02", 2, ("1", "2026-10"))
    other = ledger.enter("focus", "2026-10", 3, ("1", "2026-10"))
    ledger.enter("bq", "2026-10-01", 4)
    assert ledger.refused() == {other}


def test_different_accounts_and_months_do_not_clash() -> None:
    ledger = Ledger()
    ledger.enter("a", "2026-10", 1, ("1", "2026-10"))
    ledger.enter("b", "2026-10", 1, ("2", "2026-10"))
    assert ledger.refused() == set()


def test_a_restated_bill_stays_with_its_source_though_it_landed_later() -> None:
    ledger = Ledger()
    ledger.enter("cur", "2026-10", 1, ("1", "2026-10"))
    second = ledger.enter("focus", "2026-10", 2, ("1", "2026-10"))
    ledger.enter("cur", "2026-10", 3, ("1", "2026-10"))
    assert ledger.refused() == {second}


def test_a_version_that_takes_in_anothers_bill_is_refused_and_its_last_good_one_stays() -> None:
    ledger = Ledger()
    ledger.enter("cur", "2026-10", 1, ("1", "2026-10"))
    ledger.enter("focus", "2026-10", 1, ("2", "2026-10"))
    grown = ledger.enter("cur", "2026-10", 2, ("1", "2026-10"), ("2", "2026-10"))
    assert ledger.refused() == {grown}


def test_a_bill_given_up_by_a_newer_version_is_free_for_another_source() -> None:
    ledger = Ledger()
    ledger.enter("cur", "2026-10", 1, ("1", "2026-10"), ("2", "2026-10"))
    ledger.enter("cur", "2026-10", 2, ("1", "2026-10"))
    ledger.enter("focus", "2026-10", 3, ("2", "2026-10"))
    assert ledger.refused() == set()


def test_an_older_version_that_arrives_late_claims_nothing() -> None:
    ledger = Ledger()
    ledger.enter("cur", "2026-10", 3, ("1", "2026-10"))
    ledger.enter("cur", "2026-10", 2, ("1", "2026-10"), ("2", "2026-10"))
    ledger.enter("focus", "2026-10", 4, ("2", "2026-10"))
    assert ledger.refused() == set()


def test_the_verdict_is_withdrawn_when_the_other_source_leaves_the_config() -> None:
    ledger = Ledger()
    ledger.enter("cur", "2026-10", 1, ("1", "2026-10"))
    ledger.enter("focus", "2026-10", 2, ("1", "2026-10"))
    left = [entry for entry in ledger.entries if entry.source == "focus"]
    assert find_duplicates(left, ledger.totals) == {}
