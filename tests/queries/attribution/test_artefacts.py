"""Files that runs stored: whose they are, and those that nobody needs any more."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.queries.attribution.conftest import Build, Draw, Row

GIB = 2**30
RUN, GONE, NEVER = "a" * 32, "b" * 32, "c" * 32
MODEL = f"m-{'d' * 32}"


def world(draw: type[Draw], sizes: dict[str, int], **more: list[Row]) -> dict[str, list[Row]]:
    """Return a bucket of 24 dollars on the day after two runs; sizes are GiB by prefix."""
    after = draw.day + timedelta(days=1)
    root: Row = {"source": "mlflow", "root_uri": "s3://data/mlflow/1"}
    named = [(RUN, "kept", False), (GONE, "gone", True)]
    line = draw.line(24, x_line_class="object_storage", resource_id="arn:aws:s3:::data")
    tables: dict[str, list[Row]] = {
        "cost_lines": [line | {"charge_date": after}],
        "stored_bytes": [
            {"charge_date": draw.day, "container": "data", "prefix": prefix, "is_current": True}
            | {"size_bytes": size * GIB, "storage_class": "STANDARD"}
            for prefix, size in sizes.items()
        ],
        "runs": [
            draw.run("kept", user_raw="ada", team_raw="vision"),
            draw.run("gone", 1, 2, user_raw="bob"),
        ],
        "run_models": [{"run_key": "kept", "model_name": "resnet", "model_version": "1"}],
        "artefact_roots": [
            root | {"experiment_id": "1", "is_deleted": False, "has_all_runs": True},
        ],
        "artefact_folders": [
            *(
                root | {"folder": folder, "run_key": key, "is_deleted": is_deleted}
                for folder, key, is_deleted in named
            ),
            root
            | {"root_uri": "s3://data/mlflow/1/models", "folder": MODEL, "run_key": "kept"}
            | {"is_deleted": False},
        ],
    }
    return tables | more


SIZES = {
    f"mlflow/1/{RUN}/artifacts/checkpoints": 2,
    f"mlflow/1/{RUN}/artifacts": 1,
    f"mlflow/1/models/{MODEL}/artifacts": 3,
    f"mlflow/1/{GONE}/artifacts": 1,
    f"mlflow/1/{NEVER}/artifacts": 2,
    f"elsewhere/{RUN}": 1,
    "mlflow/1": 2,
}


def test_a_runs_files_are_the_runs_and_its_models_long_after_it(
    build: Build, draw: type[Draw]
) -> None:
    built = build(world(draw, SIZES))

    assert built.costs("method, run_id, dataset, user_raw, user_rule, team") == {
        ("run_artefacts", "kept", None, "ada", "run_tag", "vision"): Decimal(12),
        ("run_artefacts", "gone", None, "bob", "run_tag", None): Decimal(2),
        ("stored_bytes", None, "(orphaned artefacts)", None, "unattributed", None): Decimal(4),
        ("stored_bytes", None, "(unregistered)", None, "unattributed", None): Decimal(6),
    }
    assert built.rows(
        "select member, sum(effective_cost) from marts.spend_daily where dimension = 'model' "
        "and member = 'resnet' group by 1"
    ) == [("resnet", Decimal(12))]
    assert built.rows("select effective_cost from marts.runs where run_id = 'kept'") == [
        (Decimal(12),)
    ]


def test_a_dataset_that_lies_as_deep_counts_before_the_run(build: Build, draw: type[Draw]) -> None:
    uri = f"s3://data/mlflow/1/{RUN}"
    datasets = [{"dataset": "labels", "uri": uri}, {"dataset": "all", "uri": "s3://data/mlflow"}]
    built = build(world(draw, SIZES, datasets=datasets))

    assert built.costs("run_id, dataset", "run_id is not null or dataset = 'labels'") == {
        ("kept", None): Decimal(6),
        (None, "labels"): Decimal(6),
        ("gone", None): Decimal(2),
    }


def test_small_folders_stay_with_the_bucket(build: Build, draw: type[Draw]) -> None:
    """A run with many of them would be a row a day for cents; an orphan is one all the same."""
    built = build(world(draw, SIZES), artefact_gib="3")

    assert built.costs("coalesce(run_id, dataset)") == {
        "kept": Decimal(12),
        "(orphaned artefacts)": Decimal(6),
        "(unregistered)": Decimal(6),
    }


def test_a_companys_rule_for_a_run_holds_for_its_files(build: Build, draw: type[Draw]) -> None:
    rule = {"rule_id": "rule-1", "position": 1, "match_run": "kept", "team": "speech"}
    built = build(world(draw, SIZES, ownership_rules=[rule]))

    assert built.costs("team, team_rule", "run_id = 'kept'") == {("speech", "rule-1"): Decimal(12)}


def test_what_deleted_runs_left_is_waste(build: Build, draw: type[Draw]) -> None:
    """A day's 6 dollars of 30: the folder of a deleted run, and one that no run ever had."""
    built = build(world(draw, SIZES))

    assert built.rows(
        "select resource_id, round(monthly_waste, 4), confidence, evidence "
        "from detectors.orphaned_artefacts"
    ) == [
        (
            "data",
            round(Decimal(6) * Decimal("30.4375") / 30, 4),
            "medium",
            "1 folders of deleted runs and 1 of no run hold 3 GiB",
        )
    ]


def test_a_folder_of_no_run_is_unknown_where_not_all_runs_are_read(
    build: Build, draw: type[Draw]
) -> None:
    tables = world(draw, SIZES)
    tables["artefact_roots"][0]["has_all_runs"] = False
    built = build(tables)

    assert built.costs("dataset", "dataset is not null") == {"(unregistered)": Decimal(10)}
    assert built.rows("select confidence from detectors.orphaned_artefacts") == [("high",)]


def test_all_of_a_deleted_experiment_is_waste(build: Build, draw: type[Draw]) -> None:
    tables = world(draw, {f"mlflow/1/{NEVER}/artifacts": 4, f"mlflow/2/{NEVER}": 4})
    tables["artefact_roots"][0] |= {"has_all_runs": False, "is_deleted": True}
    built = build(tables)

    assert built.costs("dataset") == {
        "(orphaned artefacts)": Decimal(12),
        "(unregistered)": Decimal(12),
    }
