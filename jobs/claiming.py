"""`mlspend claim`: who takes what nobody owned, with a trail of who said so, when and why."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, TextIO

import click

from jobs.journal import Journal
from jobs.journal.claims import Claims
from queries import ModelError
from queries.answers import TableAnswer
from queries.claims import Claim
from queries.hints import did_you_mean
from queries.read import newest_generation, open_generation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date
    from pathlib import Path

    from jobs.journal.claims import Made

_OWNERS = {"team": "team", "user": "user_id", "project": "project"}
_MATCHES = ("source", "sub_account_id", "service_name", "resource_id")


def made_of(given: Mapping[str, str | None], first: date | None, last: date | None) -> Claim:
    """Return the claim that options make: owner, globs, days.

    Raises: click.UsageError for one that gives no owner, matches everything, or never holds.
    """
    owners = {column: given[name] for name, column in _OWNERS.items() if given[name]}
    globs = {f"match_{name}": given[name] for name in _MATCHES if given[name]}
    if given["tag"]:
        key, sign, value = given["tag"].partition("=")
        if not (key and sign and value):
            raise click.UsageError(f'"{given["tag"]}" is no tag: write KEY=GLOB')
        globs |= {"match_tag_key": key, "match_tag_value": value}
    if not owners:
        raise click.UsageError("a claim is somebody's: give --team, --user or --project")
    if not globs:
        raise click.UsageError("a claim is of something: give --resource-id, --tag or another glob")
    if first and last and first >= last:
        raise click.UsageError(f"--until {last} is not after --from {first}")
    return Claim(0, valid_from=first, valid_to=last, **owners, **globs)


def enter_claim(state_dir: Path, claim: Claim, why: str) -> int:
    """Enter a claim in the journal; return its number."""
    with Journal(state_dir / "journal.sqlite") as journal:
        return Claims(journal).make(claim, why)


def unheard_of(state_dir: Path, claim: Claim) -> Iterator[str]:
    """Yield the team and the project of a claim that have had no cost so far, with the nearest.

    That is no mistake of a new team's; it is one of whoever misspelt an old one.
    """
    try:
        generation = newest_generation(state_dir)
    except ModelError:
        return  # before the first night nobody has had any
    with open_generation(generation) as con:
        for dimension, member in (("team", claim.team), ("project", claim.project)):
            rows = con.execute(
                "select distinct member from marts.spend_daily where dimension = $1", [dimension]
            ).fetchall()
            known = sorted(str(row[0]) for row in rows)
            if member and member not in known:
                hint = did_you_mean(member, known)
                yield f'the {dimension} "{member}" has had no cost so far{hint}'


def withdraw_claim(state_dir: Path, number: int, why: str) -> None:
    """End a claim.

    Raises: JournalError where there is no such claim in force.
    """
    with Journal(state_dir / "journal.sqlite") as journal:
        Claims(journal).withdraw(number, why)


def print_claims(state_dir: Path, out: TextIO, *, as_json: bool) -> None:
    """Write every claim there ever was, by number."""
    with Journal(state_dir / "journal.sqlite") as journal:
        claims = Claims(journal).all()
    if as_json:
        rows = [asdict(made) for made in claims]
        out.write(json.dumps(rows, indent=1, default=str, ensure_ascii=False) + "\n")
        return
    heads = ("claim", "owner", "of", "days", "why", "made", "withdrawn")
    TableAnswer(out).write(heads, [_cells(made) for made in claims])


def _cells(made: Made) -> list[str]:
    claim = made.claim
    owner = " ".join(filter(None, (claim.team, claim.user_id, claim.project)))
    globs = {f.name.removeprefix("match_"): getattr(claim, f.name) for f in fields(claim)}
    of = [f"{name}={globs[name]}" for name in _MATCHES if globs[name]]
    if claim.match_tag_key:
        of.append(f"tag {claim.match_tag_key}={claim.match_tag_value}")
    days = f"{claim.valid_from or ''}..{claim.valid_to or ''}"
    ended = f"{made.withdrawn_by}, {made.withdrawn_at}: {made.withdrawn_why}"
    return [
        str(claim.claim_id),
        owner,
        " ".join(of),
        days,
        made.why,
        f"{made.made_by}, {made.made_at}",
        ended if made.withdrawn_at else "",
    ]
