"""The reference tables say what their sources say."""

from __future__ import annotations

import csv
from decimal import Decimal

import pytest

from queries.catalog import HOME


def instances() -> list[dict[str, str]]:
    with (HOME / "seeds" / "gpu_instances.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_each_instance_type_is_listed_once_and_whole() -> None:
    rows = instances()

    assert len({row["instance_type"] for row in rows}) == len(rows) >= 150
    for row in rows:
        assert row["cloud"] in {"aws", "gcp", "azure", "alibaba"}
        assert row["gpu_model"]
        assert 0 < Decimal(row["gpu_count"]) <= 16
        assert Decimal(row["gpu_memory_gib"]) > 0
        assert int(row["vcpu"]) > 0


@pytest.mark.parametrize(
    ("instance_type", "gpu_count", "gpu_model"),
    [
        ("p3.16xlarge", "8", "V100"),
        ("p4d.24xlarge", "8", "A100"),
        ("g5.12xlarge", "4", "A10G"),
        ("g6f.large", "0.125", "L4"),
        ("a3-highgpu-8g", "8", "H100"),
        ("g2-standard-24", "2", "L4"),
        ("Standard_NC64as_T4_v3", "4", "T4"),
        ("Standard_NV6ads_A10_v5", "0.166667", "A10"),
        ("ecs.gn7i-c32g1.16xlarge", "2", "A10"),
    ],
)
def test_known_types_have_the_gpus_their_makers_state(
    instance_type: str, gpu_count: str, gpu_model: str
) -> None:
    (row,) = [row for row in instances() if row["instance_type"] == instance_type]

    assert (row["gpu_count"], row["gpu_model"]) == (gpu_count, gpu_model)
