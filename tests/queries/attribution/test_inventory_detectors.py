"""Disks, addresses, machines and snapshots that nobody uses, and those that only look so."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.queries.attribution.conftest import DAY

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.queries.attribution.conftest import Build, Draw, Row

MONTH = Decimal("30.4375")
SNAPSHOT = "snap-0a1b2c3d"
KINDS = ("snapshot", "volume", "image", "launch_template", "backup_plan", "address", "instance")
Tables = dict[str, list[dict[str, Any]]]


def thing(draw: type[Draw], kind: str, name: str, state: str = "available", **more: Any) -> Row:
    """Return what an inventory of today says of a thing that is 90 days old."""
    return {
        "source": "inv",
        "provider": "AWS",
        "sub_account_id": "111",
        "region_id": "us-east-1",
        "resource_type": kind,
        "resource_id": name,
        "resource_name": f"the {kind}",
        "state": state,
        "created_at": draw.at(0) - timedelta(days=90),
        "state_since": draw.at(0) - timedelta(days=90),
        "is_protected": False,
        "tags": {},
        "observed_at": draw.at(30),
    } | more


def link(name: str, relation: str, related: str) -> Row:
    """Return a reference from one thing to another."""
    return {"source": "inv", "resource_id": name, "relation": relation, "related_id": related}


def scope(draw: type[Draw], kind: str, **more: Any) -> Row:
    """Return that an inventory of today looked at all things of a kind."""
    return {
        "source": "inv",
        "provider": "AWS",
        "sub_account_id": "111",
        "region_id": "us-east-1",
        "resource_type": kind,
        "observed_at": draw.at(30),
    } | more


def bill(draw: type[Draw], name: str, line_class: str, days: int = 40, **more: Any) -> list[Row]:
    """Return lines of 2 a day for a thing, up to today."""
    return [
        draw.line(2, resource_id=name, x_line_class=line_class)
        | {
            "charge_date": DAY - timedelta(days=back),
            "sub_account_id": "111",
            "region_id": "us-east-1",
        }
        | more
        for back in range(days)
    ]


def found(build: Build, tables: Tables) -> list[tuple[Any, ...]]:
    """Return detector, resource, waste and confidence of every finding."""
    tables = {"raw.totals": [{"source": "aws", "provider": "AWS"}]} | tables
    return build(tables).rows(
        "select detector, resource_id, monthly_waste, confidence from marts.findings order by all"
    )


def orphan(draw: type[Draw]) -> Tables:
    """Return a snapshot whose disk is gone, in an account that was looked at whole."""
    return {
        "cost_lines": bill(draw, f"arn:aws:ec2:us-east-1::snapshot/{SNAPSHOT}", "snapshot"),
        "inventory": [thing(draw, "snapshot", SNAPSHOT)],
        "inventory_links": [link(SNAPSHOT, "made_from", "vol-gone")],
        "inventory_scopes": [scope(draw, kind) for kind in KINDS],
    }


def test_a_snapshot_that_nothing_needs_is_found(build: Build, draw: type[Draw]) -> None:
    assert found(build, orphan(draw)) == [("orphaned_snapshots", SNAPSHOT, 2 * MONTH, "high")]


def _of_other_account(draw: type[Draw]) -> Row:
    return thing(draw, "image", "ami-1", "disabled", sub_account_id="222")


LOOK_ALIKES: dict[str, Callable[[type[Draw], Tables], object]] = {
    "its disk is there": lambda draw, tables: tables["inventory"].append(
        thing(draw, "volume", "vol-gone", "in_use")
    ),
    "a disabled image of another account maps it": lambda draw, tables: tables.update(
        inventory=[*tables["inventory"], _of_other_account(draw)],
        inventory_links=[*tables["inventory_links"], link("ami-1", "maps", SNAPSHOT)],
    ),
    "a launch template maps it": lambda _, tables: tables["inventory_links"].append(
        link("lt-1", "maps", SNAPSHOT)
    ),
    "a backup plan keeps it": lambda _, tables: tables["inventory_links"].append(
        link("plan-1", "keeps", SNAPSHOT)
    ),
    "a disk was made from it": lambda _, tables: tables["inventory_links"].append(
        link("vol-2", "made_from", SNAPSHOT)
    ),
    "it is shared": lambda _, tables: tables["inventory_links"].append(
        link(SNAPSHOT, "shared_with", "333")
    ),
    "it is protected": lambda _, tables: tables["inventory"][0].update(is_protected=True),
    "nobody knows whether it is protected": lambda _, tables: tables["inventory"][0].update(
        is_protected=None
    ),
    "its tag says keep": lambda _, tables: tables["inventory"][0].update(tags={"Keep": "yes"}),
    "a run names it": lambda _, tables: tables.update(
        run_references=[{"run_key": "r", "resource_id": SNAPSHOT}]
    ),
    "a run read from it": lambda _, tables: tables.update(
        run_inputs=[{"run_key": "r", "dataset_uri": f"ebs://{SNAPSHOT}/data"}]
    ),
    "it is young": lambda draw, tables: tables["inventory"][0].update(
        created_at=draw.at(0) - timedelta(days=5)
    ),
    "nobody knows what it was made of": lambda _, tables: tables["inventory_links"].clear(),
    "the listing is old": lambda draw, tables: tables["inventory"][0].update(
        observed_at=draw.at(0) - timedelta(days=8)
    ),
}


@pytest.mark.parametrize("why", LOOK_ALIKES)
def test_a_snapshot_is_left_alone_because(build: Build, draw: type[Draw], why: str) -> None:
    tables = orphan(draw)
    LOOK_ALIKES[why](draw, tables)

    assert found(build, tables) == []


@pytest.mark.parametrize(
    ("kind", "instead"),
    [
        *((kind, None) for kind in ("snapshot", "volume", "image", "launch_template")),
        ("backup_plan", None),
        ("image", {"sub_account_id": "222"}),
        ("image", {"region_id": "eu-west-1"}),
        ("image", {"observed_at": datetime(2026, 9, 27)}),  # noqa: DTZ001 - as the tables hold it
    ],
)
def test_a_snapshot_is_no_orphan_where_a_kind_was_not_looked_at(
    build: Build, draw: type[Draw], kind: str, instead: dict[str, Any] | None
) -> None:
    """Nor where it was looked at elsewhere or long ago."""
    tables = orphan(draw)
    tables["inventory_scopes"] = [scope(draw, other) for other in KINDS if other != kind]
    if instead is not None:
        tables["inventory_scopes"].append(scope(draw, kind, **instead))

    assert found(build, tables) == []


def test_without_an_inventory_an_old_snapshot_of_nobody_is_a_hint(
    build: Build, draw: type[Draw]
) -> None:
    lines = bill(draw, SNAPSHOT, "snapshot", 70)
    assert found(build, {"cost_lines": lines}) == [
        ("forgotten_snapshots", SNAPSHOT, 2 * MONTH, "low")
    ]

    assert found(build, {"cost_lines": bill(draw, SNAPSHOT, "snapshot", 50)}) == []
    ended = [*bill(draw, SNAPSHOT, "snapshot", 90)[5:], *bill(draw, "i-1", "instance")]
    assert found(build, {"cost_lines": ended}) == []
    owned = bill(draw, SNAPSHOT, "snapshot", 70, tags={"team": "vision"})
    assert found(build, {"cost_lines": owned}) == []


SIMPLE = [
    ("volume", "unattached", "unattached_volumes", 7),
    ("address", "unattached", "unattached_addresses", 3),
    ("instance", "stopped", "stopped_machines", 1),
]


@pytest.mark.parametrize("case", SIMPLE)
def test_what_stands_there_unused_is_found_when_it_is_old_enough(
    build: Build, draw: type[Draw], case: tuple[str, str, str, int]
) -> None:
    kind, state, detector, days = case

    def tables(**more: Any) -> Tables:
        return {
            "cost_lines": bill(draw, "thing-1", "other"),
            "inventory": [thing(draw, kind, "thing-1", state) | more],
        }

    assert found(build, tables()) == [(detector, "thing-1", 2 * MONTH, "high")]
    assert found(build, tables(state_since=None)) == [(detector, "thing-1", 2 * MONTH, "medium")]
    assert found(build, tables(state_since=draw.at(1) - timedelta(days=days - 1))) == []
    assert found(build, tables(state="in_use")) == []
    assert found(build, tables(tags={"keep": ""})) == []
    assert found(build, tables(resource_id="not-billed")) == []


def test_a_balancer_with_nothing_behind_it(build: Build, draw: type[Draw]) -> None:
    """Only where it is known that nothing is: the listing of balancers was whole."""

    def tables(*links: Row, **scoped: Any) -> Tables:
        arn = "arn:aws:elasticloadbalancing:us-east-1:111:loadbalancer/app/web/5EA1"
        return {
            "cost_lines": bill(draw, arn, "load_balancer"),
            "inventory": [thing(draw, "load_balancer", arn)],
            "inventory_links": [link(arn, one["relation"], one["related_id"]) for one in links],
            "inventory_scopes": [scope(draw, "load_balancer", **scoped)],
        }

    ((detector, _, waste, confidence),) = found(build, tables())
    assert (detector, waste, confidence) == ("idle_balancers", 2 * MONTH, "high")
    assert found(build, tables({"relation": "backend", "related_id": "i-1"})) == []
    assert found(build, tables(region_id="eu-west-1")) == []
    assert found(build, tables(observed_at=draw.at(0) - timedelta(days=8))) == []


def test_a_new_state_is_priced_by_the_last_whole_day(build: Build, draw: type[Draw]) -> None:
    """What the machine cost while it ran is not what it costs now that it is stopped."""
    lines = bill(draw, "vm-1", "instance")
    for line in lines[10:]:
        line["effective_cost"] = Decimal(50)
    stopped = thing(draw, "instance", "vm-1", "stopped", state_since=draw.at(0) - timedelta(days=9))

    assert found(build, {"cost_lines": lines, "inventory": [stopped]}) == [
        ("stopped_machines", "vm-1", 2 * MONTH, "high")
    ]


def test_disks_of_a_machine_that_was_switched_off_long_ago(build: Build, draw: type[Draw]) -> None:
    def tables(days: int) -> Tables:
        since = draw.at(0) - timedelta(days=days)
        return {
            "cost_lines": bill(draw, "vol-1", "volume") + bill(draw, "eip-1", "other"),
            "inventory": [
                thing(draw, "instance", "i-1", "deallocated", state_since=since),
                thing(draw, "volume", "vol-1", "in_use"),
                thing(draw, "address", "eip-1", "in_use"),
            ],
            "inventory_links": [
                link("vol-1", "attached_to", "i-1"),
                link("eip-1", "attached_to", "i-1"),
            ],
        }

    assert found(build, tables(20)) == [("left_disks", "i-1", 4 * MONTH, "high")]
    assert found(build, tables(13)) == []
