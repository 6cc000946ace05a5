"""A full cost is the sum of the distinct postings in its lineage: SQL against plain Python."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from queries.catalog import models
from queries.checks import check_model
from queries.engines.duckdb import Limits, connect, create_macros

if TYPE_CHECKING:
    from collections.abc import Iterator

    from queries.engines.duckdb import Connection

    Costs = dict[tuple[Any, ...], Decimal]

MIDNIGHT = datetime(2026, 10, 5)  # noqa: DTZ001 - the tables hold UTC without a zone
REGISTERED = ("raw", "features")
LOCATIONS = ("s3://tmp/a", "s3://tmp/a/b", "s3://tmp/ab", "s3://tmp/a/c", "s3://tmp", "file:///a")
BUILT = (
    *("attribution.run_data", "attribution.makers", "attribution.maker_groups"),
    *("attribution.full_cost_data", "attribution.full_cost_groups"),
    *("attribution.full_cost_units", "attribution.full_cost_lines"),
    *("attribution.full_costs", "marts.model_full_cost", "marts.dataset_full_cost"),
)
TABLES = {
    "attribution.run_models": "run_id varchar, model varchar",
    "attribution.run_ancestors": "run_id varchar, ancestor_id varchar",
    "attribution.run_datasets": "run_id varchar, direction varchar, dataset varchar, "
    "unregistered_uri varchar",
    "attribution.run_facts": "run_id varchar, started_at timestamp, ended_at timestamp, "
    "last_seen_at timestamp",
    "attribution.postings": "run_id varchar, method varchar, dataset varchar, model varchar, "
    "served_model varchar, charge_date date, billing_currency varchar, "
    "gpu_hours decimal(18, 6), effective_cost decimal(38, 12), billed_cost decimal(38, 12)",
}

# what makes lineage is drawn more often than what leads nowhere
runs = st.sampled_from("abcdef")
data = st.sampled_from((*REGISTERED * 3, *LOCATIONS))
pairs = st.frozensets(st.tuples(runs, data), min_size=4, max_size=10)
costs = st.decimals(-1_000_000, 1_000_000, places=12)
models_of = st.sampled_from((None, None, None, None, "m", "n", "(idle replicas)"))
of_runs = {
    "run_id": runs,
    "method": st.sampled_from(("machine_share", "machine_share", "stored_bytes", "reads")),
    "dataset": st.sampled_from((None, *REGISTERED)),
}
of_nobody = {
    "run_id": st.none(),
    "method": st.sampled_from(("machine_share", "stored_bytes", "stored_bytes", "reads")),
    "dataset": st.sampled_from((None, *REGISTERED * 2, "(unregistered)")),
}
others: dict[str, st.SearchStrategy[Any]] = {
    "model": models_of,
    "served_model": st.sampled_from((None, "m", "n")),
    "charge_date": st.sampled_from([date(2026, 10, day) for day in (5, 6, 7, 8)]),
    "billing_currency": st.sampled_from(("USD", "EUR")),
    "effective_cost": costs,
}
postings = st.lists(
    st.fixed_dictionaries(of_runs | others) | st.fixed_dictionaries(of_nobody | others),
    min_size=6,
    max_size=14,
)
hours = st.sampled_from((0, 5, 20, 24, 30, 44, 48, 60))
spans = st.tuples(hours, st.integers(0, 6), st.booleans())
worlds = st.fixed_dictionaries(
    {
        "spans": st.fixed_dictionaries(
            {run: st.none() | spans if run == "f" else spans for run in "abcdef"}
        ),
        "parents": st.frozensets(
            st.tuples(runs, runs).filter(lambda two: two[0] < two[1]), max_size=3
        ),
        "reads": pairs,
        "writes": pairs,
        "models": st.frozensets(st.tuples(runs, st.sampled_from("mn")), min_size=1, max_size=3),
        "postings": postings,
    }
)


@pytest.fixture(scope="module")
def con() -> Iterator[Connection]:
    """Return a database with the tables that the lineage reads, empty."""
    con = connect(Limits(threads=1))
    create_macros(con, {})
    for schema in ("staging", "attribution", "marts"):
        con.execute(f"create schema {schema}")
    for table, columns in TABLES.items():
        con.execute(f"create table {table} ({columns})")
    yield con
    con.close()


def insert(con: Connection, table: str, **row: object) -> None:
    """Add a row to a table."""
    marks = ", ".join("?" for _ in row)
    con.execute(f"insert into {table} ({', '.join(row)}) values ({marks})", list(row.values()))


def fill(con: Connection, world: dict[str, Any]) -> None:
    """Put a world, and nothing else, into the tables."""
    for table in TABLES:
        con.execute(f"delete from {table}")
    for run, span in world["spans"].items():
        start, end, seen = times(span)
        insert(
            con,
            "attribution.run_facts",
            run_id=run,
            started_at=start,
            ended_at=end,
            last_seen_at=seen,
        )
    for run, model in world["models"]:
        insert(con, "attribution.run_models", run_id=run, model=model)
    for ancestor, run in descent(world["parents"]):
        insert(con, "attribution.run_ancestors", run_id=run, ancestor_id=ancestor)
    for direction, name in (("read", "reads"), ("written", "writes")):
        for run, thing in world[name]:
            column = "dataset" if thing in REGISTERED else "unregistered_uri"
            row = {"run_id": run, "direction": direction, column: thing}
            insert(con, "attribution.run_datasets", **row)
    for posting in world["postings"]:
        billed = posting["effective_cost"] * 2
        insert(con, "attribution.postings", **posting, billed_cost=billed, gpu_hours=0)


def in_sql(con: Connection, world: dict[str, Any]) -> Costs:
    """Return the cost by dimension, member, currency and depth, as the models have it."""
    fill(con, world)
    for model in models():
        if model.name in BUILT:
            con.execute(f"create or replace table {model.name} as {model.sql}")
            check_model(con, model)
    found: Costs = {}
    for dimension in ("model", "dataset"):
        rows = con.execute(
            f"select {dimension}, billing_currency, depth, sum(non_additive_cost), "
            f"sum(non_additive_billed_cost) from marts.{dimension}_full_cost group by all"
        ).fetchall()
        for member, currency, depth, cost, billed in rows:
            assert billed == cost * 2
            found[dimension, member, currency, depth] = cost
    return found


def times(span: tuple[int, int, bool] | None) -> tuple[datetime | None, ...]:
    """Return when a run began, ended and was last seen; one that never began has neither."""
    if span is None:
        return None, None, None
    start = MIDNIGHT + timedelta(hours=span[0])
    end = start + timedelta(hours=span[1])
    return (start, None, end) if span[2] else (start, end, None)


def descent(parents: frozenset[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return every (run above, run below)."""
    known = set(parents)
    while more := {(a, d) for a, b in known for c, d in known if b == c} - known:
        known |= more
    return known


def is_read(written: str, read: str) -> bool:
    """Tell whether who reads one thing reads what was written to another."""
    if written in REGISTERED or read in REGISTERED:
        return written == read
    if written.startswith("file:") or read.startswith("file:"):
        return False
    return f"{read}/".startswith(f"{written}/") or f"{written}/".startswith(f"{read}/")


def in_python(world: dict[str, Any]) -> Costs:
    """Return the same by walking the lineage run by run and looking at each posting."""
    found: Costs = defaultdict(Decimal)
    for dimension, member in [
        ("model", "m"),
        ("model", "n"),
        *(("dataset", d) for d in REGISTERED),
    ]:
        made_by = world["models" if dimension == "model" else "writes"]
        depth_of_run, depth_of_data, last = walk(world, {r for r, it in made_by if it == member})
        for posting in world["postings"]:
            depth: int | None = None
            name = posting["model"] if dimension == "model" else posting["dataset"]
            own = posting["served_model"] if name == "(idle replicas)" else name
            if own == member:
                depth = 0
            else:
                ways = [depth_of_run.get(posting["run_id"])]
                if last and posting["method"] == "stored_bytes" and posting["run_id"] is None:
                    is_before = posting["charge_date"] <= last.date()
                    ways += [depth_of_data.get(posting["dataset"]) if is_before else None]
                depth = min((way for way in ways if way is not None), default=None)
            if depth is not None:
                key = (dimension, member, posting["billing_currency"], depth)
                found[key] += posting["effective_cost"]
    return dict(found)


def day_of(world: dict[str, Any], run: str) -> date:
    """Return the day on which a run began."""
    start = times(world["spans"][run])[0]
    assert start is not None
    return start.date()


def walk(
    world: dict[str, Any], makers: set[str]
) -> tuple[dict[str, int], dict[str, int], datetime | None]:
    """Return runs and registered data by depth, behind the runs that made something."""
    below = descent(world["parents"])

    def with_all_below(some: set[str]) -> set[str]:
        return {
            run
            for run in some | {down for up, down in below if up in some}
            if world["spans"][run] is not None
        }

    layer = with_all_below(makers)
    ends = [end for run in layer for end in times(world["spans"][run])[1:] if end]
    last = max(ends, default=None)
    runs_met: dict[str, int] = {}
    data_met: dict[str, int] = {}
    depth = 0
    while layer:
        runs_met |= dict.fromkeys(layer, depth)
        depth += 1
        inputs = {thing for run, thing in world["reads"] if run in layer}
        for thing in inputs & set(REGISTERED):
            data_met.setdefault(thing, depth)
        writers = {
            run for run, thing in world["writes"] if any(is_read(thing, one) for one in inputs)
        }
        layer = {
            run
            for run in with_all_below(writers)
            if run not in runs_met and last and day_of(world, run) <= last.date()
        }
    return runs_met, data_met, last


POSTED = {
    "run_id": "d",
    "method": "machine_share",
    "dataset": None,
    "model": None,
    "served_model": None,
    "charge_date": date(2026, 10, 5),
    "billing_currency": "USD",
    "effective_cost": Decimal("1.000000000001"),
}
LATE_READER: dict[str, Any] = {
    "spans": {
        "a": (5, 1, False),
        "b": (0, 1, False),
        "c": (48, 1, False),
        "d": (0, 1, False),
        "e": None,
        "f": None,
    },
    "parents": frozenset(),
    "writes": frozenset({("b", "features"), ("c", "features"), ("d", "raw")}),
    "reads": frozenset({("a", "features"), ("c", "raw")}),
    "models": frozenset({("a", "m")}),
    "postings": [POSTED],
}
"""Who wrote the features read other data only after the model was made: these are not in it."""


@example(world=LATE_READER)
@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(world=worlds)
def test_a_full_cost_is_the_sum_of_the_distinct_postings_in_its_lineage(
    con: Connection, world: dict[str, Any]
) -> None:
    assert in_sql(con, world) == in_python(world)


@pytest.mark.parametrize(
    ("written", "read", "called"),
    [
        ("s3://tmp/a", "s3://tmp/a", "s3://tmp/a"),
        ("s3://tmp/a", "s3://tmp/a/part-0.parquet", "s3://tmp/a"),
        ("s3://tmp/a/part-0.parquet", "s3://tmp/a", "s3://tmp/a/*"),
        ("s3://tmp", "s3://tmp/a", "s3://tmp"),
        ("s3://tmp/a", "s3://tmp/ab", None),
        ("s3://tmp/a", "gs://tmp/a", None),
        ("file:///srv/a", "file:///srv/a", None),
        ("/srv/a", "/srv/a", None),
    ],
)
def test_data_that_nobody_registered_lead_to_who_wrote_their_location(
    con: Connection, written: str, read: str, called: str | None
) -> None:
    """A path on a machine's own disk is another file on another machine."""
    world: dict[str, Any] = {
        "spans": {"a": (0, 1, False), "b": (1, 1, False)},
        "parents": frozenset(),
        "writes": {("a", written)},
        "reads": {("b", read)},
        "models": {("b", "m")},
        "postings": [],
    }
    in_sql(con, world)
    rows = con.execute(
        "select run_id, depth, data from attribution.full_cost_groups "
        "inner join attribution.maker_groups using (group_no)"
    ).fetchall()
    made = {("a", 1, called)} if called else set()
    assert {row for row in rows if row[0] == "a"} == made


def test_data_that_were_read_after_a_model_was_made_are_not_in_it(con: Connection) -> None:
    raw = ("dataset", "raw", "USD", 0)
    late = ("dataset", "features", "USD", 1)
    assert in_sql(con, LATE_READER) == dict.fromkeys((raw, late), POSTED["effective_cost"])
