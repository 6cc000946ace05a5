"""What people have claimed of the spend that nobody owned, as the models read it: `raw.claims`."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from queries.engines.duckdb import Connection

COLUMNS = {
    "claim_id": "integer",
    "user_id": "varchar",
    "team": "varchar",
    "project": "varchar",
    "match_source": "varchar",
    "match_sub_account_id": "varchar",
    "match_service_name": "varchar",
    "match_resource_id": "varchar",
    "match_tag_key": "varchar",
    "match_tag_value": "varchar",
    "valid_from": "date",
    "valid_to": "date",
}


@dataclass(frozen=True, slots=True)
class Claim:
    """Who takes which lines, where nothing else says whose they are."""

    claim_id: int
    user_id: str | None = None
    team: str | None = None
    project: str | None = None
    match_source: str | None = None
    """Globs; none matches everything."""
    match_sub_account_id: str | None = None
    match_service_name: str | None = None
    match_resource_id: str | None = None
    match_tag_key: str | None = None
    match_tag_value: str | None = None
    valid_from: date | None = None
    """Inclusive; none: always."""
    valid_to: date | None = None
    """Exclusive; none: for ever."""


def create_claims(con: Connection, claims: Sequence[Claim]) -> None:
    """Create the table of claims."""
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    con.execute(f"create or replace table raw.claims ({columns})")
    if claims:
        marks = ", ".join("?" for _ in COLUMNS)
        con.executemany(
            f"insert into raw.claims values ({marks})", [astuple(claim) for claim in claims]
        )
