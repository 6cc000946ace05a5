"""AWS's split cost allocation data, written as a bill has them."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Line = dict[str, str]
FIXED = {
    "bill_payer_account_id": "000000000001",
    "bill_billing_period_start_date": "2026-10-01T00:00:00Z",
    "line_item_usage_account_id": "000000000042",
    "line_item_usage_start_date": "2026-10-05T00:00:00Z",
    "line_item_usage_end_date": "2026-10-05T01:00:00Z",
    "line_item_currency_code": "USD",
    "line_item_line_item_type": "Usage",
}
POD = "arn:aws:eks:us-east-1:42:pod/ml/lab/{0}/uid-{0}"
METERS = {"gpu": "GPU-Hours", "cpu": "vCPU-Hours", "memory": "GB-Hours"}


def machine(cost: str, instance: str = "i-1", **columns: str) -> Line:
    """Return a machine's own line of an hour."""
    return FIXED | {
        "line_item_product_code": "AmazonEC2",
        "line_item_usage_type": "BoxUsage:p3.16xlarge",
        "line_item_resource_id": instance,
        "line_item_usage_amount": "1",
        "line_item_unblended_cost": cost,
        **columns,
    }


def split(
    resource: str, held: str, arn: str, share: str = "", instance: str = "i-1", **columns: str
) -> Line:
    """Return the line that says what a pod was allotted of a resource: no cost of its own."""
    return FIXED | {
        "line_item_product_code": "AmazonEKS",
        "line_item_operation": "EKSPod-EC2",
        "line_item_usage_type": f"USE1-EKS-EC2-{METERS[resource]}",
        "line_item_resource_id": arn,
        "line_item_unblended_cost": "0",
        "split_line_item_parent_resource_id": instance,
        "split_line_item_split_usage": held,
        "split_line_item_split_usage_ratio": share,
        "split_line_item_split_cost": "999",
        "resource_tags": '{"team": "lab"}',
        **columns,
    }


def pod_lines(pods: Mapping[str, Mapping[str, object]], **columns: str) -> list[Line]:
    """Return the lines of pods: name -> resource -> what it was allotted."""
    return [
        split(resource, str(held), POD.format(pod), **columns)
        for pod, resources in pods.items()
        for resource, held in resources.items()
    ]


def write(path: Path, lines: Sequence[Line]) -> Path:
    """Write lines as CSV of CUR 2.0."""
    columns = dict.fromkeys(column for line in lines for column in line)
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, list(columns), restval="")
        writer.writeheader()
        writer.writerows(lines)
    return path
