"""The shared arithmetic, each macro by itself."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queries.engines.duckdb import Limits, connect, create_macros

if TYPE_CHECKING:
    from collections.abc import Iterator

    from queries.engines.duckdb import Connection

costs = st.decimals(-20_000_000, 20_000_000, places=12) | st.decimals(-2000, 2000, places=12)
weights = st.lists(st.integers(0, 10**15), min_size=1, max_size=8).filter(any)


@pytest.fixture(scope="module")
def con() -> Iterator[Connection]:
    con = connect(Limits(threads=1))
    create_macros(con, {})
    yield con
    con.close()


def ask(con: Connection, expression: str, *values: object) -> Any:
    row = con.execute(f"select {expression}", list(values)).fetchone()
    assert row is not None
    return row[0]


@given(cost=costs, weights=weights)
@settings(deadline=None, max_examples=200)
def test_parts_of_a_cost_add_up_and_keep_its_sign(
    con: Connection, cost: Decimal, weights: list[int]
) -> None:
    """Of any cost up to 20 million, cut by any whole weights."""
    upto, parts = 0, []
    for weight in weights:
        parts.append(
            ask(
                con,
                "cut(cast($1 as decimal(38, 12)), share_of($2, $4), share_of($3, $4))",
                cost,
                upto,
                upto + weight,
                sum(weights),
            )
        )
        upto += weight

    assert sum(parts) == cost
    assert all(part * cost >= 0 for part in parts)


@given(cost=costs, share=st.floats(0, 1))
@settings(deadline=None, max_examples=200)
def test_a_part_is_the_share_of_the_cost_to_twelve_places(
    con: Connection, cost: Decimal, share: float
) -> None:
    on_grid = ask(con, "to_share(cast(? as double))", share)
    part = ask(con, "cut(cast(? as decimal(38, 12)), 0.0, cast(? as double))", cost, on_grid)

    tolerance = max(Decimal("2e-12"), abs(cost) * Decimal("1e-14"))
    assert abs(part - cost * Decimal(on_grid)) <= tolerance


@pytest.mark.parametrize("cost", ["99999999999.999999999999", "-999.000000000001", "0"])
def test_the_whole_of_a_cost_is_the_cost(con: Connection, cost: str) -> None:
    assert ask(con, "cut(cast(? as decimal(38, 12)), 0.0, 1.0)", cost) == Decimal(cost)


def test_large_costs_may_stand_among_small_ones(con: Connection) -> None:
    """Only the large ones take the slow way, though an engine computes the quick one for all."""
    query = (
        "select cut(cast(c as decimal(38, 12)), 0.0, 0.5) from unnest([0, 1000, 0, -2, 1e9]) t(c)"
    )

    assert [row[0] for row in con.execute(query).fetchall()] == [0, 500, 0, -1, 500_000_000]


def test_a_cost_that_cannot_be_cut_stops_the_build(con: Connection) -> None:
    """A hundred billion in one group of lines is a fault of the bill, not a number to round."""
    with pytest.raises(Exception, match="out of range"):
        ask(con, "cut(cast(? as decimal(38, 12)), 0.0, 0.5)", "100000000000")


@given(part=st.integers(0, 10**15), rest=st.integers(0, 10**15))
@settings(deadline=None, max_examples=100)
def test_a_share_of_everything_is_exactly_one(con: Connection, part: int, rest: int) -> None:
    total = part + rest
    if total:
        assert ask(con, "share_of($1, $1)", total) == 1.0
        assert 0.0 <= ask(con, "share_of($1, $2)", part, total) <= 1.0


def test_what_is_one_but_for_rounding_becomes_one(con: Connection) -> None:
    assert ask(con, "to_share(0.9999999999999998)") == 1.0
    assert ask(con, "to_share(0.99999999999999)") == 0.99999999999999


def test_whole_amounts_are_cut_without_loss(con: Connection) -> None:
    assert ask(con, "whole_upto(10, 1, 3)") == 3
    assert ask(con, "whole_upto(9007199254740991, 7, 7)") == 9007199254740991


def test_units_held_are_whole_microseconds(con: Connection) -> None:
    assert ask(con, "unit_us(cast('0.333333' as decimal(18, 6)), 3600)") == 1_199_998_800


@pytest.mark.parametrize(
    ("written", "last"),
    [
        ("arn:aws:s3:::Data", "data"),
        ("arn:aws:ec2:us-east-1:1:instance/i-0A", "i-0a"),
        ("bucket", "bucket"),
        ("", ""),
    ],
)
def test_the_last_part_of_an_id_names_the_thing(con: Connection, written: str, last: str) -> None:
    assert ask(con, "last_part(?)", written) == last


@pytest.mark.parametrize(
    ("address", "container"),
    [
        ("s3://Data/images/a", "data"),
        ("data", "data"),
        ("s3://data/", "data"),
        ("lakefs://Pets/main/cats", "lakefs://pets"),
        ("lakefs://pets", "lakefs://pets"),
        (None, None),
    ],
)
def test_an_address_begins_with_its_container(
    con: Connection, address: str | None, container: str | None
) -> None:
    assert ask(con, "container_of(?)", address) == container


def test_nobody_s_cost_has_a_member_of_its_kind(con: Connection) -> None:
    kinds = ["idle", "shared", "tax", "credit", "commitment_unused", "unattributed", "direct"]
    members = [ask(con, "member_or_kind(null, ?, 'other')", kind) for kind in kinds]

    assert members == [
        "(idle)",
        "(shared)",
        "(tax)",
        "(credit)",
        "(unused commitment)",
        "unattributed",
        "other",
    ]
    assert ask(con, "member_or_kind('vision', 'idle', 'other')") == "vision"


@given(units=st.integers(-(10**25), 10**25))
@settings(deadline=None, max_examples=200)
def test_money_becomes_whole_units_and_money_again(con: Connection, units: int) -> None:
    cost = Decimal(units).scaleb(-12)
    assert ask(con, "whole_units(cast($1 as decimal(38, 12)))", str(cost)) == units
    assert ask(con, "units_cost(cast($1 as hugeint))", str(units)) == cost


@pytest.mark.parametrize(
    ("provider_id", "machine"),
    [
        ("aws:///us-east-1a/i-0abc", "i-0abc"),
        ("i-0abc", "i-0abc"),
        ("cn-hangzhou.i-bp1aaa", "i-bp1aaa"),
        ("alicloud://ap-southeast-1.i-t4n1", "i-t4n1"),
        ("gce://acme/us-central1-a/gke-pool-1", "gke-pool-1"),
        (
            "openstack:///0d9f6a52-91d4-4c6e-8f0b-5a2f5c1de6aa",
            "0d9f6a52-91d4-4c6e-8f0b-5a2f5c1de6aa",
        ),
        ("node-1.rack-2.acme.example", "node-1.rack-2.acme.example"),
        (
            (
                "azure:///subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/"
                "virtualMachineScaleSets/aks-gpu/virtualMachines/3"
            ),
            "aks-gpu_3",
        ),
    ],
)
def test_a_provider_id_names_the_machine_as_its_bill_does(
    con: Connection, provider_id: str, machine: str
) -> None:
    assert ask(con, "machine_of($1)", provider_id) == machine


@pytest.mark.parametrize(
    ("written", "tags"),
    [
        ("team:vision;user:alice", {"team": "vision", "user": "alice"}),
        ("key:team value:vision; key:user value:alice", {"team": "vision", "user": "alice"}),
        ("url:http://a:80/b;team:x;team:y", {"url": "http://a:80/b", "team": "x"}),
        ("key:a value:b:c;", {"a": "b:c"}),
        ("plain", {}),
        ("", {}),
        (None, None),
    ],
)
def test_tags_of_alibaba_are_read_in_either_style(
    con: Connection, written: str | None, tags: dict[str, str] | None
) -> None:
    assert ask(con, "tag_map(alibaba_entries($1::varchar))", written) == tags


@pytest.mark.parametrize(
    ("written", "local"),
    [
        ("2026-10-05 08:00:00", "2026-10-05 08:00:00"),
        ("2026-10-05", "2026-10-05 00:00:00"),
        ("2026-10-05T00:00:00Z", "2026-10-05 08:00:00"),
        ("2026-10-05T02:00:00+02:00", "2026-10-05 08:00:00"),
        (None, None),
    ],
)
def test_times_of_alibaba_are_of_shanghai(
    con: Connection, written: str | None, local: str | None
) -> None:
    assert ask(con, "cast(shanghai_time($1::varchar) as varchar)", written) == local


def test_stored_data_have_no_run_in_lineage(con: Connection) -> None:
    """What a run has is its work, however it was cut; reads stay reads."""
    rows = con.execute(
        "select method, run_id is null, full_cost_kind(method, run_id) "
        "from (values ('reads'), ('stored_bytes'), ('managed_job')) as cuts (method), "
        "(values (null), ('r')) as held (run_id) order by all"
    ).fetchall()
    assert rows == [
        ("managed_job", False, "work"),
        ("managed_job", True, "work"),
        ("reads", False, "reads"),
        ("reads", True, "reads"),
        ("stored_bytes", False, "work"),
        ("stored_bytes", True, "stored_bytes"),
    ]


def test_kinds_of_a_machine_s_cost_sort_and_compare_as_their_texts(con: Connection) -> None:
    kinds = ["unattributed", "direct", "idle"]
    rows = con.execute(
        "select machine_cost(kind), machine_cost(kind) = kind from (select unnest($1) as kind) "
        "order by machine_cost(kind)",
        [kinds],
    ).fetchall()

    assert rows == [(kind, True) for kind in sorted(kinds)]
