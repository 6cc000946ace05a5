"""What a model or dataset cost with all that it was made from: lineage, and each posting once."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from queries import ModelError
from queries.explanation import Question, explain
from queries.figures import FULL_COSTS, Asked, figures_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from queries.engines.duckdb import Connection
    from queries.explanation import Node
    from tests.queries.attribution.conftest import Build, Draw, Row, Warehouse

    World = dict[str, list[Row]]

PARTS = "part, depth, input_data, lineage_path, run_count, non_additive_cost"


def world(draw: type[Draw], **runs: int) -> World:
    """Return runs that begin at hours and last one, each alone on a machine of 10 an hour."""
    days = {run: {"charge_date": draw.day + timedelta(hour // 24)} for run, hour in runs.items()}
    return {
        "cost_lines": [
            draw.machine(10, hour, f"i-{run}") | days[run] for run, hour in runs.items()
        ],
        "runs": [draw.run(run, hour, hour + 1) for run, hour in runs.items()],
        "run_places": [{"run_key": run, "instance_id": f"i-{run}"} for run in runs],
        "run_inputs": [],
        "run_outputs": [],
        "run_models": [],
        "datasets": [],
        "stored_bytes": [],
    }


def reads(tables: World, run: str, uri: str) -> None:
    tables["run_inputs"].append({"run_key": run, "dataset_uri": uri})


def writes(tables: World, run: str, uri: str) -> None:
    tables["run_outputs"].append({"run_key": run, "dataset_uri": uri})


def registers(tables: World, run: str, model: str) -> None:
    tables["run_models"].append({"run_key": run, "model_name": model, "model_version": "1"})


def stored(draw: type[Draw], tables: World, dataset: str, cost: int, day_no: int = 0) -> None:
    """Register a dataset that fills a bucket of its name, and bill a day of it."""
    row = {"dataset": dataset, "uri": f"s3://{dataset}"}
    if row not in tables["datasets"]:
        tables["datasets"].append(row)
    day = draw.day + timedelta(days=day_no)
    line = draw.line(cost, resource_id=dataset, x_line_class="object_storage")
    tables["cost_lines"].append(line | {"charge_date": day})
    tables["stored_bytes"].append(
        {
            "charge_date": day,
            "container": dataset,
            "prefix": "",
            "size_bytes": 1,
            "object_count": 1,
            "is_current": True,
        }
    )


def pipeline(draw: type[Draw]) -> World:
    """Return raw data, features made of them, and a model trained on those by two runs."""
    tables = world(draw, ingest=0, prepare=1, train=2, trial=3, again=25)
    tables["runs"][3]["parent_native_id"] = "train"
    for dataset in ("raw", "features"):
        stored(draw, tables, dataset, 3)
    writes(tables, "ingest", "s3://raw/2026")
    reads(tables, "prepare", "s3://raw/2026")
    writes(tables, "prepare", "s3://features")
    reads(tables, "train", "s3://features/part-0")
    registers(tables, "train", "m")
    return tables


def parts(built: Warehouse, dimension: str, member: str) -> list[tuple[Any, ...]]:
    return built.rows(
        f"select {PARTS} from marts.{dimension}_full_cost where {dimension} = '{member}' "
        "order by depth, part, input_data"
    )


def total(built: Warehouse, dimension: str, member: str) -> Decimal:
    return sum((row[-1] for row in parts(built, dimension, member)), Decimal(0))


def test_a_model_costs_its_training_and_what_its_data_took_to_make(
    build: Build, draw: type[Draw]
) -> None:
    """Trials are the training's; a part says how its data came into the model."""
    built = build(pipeline(draw))
    assert parts(built, "model", "m") == [
        ("training", 0, None, None, 2, 20),
        ("production", 1, "features", "features", 1, 10),
        ("storage", 1, "features", "features", 0, 3),
        ("production", 2, "raw", "features <- raw", 1, 10),
        ("storage", 2, "raw", "features <- raw", 0, 3),
    ]
    assert parts(built, "dataset", "features") == [
        ("production", 0, None, None, 1, 10),
        ("storage", 0, None, None, 0, 3),
        ("production", 1, "raw", "raw", 1, 10),
        ("storage", 1, "raw", "raw", 0, 3),
    ]


def test_what_several_models_need_is_in_each_of_them_and_once_on_the_leaderboard(
    build: Build, draw: type[Draw]
) -> None:
    tables = pipeline(draw)
    registers(tables, "train", "n")
    built = build(tables)
    assert total(built, "model", "m") == total(built, "model", "n") == 46
    spent = built.rows(
        "select member, sum(effective_cost) from marts.spend_daily "
        "where dimension = 'model' group by member order by member"
    )
    assert spent == [("m", 10), ("n", 10), ("not a model's", 36)]  # the trial, too


def test_what_began_on_a_day_after_a_model_was_made_is_not_in_it(
    build: Build, draw: type[Draw]
) -> None:
    """A pipeline that goes on for years makes yesterday's model no dearer."""
    tables = pipeline(draw)
    writes(tables, "again", "s3://features")
    stored(draw, tables, "features", 7, day_no=1)
    built = build(tables)
    assert total(built, "model", "m") == 46
    assert total(built, "dataset", "features") == 20 + 10 + 13
    registers(tables, "again", "m")
    assert total(build(tables), "model", "m") == 46 + 10 + 7


def test_data_made_from_themselves_are_met_once(build: Build, draw: type[Draw]) -> None:
    tables = pipeline(draw)
    reads(tables, "prepare", "s3://features")
    reads(tables, "ingest", "s3://features")
    built = build(tables)
    assert total(built, "model", "m") == 46
    assert total(built, "dataset", "raw") == total(built, "dataset", "features") == 26


def test_serving_and_idle_replicas_are_the_models_at_all_times(
    build: Build, draw: type[Draw]
) -> None:
    tables = pipeline(draw)
    tables["cost_lines"] += [draw.machine(8, hour, "i-serve") for hour in (20, 21)]
    tables["node_hours"] = [draw.node(hour, "i-serve", gpu=1, cpu=0, memory=0) for hour in (20, 21)]
    tables["pod_hours"] = [draw.pod("server", hour, "i-serve", gpu=1) for hour in (20, 21)]
    tables["served_hours"] = [
        {
            "charge_date": draw.day,
            "charge_hour": draw.at(hour),
            "cluster": "c1",
            "namespace": "lab",
            "pod": "server",
            "model_name": "m",
            "requests": requests,
        }
        for hour, requests in ((20, 5), (21, 0))
    ]
    built = build(tables)
    assert parts(built, "model", "m")[:3] == [
        ("idle_replicas", 0, None, None, 0, 8),
        ("serving", 0, None, None, 0, 8),
        ("training", 0, None, None, 2, 20),
    ]
    assert total(built, "model", "m") == 46 + 16


@pytest.fixture
def books(build: Build, draw: type[Draw]) -> Iterator[Connection]:
    """Return what explains the pipeline's costs, with the marts as they were published."""
    built = build(pipeline(draw))
    with built.published(*(f"marts.{mart}" for mart in FULL_COSTS)) as con:
        yield con


def tree_of(books: Connection, asked: str, member: str) -> Node:
    (figure,) = figures_of(books, Asked(asked, member))
    days = figure.from_date, figure.to_date
    return explain(books, Question(asked, member, *days, figure.billing_currency))


def test_a_full_cost_is_walked_along_its_lineage_to_bill_lines(books: Connection) -> None:
    tree = tree_of(books, "model_full_cost", "m")
    assert tree.closes()
    assert tree.cost == 46
    assert [(part.label, int(part.cost)) for part in tree.children] == [
        ("training", 20),
        ("production, 1 back: features", 10),
        ("production, 2 back: features <- raw", 10),
        ("storage, 1 back: features", 3),
        ("storage, 2 back: features <- raw", 3),
    ]
    (run,) = tree.children[2].children
    (machine,) = run.children
    assert [run.label, machine.label] == ["run ingest", "i-ingest, Amazon EC2, instance"]
    assert machine.children[0].label.startswith("no description (1 line")
    assert tree_of(books, "dataset_full_cost", "features").closes()


def test_a_full_cost_that_its_postings_do_not_give_is_shown(books: Connection) -> None:
    books.execute(
        "update published.marts.model_full_cost set non_additive_cost = 9 where depth = 0"
    )
    tree = tree_of(books, "model_full_cost", "m")
    assert tree.difference == -11


def test_a_full_cost_of_nothing_known_names_the_nearest(books: Connection) -> None:
    with pytest.raises(ModelError, match='the dataset "feature" has no full cost; did you mean'):
        figures_of(books, Asked("dataset_full_cost", "feature"))
