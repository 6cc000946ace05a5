"""The runner of models, on a warehouse of four small ones: it does what changed, and only that."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from queries import ModelError
from queries.build import BuildInput, Built, Settings, build
from queries.catalog import RECENT_DAYS, Model, canonical_columns, in_order, models, read_model
from queries.engines.duckdb import Limits
from queries.landed import Landed, LandedFile
from queries.manifest import Manifest
from queries.stage import DeliveryError
from queries.totals import RawTotal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

NOW = datetime(2026, 11, 2)  # noqa: DTZ001 - raw times are UTC without a zone


@dataclass(frozen=True)
class Lines:
    """A bill of three columns."""

    name: str = "lines"
    columns: Mapping[str, str] = field(
        default_factory=lambda: {"day": "time", "owner": "text", "cost": "number"}
    )
    maps: Mapping[str, str] = field(default_factory=dict)
    rename: Callable[[str], str] | None = None
    aliases: Mapping[str, Sequence[str]] = field(default_factory=dict)
    of_file: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    month_first: bool = False
    null_marks: Sequence[str] = ("",)
    is_bill: bool = True


@dataclass(frozen=True)
class Teams(Lines):
    """Who owns what on which day."""

    name: str = "teams"
    columns: Mapping[str, str] = field(
        default_factory=lambda: {"day": "time", "owner": "text", "team": "text"}
    )
    is_bill: bool = False


STAGING = {
    "day": "charge_date",
    "charge_date": "cast(day as date)",
    "source": "x_source",
    "billing_period": "cast(left(x_unit, 7) || '-01' as date)",
    "effective_cost": "cost",
    "billed_cost": "cost",
    "billing_currency": "'USD'",
    "resource_id": "owner",
}
MODELS = {
    "attribution/teams_by_day": """-- Who owns what, by day.
-- hashed: charge_date
-- key: charge_date, owner
select cast(day as date) as charge_date, owner, team from raw.test__teams
qualify row_number() over (partition by day, owner order by x_version_at desc) = 1
""",
    "attribution/doubled": """-- Lines, to be split.
-- step: charge_date
select charge_date, source, billing_period, resource_id, effective_cost as cost
from staging.cost_lines
""",
    "attribution/owned": """-- Lines with their team.
-- partition: charge_date
-- conserves: cost of attribution.doubled by charge_date
select
    doubled.charge_date,
    doubled.source,
    doubled.billing_period,
    coalesce(teams_by_day.team, $nobody) as team,
    doubled.cost
from attribution.doubled
left join attribution.teams_by_day
    on doubled.charge_date = teams_by_day.charge_date and doubled.resource_id = teams_by_day.owner
-- param: nobody = 'nobody'  -- who owns the rest
""",
    "marts/by_team": """-- Cost by team.
-- key: team
select team, sum(cost) as cost from attribution.owned group by team
""",
    "marts/books": """-- The proof.
select
    'all' as source, null as billing_period, 'USD' as billing_currency, 'effective_cost' as measure,
    'team' as dimension, sum(billed) as billed, sum(billed) - sum(cost) as difference
from (
    select amount as billed, 0 as cost from raw.totals
    union all
    select 0 as billed, cost from marts.by_team
)
having count(*) > 0
""",
}


BY_SUMS = {
    "attribution/sums": """-- Lines, added up.
-- beside: cost_lines
-- conserves: effective_cost of staging.cost_lines
--            by charge_date
select charge_date, source, billing_period, resource_id, sum(effective_cost) as effective_cost
from staging.cost_lines
group by all
""",
    "attribution/doubled": MODELS["attribution/doubled"].replace(
        "staging.cost_lines", "attribution.sums"
    ),
}
"""The models by which lines are attributed by sums kept beside them."""
KEPT = {
    "attribution/recent_days": """-- Days.
select distinct charge_date from attribution.owned
""",
    "attribution/busy": """-- How many lines a day has.
-- key:  charge_date
-- kept: attribution.recent_days
select charge_date, count(*) as line_count
from staging.cost_lines
where charge_date in (select charge_date from attribution.recent_days)
group by charge_date
""",
}
"""A model that is kept for the days that were attributed."""


def small_models(folder: Path, instead: Mapping[str, str] | None = None) -> tuple[Model, ...]:
    """Write and read the four models, or others `instead`, and a staging model for the bill."""
    columns = ",\n".join(
        f"{STAGING.get(column, f'cast(null as {kind})')} as {column}"
        for column, kind in canonical_columns()["staging.cost_lines"].items()
    )
    staging = (
        "-- The bill.\n-- partition: charge_date\n-- feeds: cost_lines\n"
        f"select {columns} from raw.test__lines\n"
    )
    texts = {"staging/test__lines": staging, **MODELS, **(instead or {})}
    found = []
    for name, sql in texts.items():
        path = folder / "models" / f"{name}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        header = sql.replace("-- param: nobody", "") if "param: nobody" in sql else sql
        if "param: nobody" in sql:
            body, _, param = sql.partition("-- param:")
            header = body.replace("-- partition:", f"-- param:{param.rstrip()}\n-- partition:", 1)
        path.write_text(header, encoding="utf-8")
        found.append(read_model(path))
    return in_order(found)


@dataclass
class World:
    """A folder with deliveries, and the nights built on it."""

    folder: Path
    landed: dict[tuple[str, str], Landed] = field(default_factory=dict)
    bills: dict[str, Decimal] = field(default_factory=dict)
    previous: Manifest | None = None
    settings: Settings = field(default_factory=Settings)
    said: list[str] = field(default_factory=list)

    def deliver(self, table: str, unit: str, text: str, version: int = 1) -> None:
        """Land one CSV as the newest version of a unit."""
        path = self.folder / f"{table}-{unit}-{version}.csv"
        path.write_text(text, encoding="utf-8")
        digest = sha256(path.read_bytes()).hexdigest()
        at = NOW + timedelta(hours=version)
        file = LandedFile(path, path.name, "csv", digest)
        self.landed[table, unit] = Landed(
            "acme", "test", table, unit, str(version), at, (file,), at
        )
        if table == "lines":
            costs = [Decimal(line.split(",")[2]) for line in text.splitlines()[1:]]
            self.bills[unit] = sum(costs, Decimal(0))

    def night(self, **other: object) -> Built | None:
        """Build, and remember what was built."""
        self.said.clear()
        given = BuildInput(
            tables={"test": {"lines": Lines(), "teams": Teams()}},
            landed=list(self.landed.values()),
            totals=[],
            settings=self.settings,
            limits=Limits(threads=1, spill=self.folder / "tmp"),
            lake=self.folder / "lake",
            previous=self.previous,
            progress=self.said.append,
            models=small_models(self.folder),
        )
        totals = [
            _total(unit, cost)
            for unit, cost in self.bills.items()
            if ("lines", unit) in self.landed
        ]
        built = build(replace(given, totals=totals, **other))  # type: ignore[arg-type]
        if built is not None:
            self.previous = Manifest.read(_written(self.folder, built))
        return built


def _total(unit: str, cost: Decimal) -> tuple[str, RawTotal]:
    month = unit[:7]
    total = RawTotal("AWS", "1", month, month, "USD", "effective_cost", 1, cost, Decimal(0))
    return "acme", total


def _written(folder: Path, built: Built) -> Path:
    path = folder / "manifest.json"
    path.write_text(built.manifest.to_json(), encoding="utf-8")
    json.loads(path.read_text(encoding="utf-8"))
    return path


def by_team(built: Built | None) -> dict[str, Decimal]:
    assert built is not None
    return dict(built.con.execute("select team, cost from marts.by_team").fetchall())


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.deliver(
        "lines", "2026-10", "day,owner,cost\n2026-10-01,a,10\n2026-10-02,a,20\n2026-10-02,b,5\n"
    )
    made.deliver("teams", "all", "day,owner,team\n2026-10-01,a,nlp\n2026-10-02,a,nlp\n")
    return made


def test_a_night_attributes_every_day_and_the_next_finds_nothing_to_do(world: World) -> None:
    built = world.night()
    assert by_team(built) == {"nlp": Decimal(30), "nobody": Decimal(5)}
    assert built is not None
    assert built.days == 2
    assert world.night() is None


def test_a_night_without_any_delivery_builds_empty_marts(tmp_path: Path) -> None:
    built = World(tmp_path).night()
    assert by_team(built) == {}


def test_tables_that_were_empty_fill_and_those_that_were_full_empty(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.night()
    assert world.previous is not None
    assert world.previous.columns

    for version, lines, found in (
        (1, "2026-10-01,a,10\n", {"nobody": Decimal(10)}),
        (2, "", {}),
        (3, "2026-10-02,a,20\n", {"nobody": Decimal(20)}),
    ):
        world.deliver("lines", "2026-10", f"day,owner,cost\n{lines}", version)
        assert by_team(world.night()) == found


def test_columns_that_other_code_remembers_are_forgotten(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.night()
    assert world.previous is not None
    known = world.previous.columns
    world.previous.night, world.previous.planned = "", "of other code"
    world.previous.columns = dict.fromkeys(known, "nothing integer")

    assert by_team(world.night()) == {}
    assert world.previous.columns == known


def test_a_restated_day_is_the_only_one_attributed_again(world: World) -> None:
    world.night()
    world.deliver(
        "lines", "2026-10", "day,owner,cost\n2026-10-02,b,7\n2026-10-01,a,10\n2026-10-02,a,20\n", 2
    )
    built = world.night()
    assert built is not None
    assert built.days == 1
    assert by_team(built) == {"nlp": Decimal(30), "nobody": Decimal(7)}


def test_a_redelivery_of_the_same_rows_attributes_nothing_again(world: World) -> None:
    world.night()
    world.deliver(
        "lines", "2026-10", "day,owner,cost\n2026-10-02,b,5\n2026-10-02,a,20\n2026-10-01,a,10\n", 2
    )
    built = world.night()
    assert built is not None
    assert built.days == 0
    assert by_team(built) == {"nlp": Decimal(30), "nobody": Decimal(5)}
    assert not list(world.folder.rglob("*.once"))  # what text was unpacked into


def test_a_day_that_vanishes_from_the_bill_vanishes_from_the_marts(world: World) -> None:
    world.night()
    world.deliver("lines", "2026-10", "day,owner,cost\n2026-10-01,a,10\n", 2)
    assert by_team(world.night()) == {"nlp": Decimal(10)}


def test_a_late_edit_of_metadata_attributes_its_day_alone(world: World) -> None:
    world.night()
    world.deliver("teams", "all", "day,owner,team\n2026-10-01,a,nlp\n2026-10-02,a,vision\n", 2)
    built = world.night()
    assert built is not None
    assert built.days == 1
    assert by_team(built) == {
        "nlp": Decimal(10),
        "vision": Decimal(20),
        "nobody": Decimal(5),
    }


def test_a_late_edit_of_one_day_of_a_long_file_attributes_its_day_alone(tmp_path: Path) -> None:
    world = World(tmp_path)
    bill = "".join(f"2026-10-{day:02},a,{day}\n" for day in range(1, 21))
    world.deliver("lines", "2026-10", f"day,owner,cost\n{bill}")
    assert by_team(world.night()) == {"nobody": Decimal(210)}
    world.deliver("teams", "all", "day,owner,team\n2026-10-02,a,vision\n")
    built = world.night()
    assert built is not None
    assert built.days == 1
    assert by_team(built) == {"vision": Decimal(2), "nobody": Decimal(208)}


def test_a_kept_day_is_computed_again_only_where_what_it_reads_changed(world: World) -> None:
    models = small_models(world.folder, KEPT)

    def night() -> tuple[dict[str, int], set[str]]:
        built = world.night(models=models)
        assert built is not None
        asked = built.con.execute("select charge_date::varchar, line_count from attribution.busy")
        files = built.manifest.stored["attribution.busy"].files
        return dict(asked.fetchall()), {file.path for file in files}

    counts, first = night()
    assert counts == {"2026-10-01": 1, "2026-10-02": 2}
    assert len(first) == 2
    world.deliver("teams", "all", "day,owner,team\n2026-10-02,a,vision\n", 2)
    assert night() == (counts, first)
    world.deliver("lines", "2026-10", "day,owner,cost\n2026-10-01,a,10\n2026-10-02,b,5\n", 2)
    counts, second = night()
    assert counts == {"2026-10-01": 1, "2026-10-02": 1}
    assert len(first & second) == 1
    world.deliver("lines", "2026-10", "day,owner,cost\n2026-10-01,a,10\n", 3)
    counts, third = night()
    assert counts == {"2026-10-01": 1}
    assert third == first & second


def test_where_no_days_are_wanted_nothing_is_kept(tmp_path: Path) -> None:
    world = World(tmp_path)
    built = world.night(models=small_models(tmp_path, KEPT))
    assert built is not None
    assert built.con.execute("select * from attribution.busy").fetchall() == []
    assert "attribution.busy" not in built.manifest.stored


def test_what_is_kept_by_day_reads_that_day_alone() -> None:
    kept = [model for model in models() if model.kind == "kept"]
    by_day = {f"staging.{model.feeds}" for model in models() if model.kind == "partition"}
    by_day |= {model.name for model in models() if model.kind in ("kept", "beside")}
    assert kept
    for model in kept:
        tables = model.reads - {RECENT_DAYS}
        assert tables <= by_day
        assert model.sql.count(f"(select charge_date from {RECENT_DAYS})") == len(tables)


def test_sums_beside_lines_are_made_once_for_each_file_of_lines(tmp_path: Path) -> None:
    world = World(tmp_path)
    models = small_models(tmp_path, BY_SUMS)

    def night() -> tuple[dict[str, Decimal], int]:
        costs = by_team(world.night(models=models))
        return costs, sum(said.startswith("attribution.sums") for said in world.said)

    assert night() == ({}, 0)
    world.deliver(
        "lines", "2026-10", "day,owner,cost\n2026-10-01,a,10\n2026-10-01,a,1\n2026-10-02,b,5\n"
    )
    assert night() == ({"nobody": Decimal(16)}, 1)
    world.deliver("teams", "all", "day,owner,team\n2026-10-01,a,nlp\n")
    assert night() == ({"nlp": Decimal(11), "nobody": Decimal(5)}, 0)
    world.deliver("lines", "2026-10", "day,owner,cost\n2026-10-01,a,11\n2026-10-02,b,7\n", 2)
    assert night() == ({"nlp": Decimal(11), "nobody": Decimal(7)}, 1)
    assert world.previous is not None
    lines = world.previous.staged["staging.test__lines"]["acme/2026-10"].table
    sums = world.previous.stored["attribution.sums"]
    assert [file.days for file in sums.files] == [file.days for file in lines.files]
    assert {file.path for file in sums.files} <= world.previous.files()


def test_sums_that_are_not_those_of_the_lines_stop_the_night(world: World) -> None:
    wrong = BY_SUMS["attribution/sums"].replace("resource_id, sum(", "'a' as resource_id, max(")
    models = small_models(world.folder, {**BY_SUMS, "attribution/sums": wrong})
    with pytest.raises(ModelError, match=r"sums is 20\.0+ where staging\.cost_lines has 25"):
        world.night(models=models)


def test_a_changed_setting_attributes_every_day_again(world: World) -> None:
    world.night()
    world.settings = Settings(params={"nobody": "it's nobody's"})
    built = world.night()
    assert built is not None
    assert built.days == 2
    assert by_team(built)["it's nobody's"] == Decimal(5)


def test_incremental_nights_end_where_one_night_from_scratch_ends(world: World) -> None:
    world.night()
    world.deliver("lines", "2026-11", "day,owner,cost\n2026-10-02,a,-1\n2026-11-01,b,2\n")
    world.night()
    world.deliver("lines", "2026-10", "day,owner,cost\n2026-10-02,a,21\n2026-10-03,b,5\n", 2)
    step_by_step = by_team(world.night())
    world.previous = None
    assert by_team(world.night()) == step_by_step


def test_units_that_are_days_are_replaced_and_removed_one_by_one(tmp_path: Path) -> None:
    world = World(tmp_path)
    for day in ("2026-10-01", "2026-10-02", "2026-10-03"):
        world.deliver("lines", day, f"day,owner,cost\n{day},a,1\n")
    assert by_team(world.night()) == {"nobody": Decimal(3)}
    world.deliver("lines", "2026-10-02", "day,owner,cost\n2026-10-02,a,5\n", 2)
    del world.landed["lines", "2026-10-03"]
    built = world.night()
    assert built is not None
    assert built.days == 2
    assert by_team(built) == {"nobody": Decimal(6)}


def test_books_that_do_not_close_stop_the_night(world: World) -> None:
    world.bills["2026-10"] += Decimal("0.000000000001")
    with pytest.raises(ModelError, match=r"0\.000000000001"):
        world.night()


def test_a_value_that_is_no_number_blames_its_delivery(world: World) -> None:
    world.deliver("lines", "2026-11", "day,owner,cost\n2026-11-01,a,1\n")
    broken = world.landed["lines", "2026-11"].files[0].path
    broken.write_text("day,owner,cost\n2026-11-01,a,one\n", encoding="utf-8")
    with pytest.raises(DeliveryError) as caught:
        world.night()
    assert caught.value.delivery.unit == "2026-11"
    assert "'one'" in str(caught.value.error)


def test_a_row_without_a_day_is_refused(world: World) -> None:
    world.deliver("lines", "2026-11", "day,owner,cost\n,a,1\n")
    with pytest.raises((ModelError, DeliveryError), match="without a charge_date"):
        world.night()
