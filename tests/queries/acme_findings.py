"""The made-up company's findings: of every state, counted and not, of somebody and of nobody."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

COLUMNS = (
    "finding_id varchar, detector varchar, resource_id varchar, resource_name varchar, "
    "provider varchar, region_id varchar, owner_user varchar, owner_team varchar, since date, "
    "monthly_waste decimal(38, 12), billing_currency varchar, confidence varchar, "
    "evidence varchar, fix varchar, conflict_key varchar, is_counted boolean, state varchar, "
    "opened_date date, seen_date date, muted_until date, resolved_date date, "
    "verified_monthly_saving decimal(38, 12)"
)


def finding_rows(newest: date) -> list[tuple[object, ...]]:
    """Return the findings as they stand on the newest day of the bill."""
    return [
        _row(newest, number, *finding)
        for number, finding in enumerate(
            (
                ("unallocated_gpu_nodes", "i-0aa", None, "4119.82", "USD", "open", True),
                ("dead_gpus", "forge/lab/stuck-loader", "vision", "903.5", "USD", "open", True),
                ("parked_gpus", "forge/lab/jupyter", "language", "712.25", "USD", "open", True),
                ("underused_gpus", "forge/lab/slow", "language", "310", "USD", "open", False),
                ("failed_runs", "speech / e / error", "speech", "263.57", "EUR", "open", True),
                ("orphaned_snapshots", "snap-0b", "vision", "746.21", "USD", "muted", True),
                ("unattached_volumes", "vol-0c", "search", "61", "USD", "resolved", True),
                ("unattached_volumes", "vol-0d", None, "120", "USD", "verified", True),
            )
        )
    ]


def _row(  # noqa: PLR0913, PLR0917 - a finding has that many columns
    newest: date,
    number: int,
    detector: str,
    resource: str,
    team: str | None,
    waste: str,
    currency: str,
    state: str,
    is_counted: bool,  # noqa: FBT001
) -> tuple[object, ...]:
    is_gone = state in {"resolved", "verified"}
    gone = newest - timedelta(days=30 if state == "verified" else 3)
    return (
        f"{number:016x}",
        detector,
        resource,
        resource.rpartition("/")[2],
        "Microsoft" if currency == "EUR" else "AWS",
        "us-east-1",
        "u001" if team == "vision" else None,
        team,
        newest - timedelta(days=40),
        Decimal(waste),
        currency,
        "high",
        f"{resource} does nothing",
        "put it away",
        f"thing {number}",
        is_counted,
        state,
        newest - timedelta(days=2 * number),
        gone - timedelta(days=1) if is_gone else newest,
        newest + timedelta(days=30) if state == "muted" else None,
        gone if is_gone else None,
        Decimal(waste) if state == "verified" else None,
    )
