"""A whole night on an AWS bill alone that splits its machines among pods."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from queries.read import open_generation
from tests.queries.split_bill import machine, pod_lines, write

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [("use", {"vision": 5, "(idle)": 5}), ("ignore", {"infra": 10})],
)
def test_the_config_says_whether_pods_pay(
    tmp_path: Path, mode: str, wanted: dict[str, int]
) -> None:
    (tmp_path / "bill" / "2026-10").mkdir(parents=True)
    half = pod_lines(
        {"p": {"gpu": 4, "cpu": 32, "memory": 244}}, resource_tags='{"user_team": "vision"}'
    )
    whole = machine("10", resource_tags='{"user_team": "infra"}')
    write(tmp_path / "bill" / "2026-10" / "cur.csv", [whole, *half])
    (tmp_path / "mlspend.toml").write_text(
        'state_dir = "state"\n[connectors.aws_cur]\nroot = "bill"\n'
        f'[attribution]\nsplit_cost_allocation = "{mode}"\n',
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-P", "-m", "jobs.cli", "nightly"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    (generation,) = (tmp_path / "state" / "generations").glob("*.duckdb")
    with open_generation(generation) as con:
        rows = con.execute(
            "select member, sum(effective_cost) from marts.spend_daily where dimension = 'team' "
            "group by all having sum(effective_cost) <> 0"
        ).fetchall()
    assert dict(rows) == {member: Decimal(cost) for member, cost in wanted.items()}
