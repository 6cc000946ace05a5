"""Which model a run was for: by what it registered, by its tags, by the sweep it was a part of."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.queries.attribution.conftest import Build, Draw, Row, Warehouse

    World = dict[str, list[Row]]


def world(draw: type[Draw], **parents: str | None) -> World:
    """Return runs with their parents, each for an hour alone on a machine of 10."""
    runs = list(parents)
    return {
        "cost_lines": [draw.machine(10, 0, f"i-{run}") for run in runs],
        "runs": [draw.run(run, 0, 1, native_id=run, parent_native_id=parents[run]) for run in runs],
        "run_places": [{"run_key": run, "instance_id": f"i-{run}"} for run in runs],
        "run_models": [],
        "run_tags": [],
    }


def registers(tables: World, run: str, model: str, version: str = "1") -> None:
    row = {"run_key": run, "model_name": model, "model_version": version}
    tables["run_models"].append(row)


def tags(tables: World, run: str, **told: str) -> None:
    named = {key.replace("__", "."): value for key, value in told.items()}
    tables["run_tags"].append({"run_key": run, "called": "tag", "tags": named})


def found(built: Warehouse) -> dict[str, tuple[str, str]]:
    """Return run -> model and how it is known, of runs with one."""
    rows = built.rows("select run_id, model, rule from attribution.run_models")
    return {run: (model, rule) for run, model, rule in rows}


def spent(built: Warehouse) -> dict[str, Decimal]:
    """Return model -> cost."""
    rows = built.rows(
        "select member, sum(effective_cost) from marts.spend_daily "
        "where dimension = 'model' group by all"
    )
    return dict(rows)


def test_a_failed_run_costs_the_model_that_its_tag_names(build: Build, draw: type[Draw]) -> None:
    tables = world(draw, good=None, bad=None, other=None)
    registers(tables, "good", "bert")
    tags(tables, "bad", model="bert")
    built = build(tables)

    assert found(built) == {"good": ("bert", "registered"), "bad": ("bert", "named")}
    assert spent(built) == {"bert": Decimal(20), "not a model's": Decimal(10)}
    assert built.rows("select run_id, model, model_rule from marts.runs order by run_id") == [
        ("bad", "bert", "named"),
        ("good", "bert", "registered"),
        ("other", None, None),
    ]


def test_an_architecture_is_no_model_unless_the_tag_is_ours(build: Build, draw: type[Draw]) -> None:
    tables = world(draw, a=None, b=None)
    tags(tables, "a", model="resnet50")
    tags(tables, "b", finops__model="resnet50")

    assert found(build(tables)) == {"b": ("resnet50", "named")}


def test_a_served_model_is_known_by_its_name(build: Build, draw: type[Draw]) -> None:
    tables = world(draw, a=None)
    tags(tables, "a", model="chat")
    served = {"charge_date": draw.day, "charge_hour": draw.at(0), "model_name": "chat"}
    tables["served_hours"] = [served | {"cluster": "c1", "namespace": "lab", "pod": "p"}]

    assert found(build(tables)) == {"a": ("chat", "named")}


def test_what_a_run_registered_comes_before_its_tag(build: Build, draw: type[Draw]) -> None:
    tables = world(draw, a=None)
    registers(tables, "a", "bert")
    tags(tables, "a", finops__model="other")

    assert found(build(tables)) == {"a": ("bert", "registered")}


def test_a_model_pays_for_the_trials_that_were_thrown_away(build: Build, draw: type[Draw]) -> None:
    """The best trial is registered; the sweep and its other trials were for the same model."""
    tables = world(draw, sweep=None, best="sweep", worse="sweep", step="worse")
    registers(tables, "best", "bert")
    built = build(tables)

    assert found(built) == {
        "best": ("bert", "registered"),
        "sweep": ("bert", "swept"),
        "worse": ("bert", "started"),
        "step": ("bert", "started"),
    }
    assert spent(built) == {"bert": Decimal(40)}


def test_a_sweep_of_two_models_tells_nothing_of_its_other_trials(
    build: Build, draw: type[Draw]
) -> None:
    tables = world(draw, sweep=None, one="sweep", two="sweep", three="sweep")
    registers(tables, "one", "bert")
    registers(tables, "two", "gpt")

    assert set(found(build(tables))) == {"one", "two"}


def test_what_an_orchestrator_starts_is_no_sweep(build: Build, draw: type[Draw]) -> None:
    tables = world(draw, best=None, report=None)
    tables["runs"] += [
        draw.run("dag", 0, 1, source="airflow", system="airflow", native_id="d"),
    ]
    says = {"relation": "parent", "system": "airflow", "native_id": "d", "evidence": "tag"}
    tables["run_mentions"] = [{"run_key": run} | says for run in ("best", "report")]
    registers(tables, "best", "bert")

    assert found(build(tables)) == {"best": ("bert", "registered")}


def test_the_nearest_run_above_tells(build: Build, draw: type[Draw]) -> None:
    tables = world(draw, top=None, middle="top", leaf="middle")
    tags(tables, "top", finops__model="whole")
    tags(tables, "middle", finops__model="part")

    assert found(build(tables))["leaf"] == ("part", "started")
