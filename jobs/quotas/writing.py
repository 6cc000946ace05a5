"""Writing where quotas stand, when a generation is published and when the config file changed."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from jobs.quotas.standing import FOLDER, newest_standings, path_of

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.config import Config
    from jobs.quotas.standing import Standings
    from queries.engines.duckdb import Connection

_ROWS = (
    "select quota, dimension, member, measure, window_kind, window_start, window_end, "
    "limit_amount, used_amount, forecast_amount, billing_currency, provisional_amount, state "
    "from marts.quotas order by quota, member"
)
_PRICES = (
    "select team, gpu_model, billing_currency, gpu_hours, effective_cost from marts.gpu_prices "
    "where gpu_hours > 0 order by all"
)
_TABLES = (
    "select source, table_name, coalesce(newest_unit, ''), is_stale, note from marts.freshness "
    "order by source, table_name"
)
_MEMBERS = "select distinct dimension, member from marts.members where dimension <> 'service'"
_TEAMS = "select distinct 'team' as dimension, team as member from staging.memberships"
_TEAM_OF = "select member, team from marts.members where dimension = 'user' and team is not null"
_TEAM_NOW = (
    "select user_id, min(team) from staging.memberships where team is not null "
    "and current_date >= coalesce(valid_from, date '0001-01-01') "
    "and current_date < coalesce(valid_to, date '9999-12-31') group by user_id"
)


def write_standings(config: Config, con: Connection, generation: str) -> None:
    """Write where quotas stand in a warehouse that was published as `generation`."""
    (as_of,) = con.execute("select newest_day from marts.covered_days").fetchall()[0]
    (open_books,) = con.execute(
        "select count(*) from marts.books where difference is distinct from 0"
    ).fetchall()[0]
    table = {
        "generation": generation,
        "as_of": None if as_of is None else as_of.isoformat(),
        "open_books": open_books,
        "rows": _texts(con, _ROWS),
        "prices": _texts(con, _PRICES),
        "tables": _texts(con, _TABLES),
        "members": _members(config, con),
        "teams": _teams(config, con),
        "dimensions": sorted(_dimensions(config)),
    }
    _write(config.state_dir, generation, {**table, **_settings(config)})


def bring_up_to_date(config: Config, generation: str) -> Standings | None:
    """Return the standings of the generation in force, with tonight's settings in them.

    They are read from the generation again where a night was killed before it wrote them; none
    where that shows people by other names, until the next one is published.
    """
    path = path_of(config.state_dir, generation)
    table = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"dimensions": []}
    if not _dimensions(config) <= set(table["dimensions"]) or "rows" not in table:
        if not config.privacy.is_open:
            return None
        from queries.read import open_generation  # noqa: PLC0415  (slow to import)

        with open_generation(config.state_dir / "generations" / f"{generation}.duckdb") as con:
            write_standings(config, con, generation)
        table = json.loads(path.read_text(encoding="utf-8"))
    fresh = {**table, **_settings(config)}
    if fresh != table:
        _write(config.state_dir, generation, fresh)
    return newest_standings(config.state_dir)


def _settings(config: Config) -> dict[str, Any]:
    return {
        "rules": [
            {
                "name": quota.name,
                "dimension": quota.dimension,
                "member": quota.member,
                "measure": quota.measure,
                "window": quota.window,
                "limit_amount": format(quota.limit, "f"),
                "billing_currency": quota.currency or None,
                "thresholds": [[format(each.share, "f"), each.do] for each in quota.thresholds],
            }
            for quota in config.quotas
        ],
        "gate": {
            "on_unknown": config.enforcement.gate_on_unknown,
            "lag_hours": config.enforcement.gate_lag_hours,
            "max_data_days": config.enforcement.max_data_days,
        },
    }


def _dimensions(config: Config) -> set[str]:
    """Return whose members quotas and levers speak of."""
    wanted: set[str] = {quota.dimension for quota in config.quotas}
    return wanted | {lever.dimension for lever in config.levers}


def _members(config: Config, con: Connection) -> dict[str, list[str]]:
    """Return everybody that quotas and levers may speak of; a team counts from its first member."""
    wanted = _dimensions(config)
    found: dict[str, set[str]] = {}
    for query in (_MEMBERS, *([_TEAMS] if _has_memberships(con) else [])):
        for dimension, member in con.execute(query).fetchall():
            if dimension in wanted and member is not None:
                found.setdefault(dimension, set()).add(member)
    return {dimension: sorted(members) for dimension, members in sorted(found.items())}


def _teams(config: Config, con: Connection) -> dict[str, str]:
    """Return user -> team, where quotas speak of teams: whoever starts work may not name theirs."""
    found: dict[str, str] = {}
    if "team" in _dimensions(config):
        for query in (_TEAM_OF, *([_TEAM_NOW] if _has_memberships(con) else [])):
            found.update(con.execute(query).fetchall())
    return dict(sorted(found.items()))


def _has_memberships(con: Connection) -> bool:
    """Tell whether this is a warehouse that was built tonight: a published one has marts alone."""
    asked = "select 1 from duckdb_schemas() where schema_name = 'staging'"
    return bool(con.execute(asked).fetchall())


def _texts(con: Connection, query: str) -> list[list[object]]:
    """Return rows as JSON holds them: amounts with every digit, as texts."""
    return [
        [value if isinstance(value, bool | None) else str(value) for value in row]
        for row in con.execute(query).fetchall()
    ]


def _write(state_dir: Path, generation: str, table: dict[str, Any]) -> None:
    """Put the file into its place in one step, and drop those of generations that are gone."""
    folder = state_dir / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    half = folder / f"half-{generation}.json"
    with half.open("w", encoding="utf-8") as file:
        json.dump(table, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    half.replace(path_of(state_dir, generation))
    for old in folder.glob("[0-9]*.json"):
        if not (state_dir / "generations" / f"{old.stem}.duckdb").exists():
            old.unlink()
