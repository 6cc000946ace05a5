"""The life of a finding, and the contract of detectors."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from queries import ModelError
from queries.catalog import HOME, models, read_model, union_model
from queries.detecting import COLUMNS, check_detector, detectors
from queries.engines.duckdb import Limits, connect
from queries.manifest import Manifest
from queries.read import open_generation
from queries.warehouse import Warehouse
from tests.queries.attribution.conftest import DAY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.queries.attribution.conftest import Build, Draw, Row

MONTH = Decimal("30.4375")
VOLUME = "vol-1"


def days_before(count: int) -> date:
    """Return a day before the newest of the bill."""
    return DAY - timedelta(days=count)


def unattached(draw: type[Draw], lines: dict[int, str], **more: Any) -> dict[str, list[Row]]:
    """Return a disk without a machine; `lines` is days back -> cost. Another line is today's."""
    return {
        "cost_lines": [
            draw.line(cost, resource_id=VOLUME, x_line_class="volume")
            | {"charge_date": days_before(back)}
            for back, cost in lines.items()
        ]
        + [draw.line(1)],
        "inventory": [
            {
                "source": "inv",
                "provider": "AWS",
                "region_id": "us-east-1",
                "resource_type": "volume",
                "resource_id": VOLUME,
                "state": "unattached",
                "created_at": draw.at(0) - timedelta(days=90),
                "state_since": draw.at(0) - timedelta(days=50),
                "observed_at": draw.at(1),
            }
        ],
    } | more


def known(finding_id: str, **more: Any) -> dict[str, Any]:
    """Return what the journal holds of the disk's finding."""
    return {
        "finding_id": finding_id,
        "detector": "unattached_volumes",
        "resource_id": VOLUME,
        "since": days_before(60),
        "monthly_waste": Decimal(61),
        "billing_currency": "USD",
        "confidence": "high",
        "evidence": "as it was",
        "conflict_key": "volume vol-1",
        "fix": "delete it",
        "opened_date": days_before(40),
        "seen_date": days_before(10),
        "counts": True,
    } | more


def life(build: Build, tables: dict[str, list[Row]]) -> tuple[Any, ...]:
    """Return the disk's state, opened, seen and resolved day, and verified saving."""
    (row,) = build(tables).rows(
        "select state, opened_date, seen_date, resolved_date, verified_monthly_saving "
        "from marts.findings where detector = 'unattached_volumes'"
    )
    return row


def id_of(build: Build, tables: dict[str, list[Row]]) -> str:
    """Return the id of the disk's finding."""
    ((finding_id,),) = build(tables).rows("select finding_id from marts.findings")
    return str(finding_id)


EVERY_DAY = dict.fromkeys(range(30), "2")
UNTIL_TEN_DAYS_AGO = dict.fromkeys(range(10, 30), "2")


def test_a_finding_opens_stays_open_and_keeps_its_id(build: Build, draw: type[Draw]) -> None:
    tables = unattached(draw, EVERY_DAY)
    finding = id_of(build, tables)
    assert life(build, tables) == ("open", DAY, DAY, None, None)

    again = tables | {"raw.findings": [known(finding)]}
    assert life(build, again) == ("open", days_before(40), DAY, None, None)


def test_a_mute_holds_until_its_day(build: Build, draw: type[Draw]) -> None:
    tables = unattached(draw, EVERY_DAY)
    finding = id_of(build, tables)

    muted = known(finding, muted_until=DAY + timedelta(days=1))
    assert life(build, tables | {"raw.findings": [muted]})[0] == "muted"
    assert life(build, tables | {"raw.findings": [muted | {"muted_until": DAY}]})[0] == "open"


def test_what_is_gone_is_resolved_and_verified_by_the_later_bill(
    build: Build, draw: type[Draw]
) -> None:
    gone = known("f", seen_date=days_before(10), resolved_date=days_before(9))
    tables = unattached(draw, UNTIL_TEN_DAYS_AGO, inventory=[], **{"raw.findings": [gone]})

    resolved = (days_before(40), days_before(10), days_before(9))
    assert life(build, tables) == ("verified", *resolved, 2 * MONTH)


def test_a_resource_that_costs_less_saves_the_difference(build: Build, draw: type[Draw]) -> None:
    gone = known("f", seen_date=days_before(10), resolved_date=days_before(9))
    cheaper = UNTIL_TEN_DAYS_AGO | dict.fromkeys(range(10), "0.5")
    tables = unattached(draw, cheaper, inventory=[], **{"raw.findings": [gone]})

    assert life(build, tables)[-1] == Decimal("1.5") * MONTH


def test_nothing_is_verified_too_early_or_where_the_bill_did_not_fall(
    build: Build, draw: type[Draw]
) -> None:
    def state(lines: dict[int, str], back: int) -> tuple[Any, ...]:
        gone = known("f", seen_date=days_before(back + 1), resolved_date=days_before(back))
        tables = unattached(draw, lines, inventory=[], **{"raw.findings": [gone]})
        row = life(build, tables)
        return row[0], row[-1]

    assert state(dict.fromkeys(range(7, 30), "2"), 6) == ("resolved", None)
    assert state(EVERY_DAY, 9) == ("resolved", None)
    assert state(EVERY_DAY | dict.fromkeys(range(9), "3"), 9) == ("resolved", None)


def test_the_first_night_without_it_resolves_a_finding(build: Build, draw: type[Draw]) -> None:
    tables = unattached(draw, EVERY_DAY, inventory=[], **{"raw.findings": [known("f")]})
    row = build(tables).rows(
        "select state, resolved_date, evidence, monthly_waste from marts.findings"
    )

    assert row == [("resolved", DAY, "as it was", Decimal(61))]


def test_a_saving_that_was_verified_long_ago_is_kept(build: Build, draw: type[Draw]) -> None:
    old = known("f", resolved_date=days_before(50), verified_monthly_saving=Decimal(7))
    tables = unattached(draw, EVERY_DAY, inventory=[], **{"raw.findings": [old]})

    assert life(build, tables)[0] == "verified"
    assert life(build, tables)[-1] == Decimal(7)


@pytest.mark.parametrize(("ago", "opened"), [(14, days_before(40)), (15, DAY)])
def test_what_comes_back_is_open_again_and_soon_the_same_as_before(
    build: Build, draw: type[Draw], ago: int, opened: date
) -> None:
    tables = unattached(draw, EVERY_DAY)
    gone = known(id_of(build, tables), resolved_date=days_before(ago))

    assert life(build, tables | {"raw.findings": [gone]}) == ("open", opened, DAY, None, None)


def test_of_findings_on_the_same_dollars_the_largest_counts(build: Build, draw: type[Draw]) -> None:
    """Two that are there, by one that was found earlier with the same key and is gone."""
    tables = unattached(draw, EVERY_DAY)
    other = dict(tables["inventory"][0], resource_id="vol-2")
    tables["inventory"].append(other)
    tables["cost_lines"] += [
        line | {"resource_id": "vol-2", "effective_cost": 3} for line in tables["cost_lines"][:-1]
    ]
    built = build(tables)
    assert built.rows(
        "select count(*), count(*) filter (where is_counted) from marts.findings"
    ) == [(2, 2)]
    built.con.execute("update detectors.found set conflict_key = 'one'")
    built.con.execute(f"create or replace table marts.findings as {_sql('marts.findings')}")
    assert built.rows("select resource_id, is_counted from marts.findings order by 1") == [
        ("vol-1", False),
        ("vol-2", True),
    ]


def _sql(name: str) -> str:
    (model,) = (model for model in models() if model.name == name)
    return model.sql


@pytest.mark.parametrize("name", sorted(detectors()))
def test_every_detector_says_what_to_do_and_what_its_parameters_mean(name: str) -> None:
    model = read_model(HOME / "detectors" / f"{name}.sql")

    assert model.fix
    assert model.about.endswith(".")
    assert all(f"${param.name}" in model.sql for param in model.params)
    assert "min_waste" in {param.name for param in model.params}


def test_a_detector_is_one_file_and_nothing_else(tmp_path: Path) -> None:
    """Dropped into the folder it is run, joined to the others, set and switched off by name."""
    home = tmp_path / "detectors"
    home.mkdir()
    shutil.copy(HOME / "detectors" / "dead_gpus.sql", home / "new.sql")
    values = ", ".join(
        f"cast({_VALUES[column]} as {kind}) as {column}" for column, kind in COLUMNS.items()
    )
    (home / "new.sql").write_text(
        "-- What is new.\n-- fix: don't\n-- param: least = 1  -- of it\n"
        f"select {values} where 5 > $least\n"
    )
    model = read_model(home / "new.sql")
    whole = union_model([model])
    for settings, count in (({}, 1), ({"least": 7}, 0), ({"is_enabled": False}, 0)):
        con = connect(Limits())
        con.execute("create schema detectors")
        warehouse = Warehouse(
            con, (model, whole), {"least": 9}, tmp_path, Manifest(), {"new": settings}
        )
        warehouse.build_whole(model)
        warehouse.build_whole(whole)
        rows = con.execute("select detector, fix, counts from detectors.found").fetchall()
        assert rows == [("new", "don't", True)] * count


_VALUES = {
    **dict.fromkeys(COLUMNS, "'x'"),
    "since": "date '2026-10-01'",
    "monthly_waste": "1",
    "confidence": "'low'",
}


def test_a_detector_without_a_fix_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "detectors" / "new.sql"
    path.parent.mkdir()
    path.write_text("-- What is new.\nselect 1 as one\n")

    with pytest.raises(ModelError, match="what is to be done"):
        read_model(path)


@pytest.mark.parametrize(
    ("column", "value", "wanted"),
    [
        ("resource_id", "null", "without resource_id"),
        ("conflict_key", "null", "without conflict_key"),
        ("monthly_waste", "null", "without monthly_waste"),
        ("confidence", "'sure'", "a confidence that is none"),
    ],
)
def test_a_finding_that_lacks_something_is_a_mistake_of_the_file(
    column: str, value: str, wanted: str
) -> None:
    with pytest.raises(ModelError, match=wanted) as caught:
        _checked({**_VALUES, column: value}, COLUMNS)
    assert "in:  queries/detectors/new.sql" in caught.value.__notes__


def test_other_columns_are_a_mistake_of_the_file() -> None:
    with pytest.raises(ModelError, match="does not yield the columns of a finding"):
        _checked(_VALUES, {**COLUMNS, "more": "VARCHAR"})
    with pytest.raises(ModelError, match="does not yield the columns of a finding"):
        _checked(_VALUES, {**COLUMNS, "monthly_waste": "DOUBLE"})
    with pytest.raises(ModelError, match="does not yield the columns of a finding"):
        _checked(_VALUES, dict(reversed(list(COLUMNS.items()))))
    with pytest.raises(ModelError, match="finds one thing more than once"):
        _checked(_VALUES, COLUMNS, times=2)


def _checked(values: dict[str, str], columns: Any, times: int = 1) -> None:
    con = connect(Limits())
    con.execute("create schema detectors")
    drawn = ", ".join(
        f"cast({values.get(column, 'null')} as {kind}) as {column}"
        for column, kind in columns.items()
    )
    con.execute(f"create table detectors.new as select {drawn} from range({times})")
    check_detector(con, "detectors.new")


def test_what_the_cookbook_is_tried_on_has_the_columns_of_the_mart(
    build: Build, generation: Path
) -> None:
    ours = build({}).rows("describe marts.findings")
    with open_generation(generation) as con:
        made_up = con.execute("describe marts.findings").fetchall()

    assert [row[:2] for row in made_up] == [row[:2] for row in ours]
