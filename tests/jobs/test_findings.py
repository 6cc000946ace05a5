"""The life of findings over several nights, and the command that lists and mutes them."""

from __future__ import annotations

import json
import shutil
import sqlite3
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from jobs.journal import Journal, JournalError
from jobs.journal.findings import Findings
from queries.detecting import Finding
from tests.jobs.nights import configure, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEADER = (
    "BilledCost,EffectiveCost,ListCost,ContractedCost,BillingCurrency,BillingAccountId,"
    "BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,"
    "ChargeFrequency,ServiceName,ServiceCategory,ProviderName,ResourceId,SkuMeter,Tags\n"
)
FIRST = date(2026, 7, 1)


def write_bills(home: Path, days: int, snapshot_days: int | None = None) -> None:
    """Write FOCUS bills from July on: a machine of 1 a day, and for some days a snapshot of 2."""
    months: dict[str, list[str]] = {}
    for number in range(days):
        day = FIRST + timedelta(days=number)
        first = day.replace(day=1)
        end = (first + timedelta(days=31)).replace(day=1)
        things = [("1", "i-1", "Box usage")]
        if number < (days if snapshot_days is None else snapshot_days):
            things.append(("2", "snap-1", "Snapshot"))
        months.setdefault(f"{day:%Y-%m}", []).extend(
            f"{cost},{cost},{cost},{cost},USD,111,{first}T00:00:00Z,{end}T00:00:00Z,"
            f"{day}T00:00:00Z,{day + timedelta(days=1)}T00:00:00Z,Usage,Usage-Based,"
            f"Some Service,Storage,Clouds,{name},{meter},{{}}\n"
            for cost, name, meter in things
        )
    (home / "bills").mkdir(exist_ok=True)
    for month, lines in months.items():
        (home / "bills" / f"{month}.csv").write_text(HEADER + "".join(lines), encoding="utf-8")


def listed(home: Path, *args: str) -> list[dict[str, str]]:
    """Return what the command lists."""
    done = run(home, "findings", "--json", *args)
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, str]] = json.loads(done.stdout)
    return rows


def night(home: Path) -> None:
    """Run a night that ends well."""
    done = run(home, "nightly", "--date", "2026-10-03")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def after_one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a company whose snapshot has been billed for 70 days, after a night."""
    home = tmp_path_factory.mktemp("one")
    configure(home, '[connectors.focus]\nroot = "bills"\n')
    write_bills(home, 70)
    night(home)
    return home


@pytest.fixture
def home(after_one: Path, tmp_path: Path) -> Path:
    """Return a copy of it."""
    return shutil.copytree(after_one, tmp_path / "home")


def test_a_finding_lives_from_night_to_night(home: Path) -> None:
    """Opened, still open, gone, and verified by the bill: told by the nights alone."""
    (found,) = listed(home)
    assert (found["detector"], found["resource_id"]) == ("forgotten_snapshots", "snap-1")
    assert Decimal(found["monthly_waste"]) == Decimal("60.875")
    opened = str(FIRST + timedelta(days=69))
    assert (found["state"], found["opened_date"]) == ("open", opened)

    write_bills(home, 72)
    night(home)
    (still,) = listed(home)
    assert (still["finding_id"], still["opened_date"]) == (found["finding_id"], opened)
    assert still["seen_date"] == str(FIRST + timedelta(days=71))

    write_bills(home, 76, 72)
    night(home)
    (gone,) = listed(home, "--state", "all")
    assert (gone["state"], gone["resolved_date"]) == ("resolved", str(FIRST + timedelta(days=75)))
    assert listed(home) == []

    write_bills(home, 84, 72)
    night(home)
    (verified,) = listed(home, "--state", "verified")
    assert Decimal(verified["verified_monthly_saving"]) == Decimal("60.875")


def test_mutes_count_at_once_and_the_next_night_publishes_them(home: Path) -> None:
    (found,) = listed(home)
    finding = found["finding_id"]
    done = run(home, "findings", "mute", finding[:6], "--until", "2027-01-01", "--why", "we know")
    assert done.returncode == 0, done.stderr

    assert listed(home) == []
    (muted,) = listed(home, "--state", "muted")
    assert (muted["muted_until"], muted["muted_why"]) == ("2027-01-01", "we know")

    before = run(home, "sql", "--csv", "select state from marts.findings").stdout.split()[-1]
    night(home)
    after = run(home, "sql", "--csv", "select state from marts.findings").stdout.split()[-1]
    assert (before, after) == ("open", "muted")

    assert run(home, "findings", "unmute", finding).returncode == 0
    assert [row["state"] for row in listed(home)] == ["open"]
    again = run(home, "findings", "unmute", finding)
    assert (again.returncode, "is not muted" in again.stderr) == (1, True)


def test_what_earlier_nights_found_is_no_reason_to_build(home: Path) -> None:
    """The night after the first finds its findings in the journal, and builds nothing."""
    done = run(home, "nightly", "--date", "2026-10-03")

    assert "nothing changed: nothing built, nothing published" in done.stderr


def test_a_night_killed_before_it_entered_its_findings_is_made_good(home: Path) -> None:
    """Whether the next night has anything to build or not."""
    wanted = entered(home)
    assert len(wanted) == 1
    with sqlite3.connect(home / "state" / "journal.sqlite") as con:
        con.execute("delete from findings")
        con.execute("delete from finding_generations")
        con.execute("update night_runs set inputs = '', ended_at = null, outcome = null")
    night(home)
    assert entered(home) == wanted

    with sqlite3.connect(home / "state" / "journal.sqlite") as con:
        con.execute("delete from findings")
        con.execute("delete from finding_generations")
    write_bills(home, 72)
    night(home)
    (row,) = entered(home)
    assert row.opened_date == wanted[0].opened_date


def entered(home: Path) -> list[Finding]:
    """Return the findings of the journal."""
    with Journal(home / "state" / "journal.sqlite") as journal:
        return Findings(journal).known()


def test_a_detector_that_is_switched_off_leaves_its_findings_as_they_were(home: Path) -> None:
    base = '[connectors.focus]\nroot = "bills"\n'
    wanted = entered(home)
    configure(home, base + "[detectors.forgotten_snapshots]\nis_enabled = false\n")
    night(home)
    assert listed(home, "--state", "all") == []
    assert entered(home) == wanted

    configure(home, base + "[detectors.forgotten_snapshots]\nmin_waste = 61\n")
    night(home)
    assert [row["state"] for row in listed(home, "--state", "all")] == ["resolved"]


def test_the_table_names_what_counts(home: Path) -> None:
    done = run(home, "findings", "--detector", "forgotten_snapshots")

    assert "billed on 70 of the last 92 days" in done.stdout
    assert "open and counted once: 60.88 USD a month" in done.stdout
    unknown = run(home, "findings", "--detector", "forgoten_snapshots").stdout
    assert unknown == (
        "there is no such finding\n"
        'none has the detector "forgoten_snapshots"; did you mean "forgotten_snapshots"?\n'
    )
    assert run(home, "findings", "--team", "vision", "--json").stdout == "[]\n"


@pytest.fixture
def findings(tmp_path: Path) -> Iterator[Findings]:
    """Return the findings of an empty journal."""
    with Journal(tmp_path / "journal.sqlite") as journal:
        yield Findings(journal)


def finding(finding_id: str, **more: object) -> Finding:
    """Return a finding."""
    values: dict[str, object] = {
        "finding_id": finding_id,
        "detector": "d",
        "resource_id": "r",
        "resource_name": None,
        "provider": "AWS",
        "region_id": None,
        "owner_user": None,
        "owner_team": "vision",
        "since": date(2026, 9, 1),
        "monthly_waste": Decimal("12345678901234567890.000000000001"),
        "billing_currency": "USD",
        "confidence": "high",
        "evidence": "e",
        "conflict_key": "k",
        "fix": "f",
        "opened_date": date(2026, 10, 1),
        "seen_date": date(2026, 10, 2),
        "resolved_date": None,
        "verified_monthly_saving": None,
        "muted_until": None,
    }
    return Finding(**(values | more))  # type: ignore[arg-type]


def test_what_is_entered_comes_back_exactly_and_twice_is_once(findings: Findings) -> None:
    rows = [finding("aa"), finding("ab", resolved_date=date(2026, 10, 3))]
    findings.enter("000001", rows)
    findings.enter("000001", rows)

    assert findings.known() == rows
    assert findings.is_entered("000001")
    assert not findings.is_entered("000002")


def test_an_entry_that_breaks_off_leaves_nothing(findings: Findings) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        findings.enter("000001", [finding("aa"), finding("ab", evidence=None)])

    assert findings.known() == []
    assert not findings.is_entered("000001")


def test_a_later_night_changes_what_is_known_and_no_mute(findings: Findings) -> None:
    findings.enter("000001", [finding("aa")])
    findings.mute("aa", date(2026, 12, 1), "ada", "known")
    findings.enter("000002", [finding("aa", monthly_waste=Decimal(7))])

    assert findings.known() == [
        finding("aa", monthly_waste=Decimal(7), muted_until=date(2026, 12, 1))
    ]


@pytest.mark.parametrize(
    ("beginning", "until", "wanted"),
    [
        ("a", date(2026, 12, 1), "more than one finding"),
        ("", date(2026, 12, 1), "more than one finding"),
        ("zz", date(2026, 12, 1), "no finding has an id"),
        ("aa", date(2026, 10, 2), "is not after 2026-10-02"),
    ],
)
def test_a_mute_that_cannot_be_is_refused(
    findings: Findings, beginning: str, until: date, wanted: str
) -> None:
    findings.enter("000001", [finding("aa"), finding("ab")])

    with pytest.raises(JournalError, match=wanted):
        findings.mute(beginning, until, "ada", "why")
