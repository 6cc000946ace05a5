"""Every model with money in it keeps the sum that its rows are parts of, in any world.

Some promise it in their header, and `test_promises.py` breaks those. What the others are parts of
is written here, once, and added up row by row in plain Python. A model with money that is in none
of the lists fails a test.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings

from queries.catalog import models
from tests.queries.attribution.conftest import Warehouse
from tests.queries.attribution.test_conservation import CASES
from tests.queries.attribution.worlds import policies, tables_of, totals_of, worlds
from tests.queries.bills import EXACT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.queries.attribution.conftest import Build, Draw

COSTS = "effective_cost, billed_cost, list_cost"
BOTH = "effective_cost, billed_cost"
LINES = (
    "attribution.line_groups inner join attribution.line_methods using (line_no) "
    "inner join attribution.line_kinds using (kind_no)"
)
OF_LINES = (
    "inner join attribution.line_groups as lines using (line_no) "
    "inner join attribution.line_kinds as kinds using (kind_no)"
)
DIMENSIONS = "(select unnest(['user', 'team', 'project', 'model', 'dataset', 'service']))"


@dataclass(frozen=True)
class Whole:
    """What a model's rows add up to: two selects of keys and then money, the model's own first."""

    ours: str
    theirs: str
    money: int = 2
    """How many columns, from the right, are money."""


WHOLES = {
    "attribution.line_groups": Whole(
        f"select charge_date, source, billing_currency, {COSTS} from attribution.line_groups "
        "inner join attribution.line_kinds using (kind_no)",
        f"select charge_date, source, billing_currency, {COSTS} from attribution.line_sums",
        3,
    ),
    "attribution.data_parts": Whole(
        f"select line_no, {COSTS} from attribution.data_parts",
        f"select line_no, {COSTS} from {LINES} where method in ('reads', 'stored_bytes')",
        3,
    ),
    "attribution.job_parts": Whole(
        f"select line_no, {COSTS} from attribution.job_parts",
        f"select line_no, {COSTS} from {LINES} where method = 'managed_job'",
        3,
    ),
    "attribution.control_plane_parts": Whole(
        f"select line_no, {COSTS} from attribution.control_plane_parts",
        f"select line_no, {COSTS} from {LINES} semi join attribution.control_plane_parts "
        "using (line_no) where method = 'by_kind' and x_line_class = 'control_plane'",
        3,
    ),
    "attribution.used_parts": Whole(
        f"select line_no, {COSTS} from attribution.used_parts",
        f"select line_no, {COSTS} from {LINES} "
        "where method in ('pod_claim', 'attached_machine', 'snapshot_volume', 'flow_log')",
        3,
    ),
    "attribution.machine_lines": Whole(
        "select lines.charge_date, lines.kind_no, costs.effective_cost, costs.billed_cost, "
        f"costs.list_cost from attribution.machine_lines as costs {OF_LINES}",
        "select line_groups.charge_date, kind_no, effective_cost, billed_cost, list_cost "
        f"from {LINES} where method = 'machine_share'",
        3,
    ),
    "attribution.line_parts": Whole(
        f"select line_no, {COSTS} from attribution.line_parts",
        f"select line_no, {COSTS} from {LINES} where method not in ('owner', 'by_kind') "
        "or line_no in (select line_no from attribution.control_plane_parts)",
        3,
    ),
    "attribution.machine_parts": Whole(
        "select lines.charge_date, lines.kind_no, parts.effective_cost, parts.billed_cost, "
        f"parts.list_cost from attribution.machine_parts as parts {OF_LINES}",
        "select line_groups.charge_date, kind_no, effective_cost, billed_cost, list_cost "
        f"from {LINES} where method = 'machine_share'",
        3,
    ),
    "attribution.idle_parts": Whole(
        "select lines.charge_date, kinds.source, kinds.billing_currency, parts.effective_cost, "
        f"parts.billed_cost, parts.list_cost from attribution.idle_parts as parts {OF_LINES}",
        "select lines.charge_date, kinds.source, kinds.billing_currency, parts.effective_cost, "
        f"parts.billed_cost, parts.list_cost from attribution.machine_parts as parts {OF_LINES} "
        "where parts.cost_kind = 'idle'",
        3,
    ),
    "attribution.machine_days": Whole(
        "select charge_date, instance_id, billing_currency, effective_cost, idle_cost, lost_cost "
        "from attribution.machine_days",
        "select lines.charge_date, kinds.instance_id, kinds.billing_currency, "
        "lines.effective_cost, parts.idle_cost, parts.lost_cost "
        "from attribution.line_groups as lines "
        "inner join attribution.line_kinds as kinds using (kind_no) "
        "left join (select line_no, "
        "sum(effective_cost) filter (where cost_kind = 'idle') as idle_cost, "
        "sum(effective_cost) filter (where cost_kind not in ('idle', 'direct')) as lost_cost "
        "from attribution.machine_parts group by line_no) as parts "
        "using (line_no) where lines.slot is not null",
        3,
    ),
    "attribution.work_days": Whole(
        f"select charge_date, source, billing_period, billing_currency, dataset, model, {BOTH} "
        "from attribution.work_days",
        f"select charge_date, source, billing_period, billing_currency, dataset, model, {BOTH} "
        "from attribution.postings",
    ),
    "attribution.owner_spend": Whole(
        "select charge_date, source, billing_period, billing_currency, cost_kind, service_name, "
        f"{BOTH} from attribution.owner_spend",
        "select charge_date, source, billing_period, billing_currency, cost_kind, service_name, "
        f"{BOTH} from attribution.postings",
    ),
    "attribution.run_spend": Whole(
        f"select run_id, billing_currency, {BOTH} from attribution.run_spend",
        f"select run_id, billing_currency, {BOTH} from attribution.postings "
        "where run_id is not null",
    ),
    "attribution.run_transfers": Whole(
        "select charge_date, source, billing_currency, dataset, run_id, effective_cost "
        "from attribution.run_transfers",
        "select charge_date, source, billing_currency, dataset, run_id, effective_cost "
        "from attribution.postings where method = 'reads' and run_id is not null and dataset "
        "not in ('(unregistered)', '(orphaned artefacts)', '(unattributed egress)')",
        1,
    ),
    "attribution.member_spend": Whole(
        "select charge_date, source, billing_period, billing_currency, dimension, "
        f"{BOTH} from attribution.member_spend",
        "select charge_date, source, billing_period, billing_currency, dimension, "
        f"{BOTH} from attribution.postings cross join {DIMENSIONS} as dimensions(dimension)",
    ),
    "attribution.version_spend": Whole(
        "select charge_date, source, billing_period, billing_currency, dimension, member, "
        f"cost_kind, service_name, {BOTH} from attribution.version_spend",
        "select charge_date, source, billing_period, billing_currency, dimension, member, "
        f"cost_kind, service_name, {BOTH} from attribution.member_spend "
        "where dimension in ('model', 'dataset')",
    ),
    "attribution.work_spend": Whole(
        f"select charge_date, billing_currency, dimension, member, {BOTH} "
        "from attribution.work_spend",
        f"select charge_date, billing_currency, dimension, member, {BOTH} "
        "from attribution.member_spend where dimension in ('model', 'dataset')",
    ),
    "attribution.named_postings": Whole(
        f"select charge_date, source, billing_currency, cost_kind, {COSTS} "
        "from attribution.named_postings",
        f"select charge_date, source, billing_currency, cost_kind, {COSTS} "
        "from attribution.postings",
        3,
    ),
    "attribution.serving_costs": Whole(
        "select charge_date, billing_currency, effective_cost + idle_cost "
        "from attribution.serving_costs",
        "select charge_date, billing_currency, effective_cost from attribution.postings "
        "where served_model is not null",
        1,
    ),
    "attribution.reporting_days": Whole(
        f"select charge_date, source, billing_currency, dimension, {BOTH} "
        "from attribution.reporting_days",
        f"select charge_date, source, billing_currency, dimension, {BOTH} "
        "from attribution.member_spend",
    ),
    "attribution.team_months": Whole(
        "select charge_month, billing_currency, effective_cost from attribution.team_months",
        "select cast(date_trunc('month', charge_date) as date), billing_currency, effective_cost "
        "from attribution.postings",
        1,
    ),
    "attribution.gpu_holder_days": Whole(
        "select charge_date, pod_id, billing_currency, effective_cost "
        "from attribution.gpu_holder_days",
        "select charge_date, pod_id, billing_currency, effective_cost from attribution.postings "
        "semi join (from attribution.gpu_holder_hours inner join attribution.gpu_holders "
        "using (holder_hash) where is_live) as held "
        "using (charge_date, pod_id) "
        "where method = 'machine_share' and cost_kind in ('direct', 'unattributed')",
        1,
    ),
    "marts.books": Whole(
        "select source, billing_period, billing_currency, measure, dimension, "
        "attributed + idle + shared + unattributed, billed from marts.books",
        "select source, billing_period, billing_currency, measure, dimension, cost, cost "
        "from (unpivot (select source, billing_period, billing_currency, effective_cost, "
        "billed_cost from staging.cost_lines) on effective_cost, billed_cost "
        f"into name measure value cost) cross join {DIMENSIONS} as dimensions(dimension)",
    ),
    "marts.conversions": Whole(
        f"select charge_date, source, billing_currency, {BOTH}, difference from marts.conversions",
        f"select charge_date, source, billing_currency, {BOTH}, 0 from attribution.postings",
        3,
    ),
    "marts.coverage": Whole(
        "select dimension, billing_currency, effective_cost from marts.coverage",
        "select dimension, billing_currency, effective_cost from attribution.postings "
        "cross join (select unnest(['user', 'team', 'project'])) as dimensions(dimension) "
        "where user_rule is not null",
        1,
    ),
    "marts.gpu_prices": Whole(
        "select billing_currency, effective_cost from marts.gpu_prices",
        "select billing_currency, effective_cost from attribution.postings where gpu_hours > 0",
        1,
    ),
    "marts.gpu_uses": Whole(
        "select charge_date, billing_currency, effective_cost from marts.gpu_uses",
        "select charge_date, billing_currency, effective_cost from attribution.machine_days "
        "where gpu_count > 0",
        1,
    ),
    "marts.machines_daily": Whole(
        "select charge_date, billing_currency, effective_cost, idle_cost, lost_cost "
        "from marts.machines_daily",
        "select charge_date, billing_currency, effective_cost, idle_cost, lost_cost "
        "from attribution.machine_days",
        3,
    ),
    "marts.runs": Whole(
        f"select run_id, billing_currency, {BOTH} from marts.runs",
        f"select run_id, billing_currency, {BOTH} from attribution.postings "
        "where run_id is not null",
    ),
    "marts.serving_daily": Whole(
        "select charge_date, model, billing_currency, effective_cost, idle_cost "
        "from marts.serving_daily",
        "select charge_date, model, billing_currency, effective_cost, idle_cost "
        "from attribution.serving_costs",
    ),
    "marts.training_jobs": Whole(
        "select billing_currency, effective_cost, failed_cost from marts.training_jobs",
        "select billing_currency, effective_cost, "
        "case when status in ('failed', 'lost') then effective_cost else 0 end from marts.runs",
    ),
}
ELSEWHERE = {
    "attribution.full_cost_lines": "not additive: test_full_cost_sums.py",
    "attribution.full_costs": "not additive: test_full_cost_sums.py",
    "marts.dataset_full_cost": "not additive: test_full_cost_sums.py",
    "marts.model_full_cost": "not additive: test_full_cost_sums.py",
    "attribution.objective_days": "a run's once for each metric: test_objectives.py",
    "marts.run_objectives": "a run's once for each metric: test_objectives.py",
    "attribution.resource_costs": "scaled to a month: test_inventory_detectors.py",
    "attribution.present_things": "scaled to a month: test_inventory_detectors.py",
    "marts.findings": "scaled to a month: test_findings.py",
    "marts.list_prices": "prices",
    "marts.quotas": "limits and what windows hold: test_quotas.py",
    "marts.restatements": "what the ledger says: test_restated_bills.py",
    "marts.unknown_names": "of some names alone: test_unknown_names.py",
}
"""Models whose money is no part of a bill -> what it is, and where it is tested."""


def sums(built: Warehouse, query: str, money: int) -> dict[tuple[Any, ...], list[Decimal]]:
    """Add up rows one by one; keys whose sums are all 0 count for nothing."""
    found: dict[tuple[Any, ...], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * money)
    for row in built.rows(query):
        key = row[:-money]
        found[key] = [
            EXACT.add(total, cost or Decimal(0))
            for total, cost in zip(found[key], row[-money:], strict=True)
        ]
    return {key: totals for key, totals in found.items() if any(totals)}


@pytest.fixture(scope="module")
def empty() -> Iterator[Warehouse]:
    warehouse = Warehouse(threads=1)
    warehouse.build()
    yield warehouse
    warehouse.con.close()


def money_of(warehouse: Warehouse, model: str) -> Sequence[str]:
    """Return a model's columns of money."""
    described = warehouse.rows(f"describe {model}")
    return [
        row[0] for row in described if row[1] == "DECIMAL(38,12)" and not row[0].endswith("hours")
    ]


def test_every_model_with_money_is_held_against_something(empty: Warehouse) -> None:
    found = {
        model.name
        for model in models()
        if model.layer in ("attribution", "marts") and money_of(empty, model.name)
    }
    promised = {model.name for model in models() if model.conserves}

    assert found - promised == WHOLES.keys() | ELSEWHERE.keys()
    assert not promised & (WHOLES.keys() | ELSEWHERE.keys())


@settings(CASES, max_examples=8)
@given(world=worlds, policy=policies)
def test_every_model_is_all_of_what_it_is_a_part_of(
    build: Build, draw: type[Draw], world: dict[str, Any], policy: dict[str, Any]
) -> None:
    rate = {"rate_date": draw.day, "from_currency": "EUR", "to_currency": "USD", "rate": "1.0735"}
    tables = tables_of(world, draw)
    tables |= {"exchange_rates": [rate], "raw.reporting": [{"currency": "USD"}]}
    built = build(tables, **policy)

    for model, whole in WHOLES.items():
        ours = sums(built, whole.ours, whole.money)
        assert ours == sums(built, whole.theirs, whole.money), model


@pytest.fixture(scope="module")
def full(draw: type[Draw]) -> Iterator[Warehouse]:
    """Return a warehouse in which every model of the list has rows with cost."""
    warehouse = Warehouse(threads=1)
    storage: dict[str, Any] = {"resource_id": "data", "x_line_class": "object_storage"}
    fee: dict[str, Any] = {"x_line_class": "control_plane", "resource_id": "c1"}
    job: dict[str, Any] = {"x_line_class": "managed_job", "resource_id": "job-1"}
    disk: dict[str, Any] = {"x_line_class": "volume", "resource_id": "vol-1"}
    border = {"x_from_region": "us", "x_to_region": "eu"}
    read: dict[str, Any] = {"x_line_class": "transfer", "resource_id": "data"} | border
    volume = {
        "source": "inv",
        "sub_account_id": "1",
        "region_id": "us",
        "resource_type": "volume",
        "charge_date": draw.day,
    }
    named = volume | {"resource_id": "vol-1"}
    lines = [
        draw.line(5, **disk),
        draw.machine(80, region_id="eu"),
        draw.line(4, **storage),
        draw.line(6, **read),
        draw.line(3, **fee),
        draw.line(2, **job),
    ]
    pods = [
        draw.pod("a", gpu=2, run_native_id="r1"),
        draw.pod("b", gpu=2, team_raw="vision", held_seconds=3600),
    ]
    served = {
        "charge_date": draw.day,
        "charge_hour": draw.at(0),
        "cluster": "c1",
        "namespace": "lab",
        "pod": "b",
        "model_name": "lens",
        "requests": 9,
    }
    warehouse.fill(
        {
            "cost_lines": lines,
            "raw.totals": totals_of(lines),
            "listed_scopes": [volume],
            "listed_things": [named],
            "listed_links": [named | {"relation": "attached_to", "related_id": "i-1"}],
            "node_hours": [draw.node(gpu=8, cpu=0, memory=0)],
            "pod_hours": pods,
            "served_hours": [served],
            "runs": [draw.run("r1"), draw.run("r2", cloud_job_arn="job-1")],
            "run_places": [{"run_key": "r1", "pod": "a"}],
            "run_inputs": [{"run_key": "r1", "dataset_uri": "s3://data/d", "bytes_read": 9}],
            "datasets": [{"dataset": "d", "uri": "s3://data/d", "region_id": "us"}],
            "stored_bytes": [
                {
                    "charge_date": draw.day,
                    "container": "data",
                    "prefix": "d",
                    "size_bytes": 9,
                    "is_current": True,
                }
            ],
            "exchange_rates": [
                {
                    "rate_date": draw.day,
                    "from_currency": "USD",
                    "to_currency": "EUR",
                    "rate": "0.5",
                }
            ],
            "raw.reporting": [{"currency": "EUR"}],
        }
    )
    warehouse.build(control_planes="by_cluster")
    yield warehouse
    warehouse.con.close()


@pytest.mark.parametrize("model", WHOLES)
def test_a_lost_row_is_seen(full: Warehouse, model: str) -> None:
    """The comparison above can fail, for every model."""
    whole = WHOLES[model]
    theirs = sums(full, whole.theirs, whole.money)
    costs = " or ".join(f"coalesce({column}, 0) <> 0" for column in money_of(full, model))

    assert sums(full, whole.ours, whole.money) == theirs != {}
    full.con.execute("begin")
    full.con.execute(
        f"delete from {model} where rowid = (select min(rowid) from {model} where {costs})"
    )
    lost = sums(full, whole.ours, whole.money)
    theirs = sums(full, whole.theirs, whole.money)
    full.con.execute("rollback")
    assert lost != theirs
