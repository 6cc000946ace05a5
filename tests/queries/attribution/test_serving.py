"""What serving costs: by compute time, tokens or requests, and what idle replicas cost."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.queries.attribution.conftest import Build, Draw, Row

    World = dict[str, list[Row]]

IDLE = "(idle replicas)"


def served(draw: type[Draw], model: str, hour: int = 0, **more: object) -> Row:
    """Return what the pod served in an hour."""
    return {
        "charge_date": draw.day,
        "charge_hour": draw.at(hour),
        "cluster": "c1",
        "namespace": "lab",
        "pod": "server",
        "model_name": model,
        "requests": 0,
    } | more


def world(draw: type[Draw], *counted: Row, hours: int = 1, **pod: str) -> World:
    """Return a machine of 10 an hour, held whole by a pod that serves."""
    return {
        "cost_lines": [draw.machine(10, hour) for hour in range(hours)],
        "node_hours": [draw.node(hour, gpu=1, cpu=0, memory=0) for hour in range(hours)],
        "pod_hours": [draw.pod("server", hour, gpu=1, **pod) for hour in range(hours)],
        "served_hours": list(counted),
    }


def models(
    build: Build, tables: World, policy: str = "separate"
) -> dict[tuple[str, str | None], Decimal]:
    return build(tables, idle_policy=policy).costs("model, model_version")


def test_models_of_a_pod_share_it_by_compute_seconds(build: Build, draw: type[Draw]) -> None:
    tables = world(
        draw,
        served(draw, "a", model_version="1", requests=1, compute_seconds=30),
        served(draw, "a", model_version="2", requests=900, compute_seconds=10),
        served(draw, "b", requests=9, compute_seconds=0),
    )
    assert models(build, tables) == {("a", "1"): Decimal("7.5"), ("a", "2"): Decimal("2.5")}


def test_tokens_count_where_no_compute_time_is_told_and_requests_last(
    build: Build, draw: type[Draw]
) -> None:
    by_tokens = world(
        draw,
        served(draw, "a", requests=1, input_tokens=100, output_tokens=200),
        served(draw, "b", requests=9, input_tokens=100, output_tokens=0),
    )
    assert models(build, by_tokens) == {("a", None): Decimal("7.5"), ("b", None): Decimal("2.5")}
    by_requests = world(draw, served(draw, "a", requests=1), served(draw, "b", requests=3))
    assert models(build, by_requests) == {("a", None): Decimal("2.5"), ("b", None): Decimal("7.5")}


def test_no_model_is_free_because_its_server_counts_another_thing(
    build: Build, draw: type[Draw]
) -> None:
    both = world(
        draw,
        served(draw, "a", requests=1, compute_seconds=30),
        served(draw, "b", requests=3, input_tokens=100),
        served(draw, "quiet", requests=None),
    )
    assert models(build, both) == {("a", None): Decimal("2.5"), ("b", None): Decimal("7.5")}
    neither = world(
        draw,
        served(draw, "a", requests=None, compute_seconds=30),
        served(draw, "b", requests=None, input_tokens=100),
    )
    assert models(build, neither) == {("a", None): Decimal(10)}, "nothing to hold them against"


def test_an_hour_without_requests_is_an_idle_replicas(build: Build, draw: type[Draw]) -> None:
    """It stays the team's that holds it; only in the dimension of models it is nobody's."""
    tables = world(
        draw,
        served(draw, "a", 0, requests=5),
        served(draw, "a", 1),
        served(draw, "b", 1),
        hours=2,
        team_raw="vision",
        model_raw="label",
    )
    built = build(tables)
    assert built.costs("model, served_model") == {
        ("a", "a"): Decimal(10),
        (IDLE, "a"): Decimal(5),
        (IDLE, "b"): Decimal(5),
    }
    spent = dict(
        built.rows(
            "select member, sum(effective_cost) from marts.spend_daily "
            "where dimension in ('model', 'team') group by member"
        )
    )
    assert spent == {"a": Decimal(10), IDLE: Decimal(10), "vision": Decimal(20)}
    assert built.costs("cost_kind") == {"direct": Decimal(20)}


def test_a_machine_billed_by_the_day_takes_each_hour_by_its_own_counters(
    build: Build, draw: type[Draw]
) -> None:
    tables = world(
        draw,
        served(draw, "a", 0, requests=1_000_000),
        served(draw, "b", 1, requests=1),
        served(draw, "b", 2),
        hours=4,
    )
    tables["cost_lines"] = [draw.machine(40, None)]
    built = build(tables)
    parts = built.costs("model, served_model", "pod_id is not null")
    assert parts == {
        ("a", "a"): Decimal(10),
        ("b", "b"): Decimal(10),
        (IDLE, "b"): Decimal(10),
        (None, None): Decimal(10),
    }


def test_without_counters_the_label_names_the_model(build: Build, draw: type[Draw]) -> None:
    tables = world(draw, served(draw, "a", 0, requests=1), hours=2, model_raw="label")
    assert models(build, tables) == {("a", None): Decimal(10), ("label", None): Decimal(10)}
    tables["served_hours"] = []
    assert models(build, tables) == {("label", None): Decimal(20)}


def test_what_a_run_holds_of_a_pod_goes_by_the_run(build: Build, draw: type[Draw]) -> None:
    """Training that asks a server of its own pod is training."""
    tables = world(draw, served(draw, "a", requests=5), hours=1)
    tables["runs"] = [draw.run("r", 0, 0.25)]
    tables["run_places"] = [{"run_key": "r", "pod": "server"}]
    assert build(tables).costs("run_id, model") == {
        ("r", None): Decimal("2.5"),
        (None, "a"): Decimal("7.5"),
    }


@pytest.mark.parametrize("policy", ["by_node", "by_cluster"])
def test_idle_resources_follow_the_models_of_their_holder(
    build: Build, draw: type[Draw], policy: str
) -> None:
    tables = world(draw, served(draw, "a", requests=1), served(draw, "b", requests=3))
    tables["node_hours"] = [draw.node(gpu=2, cpu=0, memory=0)]
    assert models(build, tables, policy) == {
        ("a", None): Decimal("2.5"),
        ("b", None): Decimal("7.5"),
    }


def test_a_day_of_serving_tells_what_a_request_and_a_token_cost(
    build: Build, draw: type[Draw]
) -> None:
    tables = world(
        draw,
        served(draw, "llm", 0, requests=500, input_tokens=30_000, output_tokens=10_000),
        served(draw, "llm", 1, requests=0, input_tokens=0, output_tokens=0),
        hours=2,
    )
    (row,) = build(tables).rows(
        "select model, model_version, replica_count, requests, input_tokens, output_tokens, "
        "effective_cost, idle_cost, gpu_hours, cost_per_1000_requests, cost_per_million_tokens "
        "from marts.serving_daily"
    )
    assert row == ("llm", None, 1, 500, 30_000, 10_000, 10, 10, 2, 20, 250)


def quiet_days(draw: type[Draw], days: int, **last: object) -> World:
    """Return a pod that holds a machine whole for days, and nobody asks."""
    tables: World = {"cost_lines": [], "node_hours": [], "pod_hours": [], "served_hours": []}
    for back in range(days):
        for hour in range(24):
            one = world(draw, served(draw, "a", hour, model_version="3"), hours=1)
            for name, rows in one.items():
                for row in rows:
                    day = draw.day - timedelta(days=back)
                    row |= {"charge_date": day, "charge_hour": draw.at(hour, day)}
                    tables[name].append(row)
    newest = max(tables["served_hours"], key=lambda row: row["charge_hour"])
    newest |= last
    return tables


def test_replicas_without_requests_for_days_are_found(build: Build, draw: type[Draw]) -> None:
    found = build(quiet_days(draw, 4)).rows(
        "select resource_id, since, monthly_waste, evidence, conflict_key "
        "from detectors.idle_replicas"
    )
    assert found == [
        (
            "c1/lab/server",
            draw.day - timedelta(days=3),
            Decimal(240) * Decimal("30.4375"),
            "no request to a 3 for 96 h of counters",
            "pod c1/lab/server",
        )
    ]


def test_a_request_today_or_too_few_hours_of_counters_are_no_finding(
    build: Build, draw: type[Draw]
) -> None:
    asked = quiet_days(draw, 4, requests=1)
    assert build(asked).rows("select * from detectors.idle_replicas") == []
    young = quiet_days(draw, 2)
    assert build(young).rows("select * from detectors.idle_replicas") == []
    unseen = quiet_days(draw, 4)
    unseen["served_hours"] = unseen["served_hours"][::2]
    assert build(unseen).rows("select * from detectors.idle_replicas") == []
