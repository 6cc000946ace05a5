"""Transfers held against logs of reads: who read, how much of the bill that explains."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.queries.attribution.conftest import Build, Draw, Row

    Tables = dict[str, list[Row]]

GIB = 2**30
ROLE = "arn:aws:sts::1:assumed-role/train/botocore-session-1"
DATASETS: list[Row] = [
    {"dataset": "images", "uri": "s3://data/images", "region_id": "us", "owner_team": "vision"},
]


def company(draw: type[Draw], gib: int | None = 10, to: str = "eu", team: str = "") -> Tables:
    """Return two runs in `eu` on two machines, and a bill for what left `us` for a region."""
    transfer = draw.line(
        10,
        x_line_class="transfer",
        x_from_region="us",
        x_to_region=to,
        resource_id="data",
        consumed_quantity=gib,
        consumed_unit="GB",
        tags={"team": team} if team else {},
    )
    return {
        "cost_lines": [
            draw.machine(0, 0, "i-1", region_id="eu"),
            draw.machine(0, 0, "i-2", region_id="eu"),
            transfer,
        ],
        "datasets": DATASETS,
        "runs": [draw.run("a", user_raw="ada"), draw.run("b", user_raw="bob")],
        "run_places": [
            {"run_key": "a", "instance_id": "i-1"},
            {"run_key": "b", "instance_id": "i-2"},
        ],
        "run_inputs": [
            {"run_key": "a", "dataset_uri": "s3://data/images", "bytes_read": 300},
            {"run_key": "b", "dataset_uri": "s3://data/images", "bytes_read": 100},
        ],
    }


def logged(draw: type[Draw], gib: int, requester: str | None, **more: object) -> Row:
    """Return what a log tells of reads of `images`."""
    return {
        "source": "logs",
        "charge_date": draw.day,
        "container": "data",
        "prefix": "images/a",
        "requester_raw": requester,
        "request_count": 1,
        "bytes_sent": gib * GIB,
    } | more


TRANSFERS = "x_line_class = 'transfer' and effective_cost <> 0"


@pytest.mark.parametrize(
    ("reads", "costs"),
    [
        ([], {("a", "images"): "7.5", ("b", "images"): "2.5"}),
        # the tracker says who of a role read: of 8 GiB logged, 2 were not
        (
            [(8, ROLE)],
            {
                ("a", "images"): "6",
                ("b", "images"): "2",
                (None, "(unattributed egress)"): "2",
            },
        ),
        # a session that is called after a machine is its run's, whatever the tracker counted
        (
            [
                (2, "arn:aws:sts::1:assumed-role/train/i-1"),
                (8, "arn:aws:sts::1:assumed-role/t/i-2"),
            ],
            {("a", "images"): "2", ("b", "images"): "8"},
        ),
        # a person's own runs come before other people's
        (
            [(5, "arn:aws:iam::1:user/Bob")],
            {("b", "images"): "5", (None, "(unattributed egress)"): "5"},
        ),
        # more was logged than billed: all of it is shared, and no more
        ([(40, ROLE)], {("a", "images"): "7.5", ("b", "images"): "2.5"}),
    ],
)
def test_logs_come_before_the_tracker_and_no_more_is_shared_than_was_logged(
    build: Build, draw: type[Draw], reads: list[tuple[int, str]], costs: dict[object, str]
) -> None:
    rows = [logged(draw, gib, requester) for gib, requester in reads]
    built = build(company(draw) | {"object_reads": rows})

    found = built.costs("run_id, dataset", TRANSFERS)
    assert found == {key: Decimal(cost) for key, cost in costs.items()}
    sure = "high" if rows else "medium"  # what a tracker counted is not what the store sent
    assert set(built.costs("method, confidence", TRANSFERS)) == {("reads", sure)}


def test_what_neither_a_log_nor_a_tracker_knows_is_unattributed_where_any_was_logged(
    build: Build, draw: type[Draw]
) -> None:
    """Of a line that names no bucket, one's reads were logged, and a tracker counted another's."""
    tables = company(draw)
    tables["cost_lines"][2]["resource_id"] = None
    tables["datasets"] = [
        *DATASETS,
        {"dataset": "texts", "uri": "s3://other/texts", "region_id": "us", "owner_team": "nlp"},
    ]
    tables["run_inputs"] = [
        {"run_key": "b", "dataset_uri": "s3://other/texts", "bytes_read": 1 * GIB}
    ]
    read = logged(draw, 4, "arn:aws:sts::1:assumed-role/train/i-1")
    built = build(tables | {"object_reads": [read]})

    assert built.costs("run_id, dataset", TRANSFERS) == {
        ("a", "images"): 4,
        ("b", "texts"): 1,
        (None, "(unattributed egress)"): 5,
    }


def test_reads_within_the_region_weigh_nothing(build: Build, draw: type[Draw]) -> None:
    """By a private address, or by a run that is where the data is."""
    tables = company(draw)
    tables["cost_lines"][0]["region_id"] = "us"
    near = logged(draw, 900, "arn:aws:sts::1:assumed-role/t/i-2", requester_region="same")
    here = logged(draw, 900, "arn:aws:sts::1:assumed-role/t/i-1")
    far = logged(draw, 10, "arn:aws:sts::1:assumed-role/t/i-2")
    built = build(tables | {"object_reads": [near, here, far]})

    assert built.costs("run_id, dataset", TRANSFERS) == {("b", "images"): Decimal(10)}


def test_a_run_that_no_tracker_saw_read_is_known_by_the_log_alone(
    build: Build, draw: type[Draw]
) -> None:
    """It read where its machine stands."""
    read = logged(draw, 10, "arn:aws:sts::1:assumed-role/t/i-2")
    built = build(company(draw) | {"run_inputs": [], "object_reads": [read]})

    assert built.costs("run_id, dataset", TRANSFERS) == {("b", "images"): Decimal(10)}


def test_a_person_without_a_run_pays_for_what_left_over_the_internet(
    build: Build, draw: type[Draw]
) -> None:
    """The rest goes by the bucket's own tags, and is a member of its own among datasets."""
    tables = company(draw, to="internet", team="platform")
    rows = [logged(draw, 4, "arn:aws:sts::1:assumed-role/AWSReservedSSO_dev_1/eve@x.org")]
    built = build(tables | {"object_reads": rows})

    assert built.costs("user_raw, user_rule, team, dataset", TRANSFERS) == {
        ("eve@x.org", "access_log", "platform", "images"): Decimal(4),
        (None, "unattributed", "platform", "(unattributed egress)"): Decimal(6),
    }
    members = built.rows(
        "select member, sum(effective_cost) from marts.spend_daily where dimension = 'dataset' "
        "and effective_cost <> 0 group by all order by all"
    )
    assert members == [("(unattributed egress)", Decimal(6)), ("images", Decimal(4))]


def test_what_nobody_read_and_no_tag_owns_is_unattributed(build: Build, draw: type[Draw]) -> None:
    built = build(company(draw) | {"object_reads": [logged(draw, 4, ROLE)]})

    assert built.costs("cost_kind", TRANSFERS) == {"direct": Decimal(4), "unattributed": Decimal(6)}


@pytest.mark.parametrize(
    ("gib", "reads", "told"),
    [
        (10, [8], (10 * GIB, 8 * GIB, 0.8, "access_log")),
        (10, [25], (10 * GIB, 25 * GIB, 1.0, "access_log")),
        (10, [], (10 * GIB, 0, 0.0, "tracker")),
        (None, [8], (None, 8 * GIB, None, "access_log")),
    ],
)
def test_coverage_is_shown(
    build: Build, draw: type[Draw], gib: int | None, reads: list[int], told: tuple[object, ...]
) -> None:
    rows = [logged(draw, each, ROLE) for each in reads]
    built = build(company(draw, gib) | {"object_reads": rows})

    assert built.rows(
        "select billed_bytes, logged_bytes, logged_share, told_by from marts.egress_coverage"
    ) == [told]


@settings(
    deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    cost=st.decimals(-20_000_000, 20_000_000, places=12),
    gib=st.sampled_from([None, 0, 1, 1000]),
    to=st.sampled_from(["eu", "internet", "us"]),
    reads=st.lists(
        st.tuples(
            st.integers(0, 2000),
            st.sampled_from(
                [ROLE, None, "arn:aws:iam::1:user/eve", "arn:aws:sts::1:assumed-role/t/i-1"]
            ),
            st.sampled_from(["images/a", "", "stray"]),
        ),
        max_size=4,
    ),
    names_bucket=st.booleans(),
)
def test_the_books_close_whatever_was_logged(  # noqa: PLR0913, PLR0917  (what is drawn)
    build: Build,
    draw: type[Draw],
    cost: Decimal,
    gib: int | None,
    to: str,
    reads: list[tuple[int, str | None, str]],
    names_bucket: bool,  # noqa: FBT001  (drawn)
) -> None:
    """The parts of the transfer add up to it to the last digit, and none changes its sign."""
    tables = company(draw, gib, to)
    line = tables["cost_lines"][-1]
    line |= {"effective_cost": cost, "billed_cost": -cost}
    if not names_bucket:
        line["resource_id"] = None
    rows = [logged(draw, size, who, prefix=prefix) for size, who, prefix in reads]
    built = build(tables | {"object_reads": rows})

    assert sum(built.costs("run_id, dataset").values()) == cost
    assert (
        built.rows(
            "select * from attribution.postings where x_line_class = 'transfer' "
            f"and (effective_cost * sign({cost}) < 0 or billed_cost * sign({cost}) > 0)"
        )
        == []
    )
