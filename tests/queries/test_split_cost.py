"""Split cost allocation data of AWS: what a bill says of pods and tasks, beside its money."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from queries.totals import raw_totals
from tests.queries.bills import stage_rows
from tests.queries.split_bill import POD, machine, split, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.queries.split_bill import Line

TASK = "arn:aws:ecs:us-east-1:42:task/batch/0123456789abcdef"


def pods(folder: Path, *lines: Line) -> list[Any]:
    return stage_rows("aws_cur", [write(folder / "cur.csv", lines)], "billed_pods")


def test_a_pod_is_told_by_its_arn_and_its_lines(tmp_path: Path) -> None:
    """Cores, memory and, by any other meter, accelerators; the parts tell what the machine has."""
    tags = '{"aws_eks_node": "ip-10-0-0-7", "user_team": "vision"}'
    (row,) = pods(
        tmp_path,
        split("cpu", "16", POD.format("fit"), "0.25", resource_tags=tags),
        split("memory", "100", POD.format("fit"), resource_tags=tags),
        split("gpu", "2", POD.format("fit"), "0.25", resource_tags=tags),
    )
    assert (row["cluster"], row["namespace"], row["pod"]) == ("ml", "lab", "fit")
    assert (row["pod_uid"], row["instance_id"], row["node"]) == ("uid-fit", "i-1", "ip-10-0-0-7")
    assert row["tags"] == {"aws_eks_node": "ip-10-0-0-7", "user_team": "vision"}
    assert (row["gpu_units"], row["cpu_cores"], row["memory_gib"]) == (2, 16, 100)
    assert (row["gpu_capacity"], row["cpu_capacity"]) == (8, 64)
    assert row["memory_gib_capacity"] is None


@pytest.mark.parametrize(
    ("arn", "tags", "wanted"),
    [
        (TASK, '{"aws_ecs_service_name": "api"}', ("batch", "api", "0123456789abcdef", TASK)),
        (TASK, '{"aws:ecs:serviceName": "api"}', ("batch", "api", "0123456789abcdef", TASK)),
        (
            TASK,
            '{"aws_ecs_task_definition_family": "fit"}',
            ("batch", "fit", "0123456789abcdef", TASK),
        ),
        (TASK, "", ("batch", None, "0123456789abcdef", TASK)),
        (
            "arn:aws:ecs:us-east-1:42:task/01",
            "",
            (None, None, "01", "arn:aws:ecs:us-east-1:42:task/01"),
        ),
    ],
    ids=["service", "its older key", "family", "no tag", "an old ARN"],
)
def test_a_task_is_told_by_its_arn_and_its_tags(
    tmp_path: Path, arn: str, tags: str, wanted: tuple[str | None, ...]
) -> None:
    line = split("cpu", "2", arn, resource_tags=tags, line_item_usage_type="ECS-EC2-vCPU-Hours")
    (row,) = pods(tmp_path, line)
    assert (row["cluster"], row["namespace"], row["pod"], row["pod_uid"]) == wanted
    assert row["cpu_cores"] == 2


def test_what_was_allotted_is_the_larger_of_reserved_and_used(tmp_path: Path) -> None:
    more = {"split_line_item_reserved_usage": "3", "split_line_item_actual_usage": "4.5"}
    (row,) = pods(tmp_path, split("cpu", "", POD.format("p"), **more))
    assert row["cpu_cores"] == Decimal("4.5")


def test_lines_without_a_machine_are_no_pods(tmp_path: Path) -> None:
    """A task of Fargate has a line of its own; other lines of a bill have no parent."""
    fargate = split("cpu", "2", TASK, instance="", line_item_usage_type="Fargate-vCPU-Hours:perCPU")
    assert pods(tmp_path, fargate, machine("10")) == []


def test_a_line_of_a_day_is_spread_over_its_hours_and_one_of_a_month_is_not(tmp_path: Path) -> None:
    day = {"line_item_usage_end_date": "2026-10-06T00:00:00Z"}
    month = {"line_item_usage_end_date": "2026-11-01T00:00:00Z"}
    rows = pods(
        tmp_path,
        split("cpu", "48", POD.format("p"), "0.5", **day),
        split("cpu", "48", POD.format("q"), **month),
    )
    assert [row["charge_hour"].hour for row in rows] == list(range(24))
    assert {(row["pod"], row["cpu_cores"], row["cpu_capacity"]) for row in rows} == {("p", 2, 4)}


def test_two_pods_of_one_name_are_two(tmp_path: Path) -> None:
    """A pod that was made anew within the hour has another id."""
    again = POD.format("p").replace("uid-p", "uid-again")
    rows = pods(
        tmp_path,
        split("cpu", "1", POD.format("p")),
        split("cpu", "2", again),
        split("gpu", "1", again),
    )
    assert [(row["pod"], row["cpu_cores"], row["gpu_units"]) for row in rows] == [
        ("p", 2, 1),
        ("p", 1, 0),
    ]


def test_their_money_is_not_added_to_the_machines(tmp_path: Path) -> None:
    path = write(tmp_path / "cur.csv", [machine("10"), split("cpu", "16", POD.format("p"))])
    lines = stage_rows("aws_cur", [path])
    for measure in ("billed_cost", "effective_cost"):
        assert sum(Decimal(str(line[measure])) for line in lines) == 10
    assert {total.amount for total in raw_totals("aws_cur__line_items", [path])} == {Decimal(10)}


def test_the_older_reports_headers_are_read_too(tmp_path: Path) -> None:
    path = write(tmp_path / "cur.csv", [split("memory", "8", POD.format("p"), "0.5")])
    text = path.read_text("utf-8")
    for new, old in {
        "split_line_item_parent_resource_id": "splitLineItem/ParentResourceId",
        "split_line_item_split_usage_ratio": "splitLineItem/SplitUsageRatio",
        "split_line_item_split_usage": "splitLineItem/SplitUsage",
        "line_item_usage_start_date": "lineItem/UsageStartDate",
        "line_item_usage_end_date": "lineItem/UsageEndDate",
        "line_item_usage_type": "lineItem/UsageType",
        "line_item_resource_id": "lineItem/ResourceId",
    }.items():
        text = text.replace(new, old)
    path.write_text(text, "utf-8")
    (row,) = stage_rows("aws_cur", [path], "billed_pods")
    assert (row["memory_gib"], row["memory_gib_capacity"]) == (8, 16)
    assert row["charge_hour"] == datetime(2026, 10, 5)  # noqa: DTZ001 - UTC without a zone
