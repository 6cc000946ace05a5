"""Whole nights on real exports, each with a bill alone: what is published is what the bytes say."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from queries.read import open_generation
from tests.queries.bills import sum_column, sum_printed_credits

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
LEGACY, CUR, FOCUS = "lineItem/UnblendedCost", "line_item_unblended_cost", "BilledCost"
GOOGLE_2020 = "gcp_202011_30c31bca571d9b7f3b2c8459dd8bc34a_2020-11-08_2020-11-11.csv"
SAMPLES = {
    "focus/sample_1_0/focus_sample.csv": FOCUS,
    "focus/spec_1_2/commitment_discount_usage_scenario_1.csv": FOCUS,
    "focus/spec_1_4/closed-billing-period__scenario_1_partial_reallocation_ledger.csv": FOCUS,
    "aws_cur/legacy_sample/sample-anonymous-aws-export-dataset.csv": LEGACY,
    "aws_cur/keboola/keboola_cur1.csv": LEGACY,
    "aws_cur/keboola/keboola_cur2.csv": CUR,
    "aws_cur/sbroenne/sbroenne_cur20.csv": CUR,
    "aws_cur/fivetran/aws_cost_report.csv": CUR,
    "aws_cur/koku/aws_2022-07-01-alt-columns.csv": LEGACY,
    "aws_cur/koku/aws_2023-06-01.csv": LEGACY,
    "aws_cur/koku_local_bucket": LEGACY,
    "gcp_billing/koku/gcp_2022-08-01_5.csv": "cost",
    f"gcp_billing/koku/{GOOGLE_2020}": "cost",
}
"""File, or folder with a manifest -> the column of cash."""


def night(home: Path, kind: str, root: Path) -> subprocess.CompletedProcess[str]:
    """Run a night with one bill."""
    (home / "mlspend.toml").write_text(
        f'state_dir = "state"\n[connectors.{kind}]\nroot = "{root}"\n', encoding="utf-8"
    )
    return subprocess.run(
        [sys.executable, "-P", "-m", "jobs.cli", "nightly"],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_night_on_a_real_bill_publishes_its_total(tmp_path: Path, sample: str) -> None:
    source, root = DATA / sample, tmp_path / "bill"
    if source.is_dir():
        shutil.copytree(source, root)
    else:
        root.mkdir()
        shutil.copy(source, root)
    done = night(tmp_path, sample.partition("/")[0], root)
    assert done.returncode == 0, done.stderr
    files = sorted(root.rglob("*.csv*"))
    wanted, beyond = sum_column(files, SAMPLES[sample])
    wanted += sum_printed_credits(files)
    (generation,) = (tmp_path / "state" / "generations").glob("*.duckdb")
    with open_generation(generation) as con:
        for dimension in ("user", "team", "project", "model", "dataset", "service"):
            rows = con.execute(
                "select billed, attributed + idle + shared + unattributed, difference, "
                "beyond_12_places from marts.books where measure = 'billed_cost' "
                "and dimension = $dimension",
                {"dimension": dimension},
            ).fetchall()
            assert sum((row[0] for row in rows), Decimal(0)) == wanted
            assert sum((row[1] for row in rows), Decimal(0)) == wanted
            assert {row[2] for row in rows} == {Decimal(0)}
            assert sum((Decimal(row[3] or 0) for row in rows), Decimal(0)) == beyond
