"""What runs are for: where a metric was best, what was spent after, and when that is told."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.queries.attribution.conftest import Build, Draw, Row

LATE = [9.0, 8.0, 3.0, 4.0, 5.0, 5.0, 5.0, 6.0, 7.0, 8.0, 8.0, 8.0]
"""Best at the third of twelve."""
Tables = dict[str, list["Row"]]
NAMES = {
    "val_loss": "minimise",
    "eval/mean_squared_error": "minimise",
    "RMSE": "minimise",
    "valLoss": "minimise",
    "test.wer": "minimise",
    "accuracy": "maximise",
    "val/top1_accuracy": "maximise",
    "eval_rouge1": "maximise",
    "mAP": "maximise",
    "f1": "maximise",
    "accuracy_loss": None,  # both
    "epoch": None,
    "lossless": None,
    "my_metric": None,
}


def trained(
    draw: type[Draw],
    values: Sequence[float | None] = LATE,
    *,
    name: str = "a",
    hours: int = 12,
    metric: str = "val/loss",
    **more: Any,
) -> Tables:
    """Return a machine of 30 an hour and a run on it that logs a metric at each hour's begin."""
    run = draw.run(name, 0, hours, experiment=name, team_raw="vision", user_raw="ada") | more
    return {
        "cost_lines": [draw.machine(30, hour, f"i-{name}") for hour in range(hours)],
        "runs": [run],
        "run_places": [{"run_key": run["run_key"], "instance_id": f"i-{name}"}],
        "run_objectives": objective(draw, run, metric, values),
    }


def objective(draw: type[Draw], run: Row, metric: str, values: Sequence[float | None]) -> list[Row]:
    """Return a metric's points, one an hour."""
    return [
        {
            "run_key": run["run_key"],
            "metric": metric,
            "step": step,
            "logged_at": draw.at(step),
            "value": value,
        }
        for step, value in enumerate(values)
    ]


def together(*drawn: Tables) -> Tables:
    """Return the rows of several runs."""
    return {table: [row for tables in drawn for row in tables[table]] for table in drawn[0]}


def found(build: Build, tables: Tables, **params: Any) -> list[str]:
    """Return the experiments that the detector speaks of."""
    rows = build(tables, **params).rows(
        "select resource_name from marts.findings where detector = 'runs_past_best' order by all"
    )
    return [row[0] for row in rows]


def test_a_run_has_its_first_best_and_last_value_and_what_came_after(
    build: Build, draw: type[Draw]
) -> None:
    tables = trained(draw, [9.0, None, 3.0, 4.0, 3.0, 5.0])
    rows = build(tables).rows(
        "select metric, direction, point_count, lost_points, first_value, best_value, last_value, "
        "best_step, last_step, best_at, hours_after_best, round(effective_cost, 9), "
        "round(cost_after_best, 9), "
        "billing_currency from marts.run_objectives"
    )
    assert rows == [
        (
            *("val/loss", "minimise", 5, 1, 9.0, 3.0, 5.0, 2, 5, draw.at(2), 3.0),
            *(Decimal(360), Decimal(300), "USD"),
        )
    ]


def test_the_name_says_which_way_is_better_where_it_does(build: Build, draw: type[Draw]) -> None:
    tables = trained(draw, metric="loss")
    for metric in NAMES:
        tables["run_objectives"] += objective(draw, tables["runs"][0], metric, LATE)
    rows = build(tables).rows(
        "select metric, direction, best_value, best_at is null, cost_after_best is null "
        "from marts.run_objectives where metric <> 'loss'"
    )
    assert {metric: way for metric, way, *_ in rows} == NAMES
    for _, way, best, *is_unknown in rows:
        assert best == {"minimise": 3.0, "maximise": 9.0, None: None}[way]
        assert is_unknown == [way is None, way is None]


def test_the_config_says_it_before_the_name(build: Build, draw: type[Draw]) -> None:
    tables = trained(draw)
    told = "select direction, best_value from marts.run_objectives"
    assert build(tables, maximise="other,val/*").rows(told) == [("maximise", 9.0)]
    assert build(tables, minimise="*", maximise="val/loss").rows(told) == [(None, None)]


def test_of_several_records_the_one_with_the_most_points_counts(
    build: Build, draw: type[Draw]
) -> None:
    tables = trained(draw)
    other = draw.run("b", 0, 12, source="wandb", system="wandb")
    tables["runs"].append(other)
    tables["run_objectives"] += objective(draw, other, "val/loss", [1.0])
    tables["run_tags"] = [
        {"run_key": other["run_key"], "called": "tag", "tags": {"mlflow_run_id": "a"}}
    ]
    warehouse = build(tables)
    assert warehouse.rows("select count(distinct run_id) from attribution.run_links") == [(1,)]
    told = warehouse.rows("select point_count, best_value from marts.run_objectives")
    assert told == [(12, 3.0)]


def test_runs_that_went_on_past_their_best_are_told_and_not_counted(
    build: Build, draw: type[Draw]
) -> None:
    """Best after 2 of 12 hours, of which one more is grace: 9 hours at 30, in 30 days."""
    rows = build(trained(draw)).rows(
        "select resource_id, owner_user, round(monthly_waste, 9), is_counted, evidence "
        "from marts.findings where detector = 'runs_past_best'"
    )
    assert rows == [
        (
            *("vision / a / past best", "ada", Decimal("273.9375"), False),
            "1 run went on for 9 h past the best val/loss and a time of grace, in 30 days",
        )
    ]


def test_what_is_not_known_is_no_finding(build: Build, draw: type[Draw]) -> None:
    several = trained(draw, name="another was best at the end")
    several["run_objectives"] += objective(draw, several["runs"][0], "accuracy", range(12))
    unclear = trained(draw, name="another may have been best at the end")
    unclear["run_objectives"] += objective(draw, unclear["runs"][0], "my_metric", LATE)
    free = trained(draw, name="no bill")
    free["cost_lines"] = []
    ends = ("failed", "cancelled", "lost", "preempted", "queued")
    tables = together(
        trained(draw, name="told"),
        trained(draw, name="still runs", status="running", ended_at=None, last_seen_at=draw.at(12)),
        trained(draw, LATE, name="short", hours=1) | {"run_objectives": []},
        trained(draw, LATE[:9], name="few points"),
        trained(draw, [*LATE[:11], 2.0], name="best at the end"),
        trained(draw, [*LATE[:8], 2.0, *LATE[9:]], name="few points after"),
        trained(draw, sorted(LATE, reverse=True), name="better all the time"),
        trained(draw, [None] * 12, name="no number"),
        several,
        unclear,
        free,
        *(trained(draw, name=end, status=end, last_seen_at=draw.at(12)) for end in ends),
    )
    assert found(build, tables) == ["still runs", "told"]
    assert found(build, tables, minimise="my_metric") == [
        *("another may have been best at the end", "still runs", "told")
    ]


@pytest.mark.parametrize("best", [0, 7, 23, 30])
def test_what_was_spent_before_and_after_the_best_is_what_was_spent(
    build: Build, draw: type[Draw], best: int
) -> None:
    tables = trained(draw, hours=24)
    costs = [Decimal(7 * hour % 11 - 3) / 7 ** (hour % 9) for hour in range(24)]
    costs = [cost.quantize(Decimal("1e-12")) for cost in costs]
    tables["cost_lines"] = [draw.machine(cost, hour, "i-a") for hour, cost in enumerate(costs)]
    tables["run_objectives"][2]["logged_at"] = draw.at(0) + timedelta(hours=best, minutes=7)
    warehouse = build(tables)
    ((whole, after),) = warehouse.rows(
        "select effective_cost, cost_after_best from marts.run_objectives"
    )
    assert whole == sum(costs) != 0
    before = (Decimal(min(best * 60 + 7, 1440)) / 1440 * whole).quantize(Decimal("1e-9"))
    assert abs(whole - after - before) < Decimal("1e-8")
    assert (after == 0) == (best >= 24)
