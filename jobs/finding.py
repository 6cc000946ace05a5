"""`mlspend findings`: the newest generation's findings, with what people asked for since."""

from __future__ import annotations

import getpass
import json
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TextIO

from jobs.journal import Journal
from jobs.journal.findings import Findings
from queries.generation import newest_generation
from queries.hints import did_you_mean
from queries.read import open_generation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date
    from pathlib import Path

_HEADS: Final = ("id", "state", "detector", "owner", "a month", "what", "evidence")
_QUERY: Final = """
select
    findings.*,
    coalesce(members.member_name, findings.owner_user) as owner_name
from marts.findings
left join marts.members
    on members.dimension = 'user' and findings.owner_user = members.member
order by findings.monthly_waste desc, findings.finding_id
"""
Row = dict[str, object]


def print_findings(
    state_dir: Path, wanted: Mapping[str, str | None], out: TextIO, *, as_json: bool
) -> None:
    """Write the findings that have the wanted values, dearest first; the sum of what counts."""
    found = _findings(state_dir)
    rows = [
        row
        for row in found
        if all(value is None or row[column] == value for column, value in wanted.items())
    ]
    if as_json:
        out.write(json.dumps(rows, indent=1, default=str, ensure_ascii=False) + "\n")
        return
    if not rows:
        out.writelines(f"{line}\n" for line in _unknown(found, wanted))
        return
    _write_table([_HEADS, *(_cells(row) for row in rows)], out)
    totals = sorted(_totals(rows).items())
    out.writelines(
        f"\nopen and counted once: {total:,.2f} {currency} a month\n" for currency, total in totals
    )


def _unknown(found: Sequence[Row], wanted: Mapping[str, str | None]) -> Iterator[str]:
    """Yield why nothing is shown: what is asked for that no finding has, with the nearest."""
    yield "there is no such finding"
    for column, value in wanted.items():
        known = sorted({str(row[column]) for row in found if row[column] is not None})
        if column != "state" and value is not None and value not in known:
            hint = did_you_mean(value, known)
            yield f'none has the {column.removeprefix("owner_")} "{value}"{hint}'


def _findings(state_dir: Path) -> list[Row]:
    with open_generation(newest_generation(state_dir)) as con:
        cursor = con.execute(_QUERY)
        columns = [column[0] for column in cursor.description or ()]
        rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    with Journal(state_dir / "journal.sqlite") as journal:
        mutes = {mute.finding_id: mute for mute in Findings(journal).mutes()}
    for row in rows:
        mute = mutes.get(row["finding_id"])
        row["muted_until"] = mute and mute.muted_until
        row["muted_by"], row["muted_why"] = (mute.muted_by, mute.why) if mute else (None, None)
        if row["state"] in {"open", "muted"}:
            row["state"] = "muted" if mute and mute.muted_until > row["seen_date"] else "open"
    return rows


def _cells(row: Row) -> tuple[str, ...]:
    owner = " ".join(str(part) for part in (row["owner_team"], row["owner_name"]) if part)
    waste = row["verified_monthly_saving"] or row["monthly_waste"]
    more = f" (muted until {row['muted_until']} by {row['muted_by']}: {row['muted_why']})"
    return (
        str(row["finding_id"]),
        str(row["state"]) + ("" if row["is_counted"] or row["state"] != "open" else " *"),
        str(row["detector"]),
        owner or "nobody",
        f"{waste:,.2f} {row['billing_currency']}",
        str(row["resource_name"] or row["resource_id"]),
        f"{row['evidence']}{more if row['state'] == 'muted' else ''}",
    )


def _write_table(rows: Sequence[tuple[str, ...]], out: TextIO) -> None:
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEADS))]
    widths[-1] = 0
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        out.write("  ".join(cells).rstrip() + "\n")
    if any(row[1].endswith("*") for row in rows):
        out.write("* not counted: reported only, or a larger finding is about the same dollars\n")


def _totals(rows: Sequence[Row]) -> dict[str, Decimal]:
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        if row["state"] == "open" and row["is_counted"]:
            totals[str(row["billing_currency"])] += Decimal(str(row["monthly_waste"]))
    return totals


def mute_finding(state_dir: Path, finding: str, until: date, why: str) -> str:
    """Enter that somebody does not want to hear of a finding; return its id."""
    with Journal(state_dir / "journal.sqlite") as journal:
        return Findings(journal).mute(finding, until, getpass.getuser(), why)


def unmute_finding(state_dir: Path, finding: str) -> str:
    """Enter that a finding counts again; return its id."""
    with Journal(state_dir / "journal.sqlite") as journal:
        return Findings(journal).unmute(finding)
