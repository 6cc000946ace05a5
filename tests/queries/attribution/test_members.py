"""Which members of a dimension pay: models, datasets, and what is nobody's."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from tests.queries.attribution.test_data import DATASETS

if TYPE_CHECKING:
    from tests.queries.attribution.conftest import Build, Draw


def test_a_run_costs_its_models_and_its_datasets_in_equal_parts(
    build: Build, draw: type[Draw]
) -> None:
    """Two versions of one model and one of another; two datasets; and what is nobody's."""
    built = build(
        {
            "cost_lines": [draw.machine(9), draw.line(1, tags={"team": "vision"})],
            "runs": [draw.run("r")],
            "run_places": [{"run_key": "r", "instance_id": "i-1"}],
            "run_models": [
                {"run_key": "r", "model_name": "bert", "model_version": "1"},
                {"run_key": "r", "model_name": "bert", "model_version": "2"},
                {"run_key": "r", "model_name": "yolo", "model_version": "1"},
            ],
            "run_outputs": [
                {"run_key": "r", "dataset_uri": "s3://data/images/new"},
                {"run_key": "r", "dataset_uri": "s3://data/images/faces"},
                {"run_key": "r", "dataset_uri": "s3://tmp/scratch"},
            ],
            "datasets": DATASETS,
        }
    )
    rows = built.rows(
        "select dimension, member, sum(effective_cost) from marts.spend_daily "
        "where dimension in ('model', 'dataset') group by all"
    )

    assert {(dimension, member): round(cost, 9) for dimension, member, cost in rows} == {
        ("model", "bert"): 6,
        ("model", "yolo"): 3,
        ("model", "not a model's"): 1,
        ("dataset", "images"): Decimal("4.5"),
        ("dataset", "faces"): Decimal("4.5"),
        ("dataset", "not a dataset's"): 1,
    }
    assert built.rows("select model from marts.runs") == [("bert, yolo",)]


def test_a_serving_pod_costs_the_model_it_serves(build: Build, draw: type[Draw]) -> None:
    built = build(
        {
            "cost_lines": [draw.machine(9)],
            "node_hours": [draw.node(gpu=1, cpu=0, memory=0)],
            "pod_hours": [draw.pod("serve", gpu=1, model_raw="bert")],
        }
    )

    assert built.rows(
        "select member, effective_cost from marts.spend_daily where dimension = 'model'"
    ) == [("bert", Decimal(9))]


def test_lines_nobody_caused_keep_their_kind(build: Build, draw: type[Draw]) -> None:
    """Whatever their tags say; in the service dimension they stay with their service."""
    kinds = ["tax", "credit", "commitment_unused", "support", "control_plane", "purchase"]
    built = build(
        {"cost_lines": [draw.line(1, x_line_class=kind, tags={"team": "vision"}) for kind in kinds]}
    )

    assert built.rows(
        "select member, sum(effective_cost) from marts.spend_daily "
        "where dimension = 'team' group by all order by all"
    ) == [
        ("(credit)", Decimal(1)),
        ("(shared)", Decimal(3)),
        ("(tax)", Decimal(1)),
        ("(unused commitment)", Decimal(1)),
    ]
    assert built.rows(
        "select member, sum(effective_cost) from marts.spend_daily "
        "where dimension = 'service' group by all"
    ) == [("Amazon EC2", Decimal(6))]
