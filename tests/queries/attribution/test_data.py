"""Storage by bytes, and transfers by readers."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.queries.attribution.conftest import Build, Draw, Row

DATASETS: list[Row] = [
    {"dataset": "images", "uri": "s3://data/images", "region_id": "us", "owner_team": "vision"},
    {"dataset": "faces", "uri": "s3://data/images/faces", "owner_user": "bob"},
]


def inventory(draw: type[Draw], **sizes: int) -> list[Row]:
    """Return what lies under some prefixes of the bucket `data`."""
    return [
        {
            "charge_date": draw.day,
            "container": "data",
            "prefix": prefix.replace("_", "/"),
            "size_bytes": size,
            "is_current": True,
        }
        for prefix, size in sizes.items()
    ]


def test_a_bucket_is_shared_by_the_bytes_of_its_datasets(build: Build, draw: type[Draw]) -> None:
    """The longest registered place wins; bytes of no dataset are a member of their own."""
    built = build(
        {
            "cost_lines": [
                draw.line(8, x_line_class="object_storage", resource_id="arn:aws:s3:::data"),
                draw.line(4, x_line_class="object_requests", resource_id="data"),
            ],
            "datasets": DATASETS,
            "stored_bytes": inventory(draw, images_a=2, images_b=1, images_faces_x=4, imagesque=1),
        }
    )

    assert built.costs("dataset, team, user_raw, cost_kind") == {
        ("images", "vision", None, "direct"): Decimal("4.5"),
        ("faces", None, "bob", "direct"): Decimal(6),
        ("(unregistered)", None, None, "unattributed"): Decimal("1.5"),
    }


def test_an_inventory_holds_until_the_next_one(build: Build, draw: type[Draw]) -> None:
    first = inventory(draw, images=1, stray=1)
    second = [
        row | {"charge_date": draw.day + timedelta(days=7)}
        for row in inventory(draw, images=1, stray=3)
    ]
    built = build({"datasets": DATASETS, "stored_bytes": first + second})
    shares = built.rows(
        "select charge_date, share_to - share_from from attribution.stored_shares "
        "where dataset = 'images' order by charge_date"
    )
    by_day = dict(shares)

    assert by_day[draw.day - timedelta(days=35)] == 0.5
    assert by_day[draw.day + timedelta(days=6)] == 0.5
    assert by_day[draw.day + timedelta(days=7)] == 0.25
    assert max(by_day) == draw.day + timedelta(days=7 + 34)


def classed(draw: type[Draw], **sizes: int) -> list[Row]:
    """Return what lies in the bucket `data`: `images__STANDARD=3`."""
    found = []
    for name, size in sizes.items():
        prefix, _, storage_class = name.partition("__")
        (row,) = inventory(draw, **{prefix: size})
        found.append(row | {"storage_class": storage_class})
    return found


def test_dear_and_cheap_bytes_are_paid_by_those_whose_they_are(
    build: Build, draw: type[Draw]
) -> None:
    """Each class by its own bytes; what is of no class, or of one that is not listed, by all."""
    lines = [draw.line(20, x_line_class="object_requests", resource_id="data")]
    for cost, meter in ((80, "ByteHrs"), (6, "SIA-ByteHrs"), (10, "GDA-ByteHrs")):
        line = draw.line(cost, x_line_class="object_storage", resource_id="data")
        lines.append(line | {"sku_meter": f"USE2-TimedStorage-{meter}"})
    built = build(
        {
            "cost_lines": lines,
            "datasets": DATASETS,
            "stored_bytes": classed(
                draw,
                images__STANDARD=1,
                stray__standard=1,
                images__STANDARD_IA=2,
                stray__STANDARD_IA=1,
            ),
        }
    )

    assert built.costs("dataset") == {
        "images": Decimal(80) / 2 + Decimal(6) * 2 / 3 + Decimal(30) * 3 / 5,
        "(unregistered)": Decimal(80) / 2 + Decimal(6) / 3 + Decimal(30) * 2 / 5,
    }


def test_a_bucket_without_inventory_goes_by_its_tags(build: Build, draw: type[Draw]) -> None:
    line = draw.line(8, x_line_class="object_storage", resource_id="data", tags={"team": "speech"})
    built = build({"cost_lines": [line], "datasets": DATASETS})

    assert built.costs("method, team") == {("owner", "speech"): Decimal(8)}


def readers(draw: type[Draw]) -> dict[str, list[Row]]:
    """Return two runs in `eu`, of which one reads three times as much of `images` in `us`."""
    return {
        "datasets": DATASETS,
        "runs": [draw.run("much"), draw.run("little", 1, 2)],
        "run_places": [
            {"run_key": "much", "instance_id": "i-1"},
            {"run_key": "little", "instance_id": "i-1"},
        ],
        "run_inputs": [
            {"run_key": "much", "dataset_uri": "s3://data/images/a", "bytes_read": 300},
            {"run_key": "little", "dataset_name": "images", "bytes_read": 100},
        ],
    }


def test_a_place_that_two_claim_is_that_of_the_ownership_file(
    build: Build, draw: type[Draw]
) -> None:
    told = {"dataset": "a/of-a-tool", "uri": "s3://data/images", "is_declared": False}
    built = build(
        {
            "cost_lines": [draw.line(8, x_line_class="object_storage", resource_id="data")],
            "datasets": [told, *DATASETS],
            "stored_bytes": inventory(draw, images=1),
        }
    )

    assert built.costs("dataset") == {"images": Decimal(8)}


def test_what_lakefs_names_lies_in_its_bucket_and_not_in_one_of_that_name(
    build: Build, draw: type[Draw]
) -> None:
    """The bucket `pets` is another's than the repository `pets`, whose bytes lie in `data`."""
    repository = [
        {"dataset": "pets", "uri": uri, "is_declared": False}
        for uri in ("lakefs://pets", "s3://data/lake/pets")
    ]
    built = build(
        {
            "datasets": repository,
            "runs": [draw.run("r")],
            "run_inputs": [{"run_key": "r", "dataset_uri": "lakefs://pets/main/cats"}],
            "run_outputs": [
                {"run_key": "r", "dataset_uri": "lakefs://pets/c1"},
                {"run_key": "r", "dataset_uri": "s3://pets/main"},
            ],
        }
    )

    assert built.rows(
        "select direction, dataset, container from attribution.run_datasets order by all"
    ) == [("read", "pets", "data"), ("written", "pets", "data"), ("written", None, "pets")]


def test_a_record_without_a_time_tells_what_a_run_wrote(build: Build, draw: type[Draw]) -> None:
    stage = {"run_key": "s", "source": "dvc", "system": "dvc", "native_id": "s", "attempt": 1}
    built = build(
        {
            "cost_lines": [draw.machine(8, 0)],
            "runs": [draw.run("r", system="mlflow"), stage | {"status": "succeeded"}],
            "run_places": [{"run_key": "r", "instance_id": "i-1"}],
            "run_mentions": [{"run_key": "s", "native_id": "r", "relation": "same"}],
            "run_outputs": [{"run_key": "s", "dataset_uri": "s3://data/images/made"}],
            "datasets": DATASETS,
        }
    )

    assert built.costs("run_id") == {"r": Decimal(8)}
    assert built.rows(
        "select member, effective_cost from marts.spend_daily where dimension = 'dataset'"
    ) == [("images", Decimal(8))]
    assert built.rows("select record_count, duration_hours from marts.runs") == [(2, 1.0)]


def test_a_transfer_is_paid_by_the_runs_that_read_across_its_regions(
    build: Build, draw: type[Draw]
) -> None:
    """A line that names the bucket, one that names nothing, and one between other regions."""

    def transfer(cost: int, region: str = "eu", resource_id: str | None = None) -> Row:
        return draw.line(
            cost,
            x_line_class="transfer",
            x_from_region="us",
            x_to_region=region,
            resource_id=resource_id,
        )

    built = build(
        {
            "cost_lines": [
                draw.machine(0, 0, region_id="eu"),
                draw.machine(0, 1, region_id="eu"),
                transfer(4, resource_id="data"),
                transfer(8),
                transfer(5, "ap"),
            ],
        }
        | readers(draw)
    )
    costs = built.costs("method, run_id, dataset", "effective_cost <> 0")

    assert costs == {
        ("reads", "much", "images"): Decimal(9),
        ("reads", "little", "images"): Decimal(3),
        ("owner", None, None): Decimal(5),
    }


@pytest.mark.parametrize(
    ("other", "team"), [("vision", "vision"), (None, "vision"), ("speech", None)]
)
def test_a_run_s_transfers_are_whose_its_pods_are(
    build: Build, draw: type[Draw], other: str | None, team: str | None
) -> None:
    """The run says nothing of a team itself; where its pods disagree, neither do they."""
    tables = readers(draw) | {
        "node_hours": [draw.node()],
        "pod_hours": [
            draw.pod("much-0", gpu=4, team_raw="vision", user_raw="ada"),
            draw.pod("much-1", gpu=4, team_raw=other),
        ],
        "run_places": [{"run_key": "much", "pod": f"much-{number}"} for number in (0, 1)],
    }
    lines = [
        draw.machine(8, 0, region_id="eu"),
        draw.line(4, x_line_class="transfer", x_from_region="us", x_to_region="eu"),
    ]
    built = build(tables | {"cost_lines": lines})

    rule = "pod_label" if team else "unattributed"
    where = "x_line_class = 'transfer'"
    assert built.costs("run_id, user_raw, team, team_rule", where) == {
        ("much", "ada", team, rule): Decimal(4)
    }


def test_a_run_in_the_data_s_own_region_pays_no_transfer(build: Build, draw: type[Draw]) -> None:
    line = draw.line(4, x_line_class="transfer", x_from_region="us", x_to_region="eu")
    built = build({"cost_lines": [draw.machine(1, 0, region_id="us"), line]} | readers(draw))

    assert built.costs("method", "x_line_class = 'transfer'") == {"owner": Decimal(4)}


def test_a_managed_job_reads_where_its_line_says(build: Build, draw: type[Draw]) -> None:
    """No machine tells of it."""
    job = draw.line(1, x_line_class="managed_job", resource_id="arn:job", region_id="eu")
    line = draw.line(4, x_line_class="transfer", x_from_region="us", x_to_region="eu")
    tables = readers(draw) | {
        "cost_lines": [job, line],
        "runs": [draw.run("much", cloud_job_arn="arn:job")],
        "run_places": [],
    }
    del tables["run_inputs"][1]

    assert build(tables).costs("method, run_id", "x_line_class = 'transfer'") == {
        ("reads", "much"): Decimal(4)
    }
