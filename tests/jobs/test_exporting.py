"""What was attributed leaves as FOCUS: it conforms, and adds up to the bill."""

from __future__ import annotations

import json
import shutil
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from queries.engines.duckdb import Limits, connect
from queries.focus.validation import validate
from queries.generation import newest_generation
from queries.read import open_generation
from tests.jobs.nights import ROOT, make_home, run
from tests.queries.bills import sum_column

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("version", ["1.4", "1.2"])
@pytest.mark.parametrize("suffix", ["parquet", "csv", "csv.gz"])
def test_the_file_conforms_and_adds_up(home: Path, version: str, suffix: str) -> None:
    out = home / f"out-{version}.{suffix}"
    done = run(home, "export", "focus", "--version", version, str(out))

    assert done.returncode == 0, done.stderr
    assert validate(out, version).conforms
    reader = "read_parquet" if suffix == "parquet" else "read_csv"
    con = connect(Limits(threads=1))
    rows = con.execute(
        f"select x_Team, sum(cast(BilledCost as decimal(38, 12))), count(*) "
        f"from {reader}('{out}') group by all"
    ).fetchall()
    assert rows == [("vision", Decimal("3.75"), 2)]
    assert not list(home.glob(".*"))


def test_a_quantity_in_byte_seconds_is_cut_exactly() -> None:
    con = connect(Limits(threads=1))
    queries = ROOT / "queries"
    for file in (queries / "macros" / "costs.sql", queries / "exported" / "macros.sql"):
        con.execute(file.read_text("utf-8"))
    most = 10**14
    for text in ("8906044184985600.000000000001", "-99999999999999999999.5", "0.7", "0"):
        amount = Decimal(text)
        shares = [0, 1, most // 3, most - 1, most]
        parts = [
            Decimal(
                con.execute(f"select cut_units({amount}::decimal(38,12), {a}, {b})").fetchall()[0][
                    0
                ]
            )
            for a, b in pairwise(shares)
        ]
        assert sum(map(Fraction, parts)) == Fraction(amount)
        assert abs(Fraction(parts[1]) - Fraction(amount) * (most // 3 - 1) / most) < Fraction(
            2, 10**12
        )


def test_a_bill_of_storage_by_the_byte_second_leaves_too(tmp_path: Path) -> None:
    bill = make_home(tmp_path) / "bills" / "2026-10.csv"
    head, *lines = bill.read_text("utf-8").splitlines()
    quantity = "8906044184985600"
    told = [f"{head},ConsumedQuantity,ConsumedUnit", *(f"{x},{quantity},By.s" for x in lines)]
    bill.write_text("\n".join(told) + "\n", encoding="utf-8")
    assert run(tmp_path).returncode == 0
    done = run(tmp_path, "export", "focus", "out.parquet")
    assert done.returncode == 0, done.stderr
    con = connect(Limits(threads=1))
    rows = con.execute(
        f"select sum(ConsumedQuantity) from read_parquet('{tmp_path / 'out.parquet'}')"
    ).fetchall()
    assert rows == [(2 * Decimal(quantity),)]


def test_what_bills_get_wrong_leaves_as_the_specification_has_it(tmp_path: Path) -> None:
    """Oracle writes `Usage-based` in the real sample; a line without an end is of its day."""
    home = make_home(tmp_path)
    sample = ROOT / "tests/data/focus/sample_1_0/focus_sample.csv"
    (home / "bills" / "sample.csv").write_bytes(sample.read_bytes())
    bill = home / "bills" / "2026-10.csv"
    text = bill.read_text("utf-8").replace("2026-10-03T00:00:00Z", "")
    bill.write_text(text.replace("Usage-Based", "now and then"), encoding="utf-8")
    assert run(home).returncode == 0
    out = home / "out.parquet"
    assert run(home, "export", "focus", "--version", "1.4", str(out)).returncode == 0
    assert validate(out, "1.4").conforms
    con = connect(Limits(threads=1))
    row = con.execute(f"select sum(BilledCost) from '{out}'").fetchone()
    assert row == (sum_column([sample, bill], "BilledCost")[0],)


SAMPLES = """
state_dir = "state"
[[connectors.aws_cur]]
source = "crowns"
root = "koku"
[[connectors.aws_cur]]
source = "dollars"
root = "keboola"
[connectors.azure_cost]
actual_root = "azure/actual"
amortized_root = "azure/amortized"
"""


def test_real_bills_leave_together_as_they_are_named(tmp_path: Path) -> None:
    """Two of them call an invoice 987654321, and the halves of the third share no name."""
    data = ROOT / "tests" / "data"
    for folder, name in (("koku", "aws_2023-06-01.csv"), ("keboola", "keboola_cur2.csv")):
        (tmp_path / folder).mkdir()
        shutil.copy(data / "aws_cur" / folder / name, tmp_path / folder)
    shutil.copytree(data / "azure_cost" / "finops_toolkit", tmp_path / "azure")
    (tmp_path / "mlspend.toml").write_text(SAMPLES, encoding="utf-8")
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    done = run(tmp_path, "export", "focus", "--version", "1.4", "out.parquet")
    assert done.returncode == 0, done.stderr
    assert validate(tmp_path / "out.parquet", "1.4").conforms
    con = connect(Limits(threads=1))
    rows = con.execute(
        "select BillingCurrency, InvoiceId, sum(cast(EffectiveCost as decimal(38, 12))) "
        f"from read_parquet('{tmp_path / 'out.parquet'}') group by all order by all"
    ).fetchall()
    amortized = next((tmp_path / "azure" / "amortized").glob("*.csv"))
    assert {row[:2] for row in rows} == {("NOK", "987654321"), ("USD", "987654321"), ("USD", None)}
    assert rows[-1][2] == sum_column([amortized], "Cost")[0]


def test_days_may_be_chosen(home: Path) -> None:
    done = run(home, "export", "focus", "--from", "2026-10-02", "one.csv")

    assert done.returncode == 0, done.stderr
    assert (home / "one.csv").read_text().splitlines()[1].startswith("2.5")


def test_a_name_must_tell_the_format(home: Path) -> None:
    done = run(home, "export", "focus", "out.xlsx")

    assert done.returncode == 1
    assert "does not tell how to write" in done.stderr
    assert ".csv.gz" in done.stderr


def shared_machines(home: Path, policy: str) -> None:
    """Run a night on two machines of a cluster, one of which a pod holds by half."""
    (home / "card.csv").write_text(
        "machine_id,currency,price,life_months,in_service,out_of_service,gpu_count,"
        "hosting_per_month\n"
        "gpu-01,EUR,73000,48,2026-10-01,2026-10-02,8,3100\n"
        "gpu-02,EUR,73000,48,2026-10-01,2026-10-02,8,3100\n",
        encoding="utf-8",
    )
    pods = {
        f"pod-{place}": {
            "properties": {
                "cluster": "room",
                "node": f"node-{place}",
                "namespace": "vision",
                "pod": f"pod-{place}",
                "providerID": f"openstack:///gpu-0{place}",
                "labels": {"team": "vision"} if gpu_hours else {},
            },
            "window": {"start": "2026-10-01T00:00:00Z", "end": "2026-10-02T00:00:00Z"},
            "start": "2026-10-01T00:00:00Z",
            "end": "2026-10-02T00:00:00Z",
            "cpuCoreHours": 0,
            "gpuHours": gpu_hours,
            "ramByteHours": 0,
        }
        for place, gpu_hours in ((1, 96), (2, 0))
    }
    (home / "answers").mkdir()
    answer = json.dumps({"code": 200, "data": [pods]})
    (home / "answers" / "2026-10-01.json").write_text(answer, encoding="utf-8")
    (home / "mlspend.toml").write_text(
        'state_dir = "state"\n[connectors.rate_card]\npath = "card.csv"\n'
        '[connectors.opencost]\nroot = "answers"\n'
        f'[attribution]\nidle_policy = "{policy}"\n',
        encoding="utf-8",
    )
    done = run(home)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("policy", ["separate", "by_node", "by_cluster"])
def test_idle_cost_leaves_on_its_machines_lines_whoever_pays_for_it(
    tmp_path: Path, policy: str
) -> None:
    """What `by_cluster` hands to the cluster is still a machine's on the bill."""
    shared_machines(tmp_path, policy)
    done = run(tmp_path, "export", "focus", "out.parquet")
    assert done.returncode == 0, done.stderr
    assert validate(tmp_path / "out.parquet", "1.4").conforms
    con = connect(Limits(threads=1))
    cost = "sum(cast(EffectiveCost as decimal(38, 12)))"
    exported = f"from read_parquet('{tmp_path / 'out.parquet'}') group by all order by all"
    machines = con.execute(f"select ResourceId, {cost} {exported}").fetchall()
    assert machines == [("gpu-01", Decimal(73100)), ("gpu-02", Decimal(73100))]
    teams = dict(con.execute(f"select x_Team, {cost} {exported}").fetchall())
    with open_generation(newest_generation(tmp_path / "state")) as marts:
        shown = marts.execute(
            "select member, sum(effective_cost) from marts.spend_daily "
            "where dimension = 'team' group by all"
        ).fetchall()
    assert sorted(teams.values()) == sorted(cost for _, cost in shown)
    assert teams["vision"] == dict(shown)["vision"]
    held = {"separate": 36550, "by_node": 73100, "by_cluster": 146200}
    assert teams["vision"] == Decimal(held[policy])
