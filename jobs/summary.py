"""What a person sees when a night has ended: leaderboards, the proof, and where all of it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from queries.generation import newest_generation
from queries.read import open_generation, run_named
from reports.base import in_currency
from reports.terminal import (
    boards_of,
    invoice_lines,
    proof_lines,
    quota_lines,
    stale_lines,
    waste_line,
    write_boards,
)

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.config import Config
    from queries.engines.duckdb import Connection

_BOARDS = {"user": "Users", "team": "Teams", "model": "Models"}


def print_summary(config: Config, site: Path | None, out: TextIO) -> None:
    """Write the newest month's leaderboards and the proof line of every currency."""
    generation = newest_generation(config.state_dir)
    with open_generation(generation) as con:
        month, shown_in = _newest_month(con)
        for dimension, title in _BOARDS.items():
            columns, rows = run_named(con, "leaderboard", {"dimension": dimension, **shown_in})
            records = [dict(zip(columns, row, strict=True)) for row in rows]
            write_boards(boards_of(f"{title}, {month}", records, config.report.top), out)
        proof = proof_lines(_records(con, "books_proof"))
        invoices = _records(con, "invoices")
        quotas = _records(con, "quotas")
        stale = stale_lines(_records(con, "freshness"))
        waste = waste_line(_records(con, "waste_by_detector"))
    if quotas:
        out.write(f"\nQuotas, up to {quotas[0]['as_of_date']}:\n")
        out.writelines(f"  {line}\n" for line in quota_lines(quotas, config.report.top))
    if waste:
        out.write(f"\nWaste: {waste}\n")
    if stale:
        out.write("\nStale:\n")
        out.writelines(f"  {line}\n" for line in stale)
    out.write("\nThe books, by user:\n")
    out.writelines(f"  {line}\n" for line in proof)
    out.writelines(f"  {line}\n" for line in invoice_lines(invoices))
    out.write(f"\nDatabase: {generation}\n")
    if site is not None:
        out.write(f"Site:     {site}\n")


def _records(con: Connection, query: str) -> list[dict[str, object]]:
    columns, rows = run_named(con, query, {})
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _newest_month(con: Connection) -> tuple[str, dict[str, str]]:
    """Return the month that the leaderboards are about, and how to ask for their currency."""
    (covered,) = _records(con, "covered_days")
    newest = covered["newest_day"]
    shown_in = in_currency(str(covered["reporting_currency"] or ""))
    return f"{newest:%B %Y}" if newest else "no cost yet", shown_in
