"""The rows of a digest's tables: records of the cookbook, ready to be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reports.board import ZERO
from reports.figures import DASH, LONGEST_SENTENCE, bar, change, member_name, money, visible
from reports.quotas import quota_row
from reports.waste import words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal


def spend_row(record: dict[str, Any], most: Decimal) -> dict[str, Any]:
    """Return a member's cost."""
    unit = record["billing_currency"]
    return {
        "name": member_name(record["member_name"]),
        "note": "",
        "unit": visible(unit),
        "cost": money(record["effective_cost"], unit),
        "change": change(record["effective_cost"], record["previous_cost"]),
        "bar": bar(record["effective_cost"], most),
        "kind": "member",
    }


def summed_row(name: str, records: Sequence[dict[str, Any]], kind: str) -> dict[str, Any]:
    """Return records of one currency as one row; `kind` is nobody, more or total."""
    before = [one["previous_cost"] for one in records if one["previous_cost"] is not None]
    record = {
        "member_name": name,
        "billing_currency": records[0]["billing_currency"],
        "effective_cost": sum((one["effective_cost"] for one in records), ZERO),
        "previous_cost": sum(before, ZERO) if before else None,
    }
    return {**spend_row(record, ZERO), "kind": kind}


def work_row(record: dict[str, Any], most: Decimal) -> dict[str, Any]:
    """Return what the runs of a model or project cost."""
    unit = record["billing_currency"]
    runs, failed = record["run_count"], record["failed_count"]
    note = f"{runs} run{'' if runs == 1 else 's'}" + (f", {failed} failed" if failed else "")
    return {
        "name": visible(record["work"]),
        "note": note,
        "unit": visible(unit),
        "cost": money(record["effective_cost"], unit),
        "change": change(record["effective_cost"], record["previous_cost"]),
        "bar": bar(record["effective_cost"], most),
        "kind": "member",
    }


def moved_row(record: dict[str, Any]) -> dict[str, Any]:
    """Return what moved, with its reasons: the runs behind it."""
    unit, moved = record["billing_currency"], record["moved_cost"]
    return {
        "name": visible(record["work"]),
        "unit": visible(unit),
        "cost": f"{'+' if moved > 0 else ''}{money(moved, unit)}",
        "change": change(record["effective_cost"], record["previous_cost"]),
        "why": _why(record),
        "is_more": moved > 0,
    }


def _why(record: dict[str, Any]) -> str:
    now, before, unit = (
        record["run_count"],
        record["previous_run_count"],
        record["billing_currency"],
    )
    parts = [f"{now} run{'' if now == 1 else 's'}, before {before}"]
    if record["failed_count"]:
        parts.append(f"{record['failed_count']} failed for {money(record['failed_cost'], unit)}")
    if record["dearest_cost"]:
        who = f" by {visible(record['dearest_user'])}" if record["dearest_user"] else ""
        name = visible(record["dearest_run"] or DASH)
        parts.append(f"dearest {name}{who}: {money(record['dearest_cost'], unit)}")
    return "; ".join(parts)


def finding_row(record: dict[str, Any]) -> dict[str, Any]:
    """Return a finding with its evidence and its fix."""
    unit = record["billing_currency"]
    return {
        "name": visible(record["resource_name"] or record["resource_id"]),
        "what": words(record["detector"]),
        "owner": visible(record["owner_name"] or record["owner_team"] or DASH),
        "unit": visible(unit),
        "cost": money(record["monthly_waste"], unit),
        "evidence": visible(record["evidence"], LONGEST_SENTENCE),
        "fix": visible(record["fix"], LONGEST_SENTENCE),
    }


def quota_bar(record: dict[str, Any]) -> dict[str, Any]:
    """Return a quota with a bar of what is used."""
    row = quota_row(record)
    return {**row, "name": row["who"], "left": round(100 - row["bar"], 2)}
