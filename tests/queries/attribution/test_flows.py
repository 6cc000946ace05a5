"""Transfers and NAT gateways: the machines that moved the bytes, as logs of the network tell."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.queries.attribution.conftest import Build, Draw, Row

GIB = 2**30


def flow(
    draw: type[Draw], gib: int, instance: str | None = "i-1", hour: int = 0, **more: object
) -> Row:
    """Return what a machine sent to the internet in an hour."""
    return {
        "source": "flows",
        "charge_date": draw.day,
        "charge_hour": draw.at(hour),
        "region_id": "us",
        "interface_id": f"eni-{instance}",
        "instance_id": instance,
        "route": "internet",
        "is_sent": True,
        "byte_count": gib * GIB,
    } | more


def line(draw: type[Draw], cost: int, gib: int, to: str = "internet", **more: object) -> Row:
    where = {"x_line_class": "transfer", "x_from_region": "us", "x_to_region": to}
    if to == "nat":
        where = {"x_line_class": "nat", "resource_id": "arn:aws:ec2:us:1:natgateway/nat-1"}
    quantity = {"consumed_quantity": gib, "consumed_unit": "GB", "region_id": "us"}
    service = {"service_name": "Amazon Elastic Compute Cloud"}
    return draw.line(cost) | where | quantity | service | more


def machines(draw: type[Draw]) -> dict[str, list[Row]]:
    """Return a run on one machine in its first hour, and a machine that nobody watches."""
    return {
        "cost_lines": [
            draw.machine(0, 0, "i-1", region_id="us"),
            draw.machine(0, 1, "i-1", region_id="us", tags={"team": "platform"}),
            draw.machine(0, 0, "i-2", region_id="us", tags={"team": "web"}),
        ],
        "runs": [draw.run("r1", 0, 1, user_raw="ada")],
        "run_places": [{"run_key": "r1", "instance_id": "i-1"}],
    }


MOVED = "effective_cost <> 0"


def test_a_line_of_all_machines_is_shared_by_the_bytes_of_each(
    build: Build, draw: type[Draw]
) -> None:
    """A run has the bytes of its hours, a machine those of hours that nobody held."""
    tables = machines(draw)
    tables["cost_lines"].append(line(draw, 10, 10))
    flows = [flow(draw, 4), flow(draw, 1, hour=1), flow(draw, 3, "i-2"), flow(draw, 9, None)]
    built = build(tables | {"network_flows": flows})

    assert built.costs("method, run_id, dataset, team, team_rule, cost_kind", MOVED) == {
        ("flow_log", "r1", None, None, "unattributed", "direct"): Decimal(4),
        ("flow_log", None, None, "platform", "related_tag", "direct"): Decimal(1),
        ("flow_log", None, None, "web", "related_tag", "direct"): Decimal(3),
        (
            "flow_log",
            None,
            "(unattributed egress)",
            None,
            "unattributed",
            "unattributed",
        ): Decimal(2),
    }
    assert set(built.costs("confidence", MOVED)) == {"medium"}
    assert built.rows(
        "select to_region, container, billed_bytes, logged_bytes, logged_share, told_by "
        "from marts.egress_coverage"
    ) == [("internet", "", 10 * GIB, 8 * GIB, 0.8, "flow_log")]


def test_a_line_that_names_a_machine_is_that_machines(build: Build, draw: type[Draw]) -> None:
    """More was logged than billed: all of the line is shared, and no more."""
    tables = machines(draw)
    tables["cost_lines"] += [line(draw, 6, 1, resource_id="i-1"), line(draw, 8, 1, resource_id="b")]
    built = build(
        tables | {"network_flows": [flow(draw, 1), flow(draw, 1, hour=1), flow(draw, 7, "i-2")]}
    )

    assert built.costs("method, run_id, resource_id, team", MOVED) == {
        ("flow_log", "r1", "i-1", None): Decimal(3),
        ("flow_log", None, "i-1", "platform"): Decimal(3),
        ("owner", None, "b", None): Decimal(8),  # a bucket's: the network does not know it
    }


def test_a_nat_gateway_is_paid_by_those_behind_it(build: Build, draw: type[Draw]) -> None:
    """What they sent and took through it; a machine with a way of its own is not behind it."""
    tables = machines(draw)
    tables["cost_lines"].append(line(draw, 12, 12, "nat"))
    flows = [
        flow(draw, 1, route="nat"),
        flow(draw, 5, is_sent=False),
        flow(draw, 6, "i-2", route="nat"),
        flow(draw, 50, "i-2", route="service"),
        flow(draw, 50, "i-3", is_sent=True),
        flow(draw, 50, "i-3", is_sent=False),
    ]
    built = build(tables | {"network_flows": flows})

    assert built.costs("run_id, team", MOVED) == {
        ("r1", None): Decimal(6),
        (None, "web"): Decimal(6),
    }
    assert built.rows("select to_region, container, told_by from marts.egress_coverage") == [
        ("nat", "nat-1", "flow_log")
    ]


def test_zones_are_told_by_the_addresses_in_them(build: Build, draw: type[Draw]) -> None:
    """Bytes between zones cost on both sides; those of one zone, or of an unknown one, do not."""
    tables = machines(draw)
    tables["cost_lines"].append(line(draw, 8, 8, "us"))

    def private(gib: int, instance: str, here: str, there: str, **more: object) -> Row:
        zone = {"10.0.0.1": "az1", "10.0.0.2": "az2", "10.0.0.3": "az1"}[here]
        ends = {"zone_id": zone, "local_address": here, "remote_address": there, "route": "private"}
        return flow(draw, gib, instance) | ends | more

    flows = [
        private(2, "i-1", "10.0.0.1", "10.0.0.2"),
        private(2, "i-2", "10.0.0.2", "10.0.0.1", is_sent=False),
        private(9, "i-1", "10.0.0.1", "10.0.0.3"),
        private(9, "i-4", "10.0.0.3", "10.0.0.1", is_sent=False),
        private(9, "i-1", "10.0.0.1", "10.9.9.9"),
    ]
    built = build(tables | {"network_flows": flows})

    assert built.costs("run_id, dataset, team", MOVED) == {
        ("r1", None, None): Decimal(2),
        (None, None, "web"): Decimal(2),
        (None, "(unattributed egress)", None): Decimal(4),
    }


def test_an_interface_is_its_machines_as_the_inventory_says(build: Build, draw: type[Draw]) -> None:
    """The default format names no machine."""
    tables = machines(draw)
    tables["cost_lines"].append(line(draw, 2, 2))
    base = {"source": "inv", "sub_account_id": "1", "region_id": "us", "charge_date": draw.day}
    base["resource_type"] = "instance"
    link = {"resource_id": "i-1", "relation": "has_interface", "related_id": "eni-7"}
    built = build(
        tables
        | {"listed_scopes": [base], "listed_things": [base | {"resource_id": "i-1"}]}
        | {"listed_links": [base | link]}
        | {"network_flows": [flow(draw, 2, None, interface_id="eni-7")]}
    )

    assert built.costs("run_id", MOVED) == {"r1": Decimal(2)}


def test_logs_of_a_store_come_before_those_of_the_network(build: Build, draw: type[Draw]) -> None:
    """And those of the network before what a tracker counted."""
    tables = machines(draw) | {
        "datasets": [{"dataset": "images", "uri": "s3://data/images", "region_id": "eu"}],
        "run_inputs": [{"run_key": "r1", "dataset_uri": "s3://data/images", "bytes_read": 300}],
    }
    tables["cost_lines"].append(
        line(draw, 2, 2, "internet", x_from_region="eu", resource_id="data")
    )
    flows = [flow(draw, 2, "i-2", region_id="eu")]
    read = {"source": "logs", "charge_date": draw.day, "container": "data", "prefix": "images"}
    read |= {"requester_raw": "arn:aws:iam::1:user/bob", "bytes_sent": 2 * GIB}
    built = build(tables | {"network_flows": flows, "object_reads": [read]})

    assert built.costs("method, user_raw", MOVED) == {("reads", "bob"): Decimal(2)}
