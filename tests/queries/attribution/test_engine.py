"""The models in the real runner: what changed is attributed anew, and nothing else."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from queries.build import BuildInput, Built, Settings
from queries.build import build as build_night
from queries.catalog import Model, canonical_columns, in_order, models, read_model
from queries.engines.duckdb import Limits
from queries.landed import Landed, LandedFile
from queries.totals import RawTotal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from queries.manifest import Manifest
    from tests.queries.attribution.conftest import Draw, Row

NOW = datetime(2026, 11, 2)  # noqa: DTZ001 - raw times are UTC without a zone
KINDS = {
    "TEXT": "text",
    "DATE": "time",
    "TIMESTAMP": "time",
    "BOOLEAN": "flag",
    "INT": "integer",
    "BIGINT": "integer",
}


@dataclass(frozen=True)
class Canonical:
    """A canonical table, delivered as it is."""

    name: str
    columns: Mapping[str, str]
    is_bill: bool
    maps: Mapping[str, str] = field(default_factory=dict)
    rename: Callable[[str], str] | None = None
    aliases: Mapping[str, Sequence[str]] = field(default_factory=dict)
    of_file: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    month_first: bool = False
    null_marks: Sequence[str] = ("",)


def kind_of(sql_type: str) -> str:
    """Return the raw type that a canonical column is delivered in."""
    return "tags" if sql_type.startswith("MAP") else KINDS.get(sql_type, "number")


def raw_tables() -> dict[str, Canonical]:
    """Return each canonical table as something a source delivers."""
    tables = {}
    for name, columns in canonical_columns().items():
        table = name.removeprefix("staging.")
        kinds = {column: kind_of(kind) for column, kind in columns.items()}
        tables[table] = Canonical(table, kinds, is_bill=table == "cost_lines")
    return tables


def staged_models(folder: Path) -> tuple[Model, ...]:
    """Return the models of attribution and marts, over staging that only casts."""
    found = [model for model in models() if model.layer != "staging"]
    for canonical, columns in canonical_columns().items():
        table = canonical.removeprefix("staging.")
        daily = "-- partition: charge_date\n" if table in ("cost_lines", "pod_hours") else ""
        casts = ", ".join(f"cast({name} as {kind}) as {name}" for name, kind in columns.items())
        path = folder / "staging" / f"test__{table}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = (
            f"-- As delivered.\n{daily}-- feeds: {table}\nselect {casts} from raw.test__{table}\n"
        )
        path.write_text(text, encoding="utf-8")
        found.append(read_model(path))
    return in_order(found)


@dataclass
class Company:
    """What a company's sources hold, and the nights built from it."""

    folder: Path
    tables: dict[str, list[Row]]
    previous: Manifest | None = None
    memory: str = "1500MB"

    def night(self) -> Built | None:
        given = BuildInput(
            tables={"test": raw_tables()},
            landed=[delivery for table in self.tables for delivery in self.land(table)],
            totals=self.totals(),
            settings=Settings(),
            limits=Limits(self.memory, threads=1, spill=self.folder / "tmp"),
            lake=self.folder / "lake",
            previous=self.previous,
            progress=lambda _: None,
            models=staged_models(self.folder),
        )
        built = build_night(given)
        if built is not None:
            self.previous = built.manifest
        return built

    def land(self, table: str) -> list[Landed]:
        """Return the table as deliveries; the bill is one for each month of use."""
        months: dict[str, list[Row]] = {}
        for row in self.tables[table]:
            month = f"{row['charge_date']:%Y-%m}" if table == "cost_lines" else "2026-10"
            months.setdefault(month, []).append(row)
        return [self.land_unit(table, unit, rows) for unit, rows in sorted(months.items())]

    def land_unit(self, table: str, unit: str, rows: list[Row]) -> Landed:
        path = self.folder / f"{table}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(canonical_columns()[f"staging.{table}"]))
            writer.writeheader()
            writer.writerows(
                {key: json.dumps(value) if key == "tags" else value for key, value in row.items()}
                for row in rows
            )
        digest = sha256(path.read_bytes()).hexdigest()
        kept = path.rename(self.folder / f"{digest}.csv")
        file_landed = LandedFile(kept, path.name, "csv", digest)
        return Landed("acme", "test", table, unit, digest, NOW, (file_landed,), NOW)

    def totals(self) -> list[tuple[str, RawTotal]]:
        sums: dict[tuple[str, str, str], Decimal] = {}
        for line in self.tables["cost_lines"]:
            months = (f"{line['billing_period']:%Y-%m}", f"{line['charge_date']:%Y-%m}")
            for measure in ("effective_cost", "billed_cost"):
                key = (*months, measure)
                sums[key] = sums.get(key, Decimal(0)) + line[measure]
        return [
            ("aws", RawTotal("AWS", "1", period, month, "USD", measure, 1, cost, Decimal(0)))
            for (period, month, measure), cost in sums.items()
        ]


def on_day(row: Row, days: int) -> Row:
    """Return a row moved by some days."""
    later = timedelta(days=days)
    return {
        key: value + later if isinstance(value, datetime) or key == "charge_date" else value
        for key, value in row.items()
    }


@pytest.fixture
def company(tmp_path: Path, draw: type[Draw]) -> Company:
    """Return three days of a machine, on each of which a run holds it for half an hour."""
    runs = [on_day(draw.run(f"run-{day}", 0, 0.5, user_raw="ada"), day) for day in range(3)]
    return Company(
        tmp_path,
        {
            "cost_lines": [on_day(draw.machine(10), day) for day in range(3)],
            "runs": runs,
            "run_places": [{"run_key": run["run_key"], "instance_id": "i-1"} for run in runs],
            "memberships": [{"user_id": "ada", "team": "vision"}],
        },
    )


def spend(built: Built | None, dimension: str) -> dict[str, Any]:
    assert built is not None
    rows = built.con.execute(
        "select member, sum(effective_cost) from marts.spend_daily where dimension = ? group by 1",
        [dimension],
    ).fetchall()
    return dict(rows)


def test_a_change_to_a_run_re_attributes_its_days_alone(company: Company) -> None:
    first = company.night()
    assert first is not None
    assert first.days == 3
    assert spend(first, "user") == {"ada": Decimal(15), "(idle)": Decimal(15)}

    company.tables["runs"][1]["user_raw"] = "bob"
    second = company.night()
    assert second is not None
    assert second.days == 1
    assert spend(second, "user") == {
        "ada": Decimal(10),
        "bob": Decimal(5),
        "(idle)": Decimal(15),
    }


def test_a_change_of_team_re_attributes_nothing_and_shows_all_the_same(company: Company) -> None:
    company.night()
    company.tables["memberships"] = [{"user_id": "ada", "team": "speech"}]
    company.tables["people"] = [{"user_id": "ada", "user_name": "Ada"}]
    built = company.night()

    assert built is not None
    assert built.days == 0
    assert spend(built, "team") == {"speech": Decimal(15), "(idle)": Decimal(15)}


def test_the_runner_gives_what_the_models_give_together(
    company: Company, build: Callable[..., Any]
) -> None:
    """Day by day through the lake, or all at once in memory."""
    by_day = company.night()
    at_once = build(company.tables)

    assert by_day is not None
    query = "select * from marts.spend_daily order by all"
    assert by_day.con.execute(query).fetchall() == at_once.rows(query)
    assert by_day.con.execute("select sum(difference) from marts.books").fetchone() == (0,)
