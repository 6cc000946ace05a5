"""The fee of a cluster: whose it is, and when it stays nobody's."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.queries.attribution.worlds import totals_of

if TYPE_CHECKING:
    from tests.queries.attribution.conftest import Build, Draw

LAB = "arn:aws:eks:us-east-1:111:cluster/C1"
OF_AKS = "/subscriptions/x/resourcegroups/y/providers/microsoft.containerservice/managedclusters/c1"


def world(draw: type[Draw], fee: str | None, **more: Any) -> dict[str, Any]:
    """Return a machine of 80 of which two teams held 1 and 3 GPUs of 8, and a fee of 2.4."""
    pods = [draw.pod("a", gpu=1, team_raw="vision"), draw.pod("b", gpu=3, team_raw="speech")]
    about: dict[str, Any] = {
        "x_line_class": "control_plane",
        "resource_id": fee,
        "service_name": "Amazon EKS",
    }
    lines = [draw.machine(80), draw.line("2.4", **(about | more))]
    return {
        "cost_lines": lines,
        "raw.totals": totals_of(lines),
        "node_hours": [draw.node(gpu=8, cpu=0, memory=0)],
        "pod_hours": pods,
    }


@pytest.mark.parametrize("fee", [LAB, OF_AKS, "c1"])
@pytest.mark.parametrize("idle", ["separate", "by_node", "by_cluster"])
def test_the_fee_goes_to_who_used_the_cluster(
    build: Build, draw: type[Draw], fee: str, idle: str
) -> None:
    """By what they pay for what they held, whatever becomes of what nobody held."""
    built = build(world(draw, fee), control_planes="by_cluster", idle_policy=idle)

    where = "x_line_class = 'control_plane'"
    found = built.costs("cost_kind, method, team, team_rule, resource_id", where)
    assert found == {
        ("shared", "cluster_share", "vision", "pod_label", fee): Decimal("0.6"),
        ("shared", "cluster_share", "speech", "pod_label", fee): Decimal("1.8"),
    }
    assert set(built.rows("select shared, difference from marts.books")) == {
        (Decimal("2.4"), Decimal(0))
    }


def test_a_fee_is_a_model_s_where_its_run_held_the_cluster(build: Build, draw: type[Draw]) -> None:
    tables = world(draw, LAB)
    tables["pod_hours"] = [draw.pod("a", gpu=8, run_native_id="r1")]
    tables["runs"] = [draw.run("r1")]
    tables["run_places"] = [{"run_key": "r1", "pod": "a"}]
    tables["run_models"] = [{"run_key": "r1", "model_name": "lens", "model_version": "1"}]
    built = build(tables, control_planes="by_cluster")

    assert built.rows(
        "select member, sum(effective_cost) from attribution.member_spend "
        "where dimension = 'model' group by all"
    ) == [("lens", Decimal("82.4"))]


@pytest.mark.parametrize(
    ("fee", "more", "policy"),
    [
        (LAB, {}, "shared"),
        ("arn:aws:eks:us-east-1:111:cluster/other", {}, "by_cluster"),
        (None, {}, "by_cluster"),
        (LAB, {"billing_currency": "EUR"}, "by_cluster"),
        (LAB, {"x_line_class": "support"}, "by_cluster"),
    ],
)
def test_a_fee_of_no_known_cluster_stays_nobody_s(
    build: Build, draw: type[Draw], fee: str | None, more: dict[str, Any], policy: str
) -> None:
    built = build(world(draw, fee, **more), control_planes=policy)

    found = built.costs("cost_kind, method, team", "x_line_class in ('control_plane', 'support')")
    assert found == {("shared", "by_kind", None): Decimal("2.4")}


def test_the_company_s_rule_on_a_fee_beats_the_users(build: Build, draw: type[Draw]) -> None:
    tables = world(draw, LAB)
    rule = {"rule_id": "fees", "position": 1, "is_override": False, "team": "platform"}
    tables["ownership_rules"] = [rule | {"match_resource_id": "arn:aws:eks:*"}]
    built = build(tables, control_planes="by_cluster")

    found = built.costs("team, team_rule", "x_line_class = 'control_plane'")
    assert found == {("platform", "fees"): Decimal("2.4")}


def test_names_that_differ_in_case_alone_pay_a_fee_once(build: Build, draw: type[Draw]) -> None:
    tables = world(draw, LAB)
    tables["cost_lines"].append(draw.machine(80, instance="i-2"))
    tables["node_hours"].append(draw.node(instance="i-2", gpu=8, cpu=0, memory=0, cluster="C1"))
    tables["pod_hours"].append(draw.pod("c", instance="i-2", gpu=8, cluster="C1", team_raw="nlp"))
    built = build(tables, control_planes="by_cluster")

    assert built.costs("x_line_class")["control_plane"] == Decimal("2.4")
