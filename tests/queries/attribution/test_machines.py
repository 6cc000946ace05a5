"""Machine-hours: pools, pods, runs, idle."""

from __future__ import annotations

from decimal import Decimal


def test_pools_follow_the_weights_of_the_worked_example(warehouse, draw):
    """AWS: a p3.16xlarge (8 GPU, 64 vCPU, 488 GiB) at $10 costs $0.5045 per GPU-hour."""
    built = warehouse(
        {
            "cost_lines": [draw.machine(10)],
            "node_hours": [draw.node()],
            "pod_hours": [
                draw.pod("gpu", gpu=1),
                draw.pod("cpu", cpu=1),
                draw.pod("memory", memory=1),
            ],
        }
    )
    costs = built.costs("pod_id", "pod_id is not null")
    assert round(costs["c1/lab/gpu"], 4) == Decimal("0.5045")
    assert round(costs["c1/lab/cpu"], 4) == Decimal("0.0504")
    assert round(costs["c1/lab/memory"], 4) == Decimal("0.0056")
