"""Pods that only the bill knows: AWS's split cost allocation data, from the bill to the owners.

Source: https://docs.aws.amazon.com/cur/latest/userguide/example-accelerated-instances.html
"""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from tests.queries.attribution.test_published_splits import HELD, PRINTED
from tests.queries.bills import stage_rows
from tests.queries.split_bill import machine, pod_lines, split, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.queries.attribution.conftest import Build, Draw, Row
    from tests.queries.split_bill import Line

OF_POD = "split_part(pod_id, '/', -1)"
PLAN = "arn:aws:savingsplans::1:savingsplan/sp-1"
COVERED: list[dict[str, str]] = [
    {
        "line_item_line_item_type": "SavingsPlanCoveredUsage",
        "savings_plan_savings_plan_a_r_n": PLAN,
        "savings_plan_savings_plan_effective_cost": "7.31",
    },
    {"line_item_line_item_type": "SavingsPlanNegation", "savings_plan_savings_plan_a_r_n": PLAN},
]


def bill(folder: Path, *lines: Line) -> dict[str, list[Row]]:
    """Return the canonical tables that a bill fills."""
    path = write(folder / "cur.csv", lines)
    return {
        "cost_lines": stage_rows("aws_cur", [path]),
        "billed_pods": stage_rows("aws_cur", [path], "billed_pods"),
    }


def test_pods_of_a_bill_alone_cost_what_aws_prints(build: Build, tmp_path: Path) -> None:
    """The published p3.16xlarge at $10: what is printed as unused is what nobody holds."""
    tables = bill(tmp_path, machine("10"), *pod_lines(HELD))
    shared = build(tables, idle_policy="by_node").costs(f"{OF_POD}, cost_kind")
    rounded = {key: round(cost, 2) for key, cost in shared.items() if cost}

    for pod, (split_cost, unused) in (PRINTED | {"4": PRINTED["3"]}).items():
        assert rounded[pod, "direct"] == Decimal(split_cost)
        assert rounded[pod, "idle"] == Decimal(unused)
    assert sum(shared.values()) == 10

    alone = build(tables).costs("cost_kind")
    assert round(alone["idle"], 9) == round(Decimal(48) / Decimal("178.4"), 9)


def test_the_amortised_cost_of_a_covered_machine_is_shared(build: Build, tmp_path: Path) -> None:
    lines = [
        machine("24.48", **COVERED[0]),
        machine("-24.48", **COVERED[1]),
        *pod_lines({"p": {"gpu": 8, "cpu": 64, "memory": 488}}),
    ]
    built = build(bill(tmp_path, *lines))
    assert {pod: cost for pod, cost in built.costs(OF_POD).items() if cost} == {
        "p": Decimal("7.31")
    }
    assert built.rows("select sum(billed_cost) from attribution.postings") == [(Decimal(0),)]


def test_a_pods_tags_own_what_it_holds(build: Build, tmp_path: Path) -> None:
    lines = [
        machine("10"),
        *pod_lines({"a": {"gpu": 4}}, resource_tags='{"team": "vision", "user": "ada"}'),
        *pod_lines({"b": {"gpu": 2}}, resource_tags='{"team": "speech"}'),
    ]
    built = build(bill(tmp_path, *lines))
    teams = dict(
        built.rows(
            "select member, sum(effective_cost) from marts.spend_daily where dimension = 'team' "
            "group by all having sum(effective_cost) <> 0"
        )
    )
    gpus = Decimal(720) / Decimal("178.4")
    assert round(teams["vision"], 9) == round(gpus / 2, 9)
    assert round(teams["speech"], 9) == round(gpus / 4, 9)
    assert sum(teams.values()) == 10
    assert set(teams) == {"vision", "speech", "(idle)"}


def test_the_map_of_namespaces_owns_what_no_tag_does(build: Build, tmp_path: Path) -> None:
    rule = {
        "rule_id": "lab",
        "position": 1,
        "is_override": False,
        "is_claim": False,
        "match_namespace": "lab",
        "team": "vision",
    }
    lines = pod_lines({"p": {"gpu": 8, "cpu": 64, "memory": 488}}, resource_tags="")
    built = build(bill(tmp_path, machine("10"), *lines) | {"ownership_rules": [rule]})
    assert built.rows(
        "select member, sum(effective_cost) from marts.spend_daily where dimension = 'team' "
        "group by all having sum(effective_cost) <> 0"
    ) == [("vision", Decimal(10))]


def test_ignored_split_rows_leave_the_machine_to_its_tags(build: Build, tmp_path: Path) -> None:
    lines = [machine("10", resource_tags='{"team": "infra"}'), *pod_lines(HELD)]
    built = build(bill(tmp_path, *lines), split_cost_allocation="ignore")
    assert built.costs("tag_team, pod_id", "effective_cost <> 0") == {("infra", None): Decimal(10)}


def test_telemetry_comes_first_hour_by_hour(build: Build, draw: type[Draw], tmp_path: Path) -> None:
    """Two hours billed, both split by the bill, the first watched by the cluster as well."""
    second = {
        "line_item_usage_start_date": "2026-10-05T01:00:00Z",
        "line_item_usage_end_date": "2026-10-05T02:00:00Z",
    }
    whole = {"gpu": 8, "cpu": 64, "memory": 488}
    tables = bill(
        tmp_path,
        machine("10"),
        machine("6", **second),
        *pod_lines({"p": whole}),
        *pod_lines({"p": whole}, **second),
    )
    half = draw.pod("p", gpu=4, cpu=32, memory=244, team_raw="lab")
    told = {"node_hours": [draw.node()], "pod_hours": [half]}
    built = build(tables | told)
    assert built.costs("cost_kind") == {"direct": Decimal(11), "idle": Decimal(5)}


def test_telemetry_that_calls_a_node_by_its_machine_comes_first_too(
    build: Build, draw: type[Draw], tmp_path: Path
) -> None:
    tables = bill(tmp_path, machine("10"), *pod_lines({"p": {"gpu": 8, "cpu": 64, "memory": 488}}))
    half = draw.pod("p", gpu=4, cpu=32, memory=244, team_raw="lab") | {"node": "I-1"}
    assert build(tables | {"pod_hours": [half]}).costs("cost_kind") == {
        "direct": Decimal(5),
        "idle": Decimal(5),
    }


def test_a_machine_that_no_pod_was_split_on_in_an_hour_is_idle_then(
    build: Build, tmp_path: Path
) -> None:
    second = {
        "line_item_usage_start_date": "2026-10-05T01:00:00Z",
        "line_item_usage_end_date": "2026-10-05T02:00:00Z",
    }
    whole = pod_lines({"p": {"gpu": 8, "cpu": 64, "memory": 488}})
    built = build(bill(tmp_path, machine("10"), machine("6", **second), *whole))
    assert built.costs("cost_kind") == {"direct": Decimal(10), "idle": Decimal(6)}


def test_a_machine_of_unknown_size_has_what_the_parts_tell(build: Build, tmp_path: Path) -> None:
    """No attributes on the bill, no row in the table of types: a quarter of it is held."""
    lines = [
        machine("8", line_item_usage_type="BoxUsage:x99.large"),
        split("cpu", "16", "arn:aws:eks:us-east-1:42:pod/ml/lab/p/u", "0.25"),
        split("memory", "64", "arn:aws:eks:us-east-1:42:pod/ml/lab/p/u", "0.25"),
    ]
    assert build(bill(tmp_path, *lines)).costs("cost_kind") == {
        "direct": Decimal(2),
        "idle": Decimal(6),
    }


def test_a_run_in_a_pod_that_only_the_bill_knows_pays(
    build: Build, draw: type[Draw], tmp_path: Path
) -> None:
    whole = {"gpu": 8, "cpu": 64, "memory": 488}
    tables: dict[str, Any] = bill(tmp_path, machine("10"), *pod_lines({"p": whole}))
    run = draw.run("r", 0, 0.5, user_raw="ada")
    place = {"run_key": "r", "cluster": "ml", "namespace": "lab", "pod": "p"}
    built = build(tables | {"runs": [run], "run_places": [place]})
    assert built.costs("run_id is not null") == {True: Decimal(5), False: Decimal(5)}


def test_a_machine_billed_by_the_day_is_shared_by_the_day(build: Build, tmp_path: Path) -> None:
    day = {"line_item_usage_end_date": "2026-10-06T00:00:00Z"}
    quarter = {"gpu": 8 * 6, "cpu": 64 * 6, "memory": 488 * 6}
    lines = [machine("240", line_item_usage_amount="24", **day), *pod_lines({"p": quarter}, **day)]
    assert build(bill(tmp_path, *lines)).costs("cost_kind") == {
        "direct": Decimal(60),
        "idle": Decimal(180),
    }


@pytest.mark.parametrize("policy", ["separate", "by_node"])
def test_parts_of_split_machines_add_up_to_their_bills(
    build: Build, tmp_path: Path, policy: str
) -> None:
    """However much pods were allotted, more than there is too, at costs of any size."""
    drawn = Random(policy)  # noqa: S311
    costs, lines = {}, []
    for number in range(40):
        instance = f"i-{number}"
        costs[instance] = Decimal(drawn.randrange(10 ** drawn.randrange(4, 17))).scaleb(-10)
        pods = {
            f"p{number}-{pod}": {
                "gpu": drawn.randrange(5),
                "cpu": drawn.randrange(50),
                "memory": drawn.randrange(300),
            }
            for pod in range(drawn.randrange(1, 6))
        }
        lines += [machine(str(costs[instance]), instance), *pod_lines(pods, instance=instance)]
    built = build(bill(tmp_path, *lines), idle_policy=policy)
    found = built.costs("resource_id", "x_line_class = 'instance'")
    assert found == costs
    assert min(built.costs(f"{OF_POD}, cost_kind").values()) >= 0
