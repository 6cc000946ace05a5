"""What versions cost: those that a run registered, those served, and what nobody knows of."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from queries import ModelError
from queries.explanation import Question, as_text, explain
from queries.figures import Asked, figures_of
from queries.privacy.views import View
from tests.queries.attribution.test_egress import TRANSFERS, company, logged
from tests.queries.attribution.test_masks import shown
from tests.queries.attribution.test_run_models import registers, tags, world

if TYPE_CHECKING:
    from queries.engines.duckdb import Connection
    from queries.explanation import Node
    from tests.queries.attribution.conftest import Build, Draw, Warehouse
    from tests.queries.attribution.test_run_models import World

    Spent = dict[tuple[str, str | None], Decimal]

UNIT = Decimal("0.000000000001")


def spent(built: Warehouse, dimension: str = "model") -> Spent:
    """Return member and version -> cost; each explains itself down to the bill lines."""
    rows = built.rows(
        "select member, version, sum(effective_cost) from marts.version_spend "
        f"where dimension = '{dimension}' group by all"
    )
    with built.published("marts.spend_daily", "marts.version_spend", "marts.runs") as books:
        for member, version, cost in rows:
            tree = tree_of(books, dimension, member, version or "")
            assert tree.closes(), as_text(tree)
            assert tree.cost == cost
    return {(member, version): cost for member, version, cost in rows}


def tree_of(books: Connection, dimension: str, member: str, version: str) -> Node:
    (figure,) = figures_of(books, Asked(dimension, member, version))
    days = figure.from_date, figure.to_date
    return explain(books, Question(dimension, member, *days, figure.billing_currency, version))


def test_a_run_costs_its_versions_the_same(build: Build, draw: type[Draw]) -> None:
    tables = world(draw, a=None, other=None)
    registers(tables, "a", "bert", "1")
    registers(tables, "a", "bert", "2")
    registers(tables, "a", "gpt", "7")

    third = Decimal("3.333333333333")
    assert spent(build(tables)) == {
        ("bert", "1"): third,
        ("bert", "2"): third + UNIT,
        ("gpt", "7"): third,
        ("not a model's", None): Decimal(10),
    }


def test_a_model_registered_without_a_version_has_none(build: Build, draw: type[Draw]) -> None:
    tables = world(draw, a=None)
    tables["run_models"] = [{"run_key": "a", "model_name": "bert"}]

    assert spent(build(tables)) == {("bert", None): Decimal(10)}


def test_a_tag_names_a_model_and_no_version(build: Build, draw: type[Draw]) -> None:
    tables = world(draw, good=None, bad=None)
    registers(tables, "good", "bert", "4")
    tags(tables, "bad", model="bert")

    assert spent(build(tables)) == {("bert", "4"): Decimal(10), ("bert", None): Decimal(10)}


def test_a_tag_may_name_the_version_that_a_run_was_for(build: Build, draw: type[Draw]) -> None:
    """And so of what that run started; one that registered versions knows better."""
    tables = world(draw, good=None, bad=None, step="bad", other=None)
    registers(tables, "good", "bert", "4")
    tags(tables, "good", model="bert", finops__model_version="5")
    tags(tables, "bad", model="bert", finops__model_version=" 5 ")
    tags(tables, "other", finops__model_version="5")

    assert spent(build(tables)) == {
        ("bert", "4"): Decimal(10),
        ("bert", "5"): Decimal(20),
        ("not a model's", None): Decimal(10),
    }


def test_the_version_that_came_of_a_sweep_pays_for_its_trials(
    build: Build, draw: type[Draw]
) -> None:
    tables = world(draw, sweep=None, best="sweep", worse="sweep", step="worse")
    registers(tables, "best", "bert", "5")

    assert spent(build(tables)) == {("bert", "5"): Decimal(40)}


def test_a_sweep_of_two_versions_is_neithers(build: Build, draw: type[Draw]) -> None:
    tables = world(draw, sweep=None, one="sweep", two="sweep", three="sweep")
    registers(tables, "one", "bert", "5")
    registers(tables, "two", "bert", "6")

    assert spent(build(tables)) == {
        ("bert", "5"): Decimal(10),
        ("bert", "6"): Decimal(10),
        ("bert", None): Decimal(20),
    }


def test_what_a_run_started_costs_its_versions_alike(build: Build, draw: type[Draw]) -> None:
    tables = world(draw, train=None, step="train")
    registers(tables, "train", "bert", "1")
    registers(tables, "train", "bert", "2")

    assert spent(build(tables)) == {("bert", "1"): Decimal(10), ("bert", "2"): Decimal(10)}


def test_a_pod_costs_the_version_served_and_idle_replicas_none(
    build: Build, draw: type[Draw]
) -> None:
    served = {"charge_date": draw.day, "cluster": "c1", "namespace": "lab", "pod": "server"}
    served |= {"model_name": "lens"}
    hours = range(3)
    tables = {
        "cost_lines": [draw.machine(12, hour) for hour in hours],
        "node_hours": [draw.node(hour, gpu=1, cpu=0, memory=0) for hour in hours],
        "pod_hours": [draw.pod("server", hour, gpu=1, model_raw="label") for hour in hours],
        "served_hours": [
            served | {"charge_hour": draw.at(0), "model_version": "1", "requests": 3},
            served | {"charge_hour": draw.at(0), "model_version": "2", "requests": 1},
            served | {"charge_hour": draw.at(1), "model_version": "2", "requests": 0},
        ],
    }

    assert spent(build(tables)) == {
        ("lens", "1"): Decimal(9),
        ("lens", "2"): Decimal(3),
        ("(idle replicas)", None): Decimal(12),
        ("label", None): Decimal(12),
    }


def test_a_read_costs_the_digests_that_the_run_read(build: Build, draw: type[Draw]) -> None:
    """Ada's run reads 7.50 of two versions, Bob's 2.50 of none that anybody knows."""
    tables = company(draw)
    ada, bob = tables["run_inputs"]
    tables["run_inputs"] = [
        ada | {"dataset_digest": "d1", "bytes_read": 100},
        ada | {"dataset_digest": "d2", "bytes_read": 200},
        ada | {"dataset_digest": "d2", "bytes_read": None},
        bob,
    ]

    assert spent(build(tables), "dataset") == {
        ("images", "d1"): Decimal("3.75"),
        ("images", "d2"): Decimal("3.75"),
        ("images", None): Decimal("2.5"),
        ("not a dataset's", None): Decimal(0),
    }


def test_versions_that_a_run_read_are_cut_by_the_bytes_of_each(
    build: Build, draw: type[Draw]
) -> None:
    """Ada's run reads 7.50: a fifth of one version, and four fifths of one in two folders.

    What it read without a digest is of neither, and counts with both.
    """
    tables = company(draw)
    ada, bob = tables["run_inputs"]
    tables["run_inputs"] = [
        ada | {"dataset_digest": "d1", "bytes_read": 60},
        ada | {"dataset_digest": "d2", "bytes_read": 140},
        ada | {"dataset_uri": "s3://data/images/b", "dataset_digest": "d2", "bytes_read": 100},
        ada | {"bytes_read": None},
        bob,
    ]

    assert spent(build(tables), "dataset") == {
        ("images", "d1"): Decimal("1.5"),
        ("images", "d2"): Decimal(6),
        ("images", None): Decimal("2.5"),
        ("not a dataset's", None): Decimal(0),
    }


def test_logs_tell_the_version_by_where_it_was_read(build: Build, draw: type[Draw]) -> None:
    """Of 8 GiB two are of no version: there the digest counts that the tracker has of the run."""
    tables = company(draw, gib=8)
    (images,) = tables["datasets"]
    tables["datasets"] = [
        images | {"version": version, "uri": f"s3://data/images{folder}"}
        for version, folder in ((None, ""), ("1", "/v1"), ("2", "/v2"))
    ]
    tables["run_inputs"] = [row | {"dataset_digest": "d"} for row in tables["run_inputs"]]
    machine = "arn:aws:sts::1:assumed-role/train/i-1"
    tables["object_reads"] = [
        logged(draw, 4, machine, prefix="images/v1/a"),
        logged(draw, 2, machine, prefix="images/v2"),
        logged(draw, 2, machine, prefix="images/index"),
    ]

    built = build(tables)
    assert spent(built, "dataset") == {
        ("images", "1"): Decimal(5),
        ("images", "2"): Decimal("2.5"),
        ("images", "d"): Decimal("2.5"),
        ("not a dataset's", None): Decimal(0),
    }
    assert built.costs("run_id, dataset", TRANSFERS) == {("a", "images"): Decimal(10)}


def test_a_version_is_explained_by_how_it_is_known(build: Build, draw: type[Draw]) -> None:
    """Ada's run reads 7.50 of two versions, half of each."""
    tables = company(draw)
    ada, bob = tables["run_inputs"]
    read = ada | {"bytes_read": 150}
    tables["run_inputs"] = [read | {"dataset_digest": digest} for digest in ("d1", "d2")] + [bob]
    built = build(tables)
    with built.published("marts.spend_daily", "marts.version_spend", "marts.runs") as books:
        (rule,) = tree_of(books, "dataset", "images", "d2").children
        (run,) = rule.children
        with pytest.raises(ModelError, match='no version "d3" with cost') as refused:
            figures_of(books, Asked("dataset", "images", "d3"))

    assert "owner by its readers, cut by reads" in rule.label
    assert (run.label, run.cost, run.whole) == (
        "run a, 50.0000% of it",
        Decimal("3.75"),
        Decimal("7.5"),
    )
    assert "it has d2, d1" in refused.value.__notes__[1]


def test_an_address_of_lakefs_names_the_commit_that_was_read(
    build: Build, draw: type[Draw]
) -> None:
    """A branch names none: there what the run says counts."""
    places = {"lakefs://pets": None, "s3://data/lake/pets": None, "lakefs://pets/c1": "c1"}
    read = [("lakefs://pets/c1/cats", None), ("lakefs://pets/main/cats", "d1")]
    built = build(
        {
            "datasets": [
                {"dataset": "pets", "version": version, "uri": uri, "is_declared": False}
                for uri, version in places.items()
            ],
            "runs": [draw.run("r")],
            "run_inputs": [
                {"run_key": "r", "dataset_uri": uri, "dataset_digest": digest}
                for uri, digest in read
            ],
        }
    )

    assert built.rows(
        "select dataset, container, versions from attribution.run_datasets order by all"
    ) == [("pets", "data", ["c1"]), ("pets", "data", ["d1"])]


def test_what_two_records_of_a_run_read_is_of_both_digests(build: Build, draw: type[Draw]) -> None:
    tables = company(draw)
    tables["runs"].append(draw.run("job", source="slurm", system="slurm"))
    says = {"relation": "same", "system": "slurm", "native_id": "job", "evidence": "tag"}
    tables["run_mentions"] = [{"run_key": "a"} | says]
    ada, _ = tables["run_inputs"]
    tables["run_inputs"] = [
        ada | {"dataset_digest": "d1"},
        ada | {"run_key": "job", "dataset_digest": "d2"},
    ]

    costs = spent(build(tables), "dataset")
    assert costs["images", "d1"] == costs["images", "d2"] == Decimal(5)


def test_storage_is_of_the_version_that_is_registered_alone(build: Build, draw: type[Draw]) -> None:
    """A dataset of two versions has none, nor has one that is registered without."""
    place = {"charge_date": draw.day, "container": "data", "is_current": True}
    versions: dict[str, list[str | None]] = {
        "a": ["7"],
        "b": ["1", "2"],
        "c": [None],
        "d": ["3", None],
    }
    tables: World = {
        "cost_lines": [draw.line(10, resource_id="data", x_line_class="object_storage")],
        "datasets": [
            {"dataset": name, "version": version, "uri": f"s3://data/{name}"}
            for name, named in versions.items()
            for version in named
        ],
        "stored_bytes": [
            place | {"prefix": name, "size_bytes": size}
            for name, size in (*zip(versions, (1, 2, 3, 4), strict=True), ("rest", 10))
        ],
    }

    assert spent(build(tables), "dataset") == {
        ("a", "7"): Decimal("0.5"),
        ("b", None): Decimal(1),
        ("c", None): Decimal("1.5"),
        ("d", None): Decimal(2),
        ("(unregistered)", None): Decimal(5),
    }


def writes(tables: World, run: str, uri: str, digest: str | None = None) -> None:
    """Note what a run wrote."""
    said = {"run_key": run, "dataset_uri": f"s3://data/{uri}", "dataset_digest": digest}
    tables["run_outputs"] = [*tables.get("run_outputs", []), said]


def test_a_run_costs_the_versions_of_data_that_it_wrote(build: Build, draw: type[Draw]) -> None:
    """The run wrote three datasets: two versions of x, a y of none, and z where its only one lies.

    One record without a version says no more of x than the others do.
    """
    tables = world(draw, a=None)
    registers(tables, "a", "bert", "1")
    tables["datasets"] = [{"dataset": name, "uri": f"s3://data/{name}"} for name in "xy"]
    tables["datasets"].append({"dataset": "z", "version": "7", "uri": "s3://data/z"})
    for uri, digest in (("x", None), ("x", "d1"), ("x/a", "d2"), ("y", None), ("z/b", "d1")):
        writes(tables, "a", uri, digest)

    built = build(tables)
    third, half = Decimal("3.333333333333"), Decimal("1.666666666667")
    assert spent(built, "dataset") == {
        ("x", "d1"): half,
        ("x", "d2"): third - half,
        ("y", None): third + UNIT,
        ("z", "7"): third,
    }
    assert spent(built) == {("bert", "1"): Decimal(10)}


def test_what_two_records_say_a_run_wrote_is_one_version(build: Build, draw: type[Draw]) -> None:
    tables = world(draw, a=None)
    tables["runs"].append(draw.run("job", source="slurm", system="slurm"))
    says = {"relation": "same", "system": "slurm", "native_id": "job", "evidence": "tag"}
    tables["run_mentions"] = [{"run_key": "a"} | says]
    tables["datasets"] = [{"dataset": "x", "uri": "s3://data/x"}]
    writes(tables, "a", "x", "d1")
    writes(tables, "job", "x")

    assert spent(build(tables), "dataset") == {("x", "d1"): Decimal(10)}


def test_who_reads_where_a_version_lies_alone_reads_that(build: Build, draw: type[Draw]) -> None:
    """Whatever digest the run has for it: what it read and what is stored are called alike."""
    tables = company(draw)
    ada, bob = tables["run_inputs"]
    (images,) = tables["datasets"]
    tables["datasets"] = [images, images | {"version": "3", "uri": "s3://data/images/v3"}]
    tables["run_inputs"] = [
        ada | {"dataset_uri": "s3://data/images/v3/a", "dataset_digest": "d1"},
        bob | {"dataset_digest": "d2"},
    ]

    assert spent(build(tables), "dataset") == {
        ("images", "3"): Decimal("7.5"),
        ("images", "d2"): Decimal("2.5"),
        ("not a dataset's", None): Decimal(0),
    }


def test_a_version_is_seen_by_those_alone_who_see_its_member(
    build: Build, draw: type[Draw]
) -> None:
    """Others see what all of them cost; a person in a version's name is not shown either."""
    tables = world(draw, ours=None, theirs=None)
    for run, team, user in (("ours", "vision", "ada"), ("theirs", "search", "cy")):
        tables["runs"] = [
            row | {"team_raw": team, "user_raw": user} if row["run_key"] == run else row
            for row in tables["runs"]
        ]
        registers(tables, run, f"model-{run}", "asked by ada.w@acme.example")
        registers(tables, run, f"model-{run}", "2")
    tables["people"] = [
        {"user_id": "ada", "user_name": "Ada Winter", "email": "ada.w@acme.example"}
    ]
    tables["memberships"] = [{"user_id": "ada", "team": "vision"}]
    built = build(tables)
    view = View(audience="a", teams=frozenset(("vision",)), people="teams")

    columns = "member, version, effective_cost"
    rows = shown(built, view, "marts.version_spend", f"dimension, {columns}")
    assert [row[1:] for row in rows if row[0] == "model"] == [
        ("(not shown)", None, Decimal(10)),
        ("model-ours", "2", Decimal(5)),
        ("model-ours", "asked by someone", Decimal(5)),
    ]
