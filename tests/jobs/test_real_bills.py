"""Whole nights on real exports, each with a bill alone: what is published is what the bytes say."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from queries import ModelError
from queries.engines.duckdb import Error
from queries.read import open_generation
from queries.totals import raw_totals
from tests.queries.bills import staged, sum_column, sum_printed_credits

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
    return run(home)


def run(home: Path) -> subprocess.CompletedProcess[str]:
    """Run a night with the config that lies there."""
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


EXPORT_2019 = "azure_costreport_a243c6f2-199f-4074-9a2c-40e671cf1584.csv"
OTHERS: dict[str, dict[str, tuple[str, str]]] = {
    "most": {
        "focus/spec_1_2": (FOCUS, ""),
        "focus/spec_1_4": (FOCUS, ""),
        "aws_cur/sbroenne/sbroenne_legacy.csv": (LEGACY, ""),
        "aws_cur/koku/aws_2023-06-01-not-final.csv": (LEGACY, ""),
        "azure_cost/koku/amortized/azure_azure_camelCased.csv": ("preTaxCost", "201907"),
        "azure_cost/koku/amortized/azure_azure_version_2.csv": ("CostInBillingCurrency", "202009"),
    },
    "another export of July 2019": {
        f"azure_cost/koku/amortized/{EXPORT_2019}": ("PreTaxCost", "201907"),
        "azure_cost/koku/amortized/azure_camel_azure_version_2.csv": (
            "costInBillingCurrency",
            "202308",
        ),
    },
}
"""Nights: a sample -> its column of cash, and its month where it lies in a folder called by it."""


def put(home: Path, source: str, sample: str, month: str) -> str:
    """Lay a sample where a source looks for it; return the source's table in the config."""
    kind, path = sample.partition("/")[0], DATA / sample
    halves = ("actual", "amortized") if kind == "azure_cost" else ("",)
    for half in halves:
        place = home / source / half / month
        if path.is_dir():
            shutil.copytree(path, place)
        else:
            place.mkdir(parents=True)
            # one sample ends its lines in two ways, which no export does
            (place / path.name).write_bytes(path.read_bytes().replace(b"\r\n", b"\n"))
    roots = "".join(
        f'{half}_root = "{source}/{half}"\n' if half else f'root = "{source}"\n' for half in halves
    )
    return f'[[connectors.{kind}]]\nsource = "{source}"\n{roots}'


@pytest.mark.parametrize("samples", OTHERS.values(), ids=OTHERS)
def test_a_night_on_the_other_samples_publishes_each_total(
    tmp_path: Path, samples: dict[str, tuple[str, str]]
) -> None:
    """All at once: what one bill says does not leak into another."""
    wanted: dict[str, Decimal] = {}
    config = 'state_dir = "state"\n'
    for number, (sample, (column, month)) in enumerate(samples.items()):
        source, path = f"bill{number}", DATA / sample
        config += put(tmp_path, source, sample, month)
        paths = sorted(path.glob("*.csv")) if path.is_dir() else [path]
        wanted[source] = sum_column(paths, column)[0]
    (tmp_path / "mlspend.toml").write_text(config, encoding="utf-8")
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    (generation,) = (tmp_path / "state" / "generations").glob("*.duckdb")
    with open_generation(generation) as con:
        rows = con.execute(
            "select source, sum(billed), sum(attributed + idle + shared + unattributed), "
            "max(abs(difference)) from marts.books where measure = 'billed_cost' "
            "and dimension = 'user' group by source"
        ).fetchall()
    assert {row[0]: row[1] for row in rows} == wanted
    assert all((row[1], row[3]) == (row[2], 0) for row in rows)


REFUSED = sorted((DATA / "focus" / "spec_1_2_refused").glob("*.csv"))


@pytest.mark.parametrize("sample", REFUSED, ids=lambda path: path.stem)
def test_an_example_that_breaks_its_own_specification_is_refused(sample: Path) -> None:
    """With the value: a day of the year 4, or an hour 30, would be worse than none."""
    with pytest.raises((ModelError, Error), match=r"'4/1/25', which is not a time|out of range"):  # noqa: PT012
        raw_totals("focus__cost_and_usage", [sample])
        with staged("focus", [sample]) as con:
            con.execute("select * from staged").fetchall()
