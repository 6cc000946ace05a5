"""Whole nights on Azure's bills: what is published is what the two exports say, in any order."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from decimal import Decimal
from itertools import permutations
from pathlib import Path

import pytest

from queries.read import open_generation
from tests.connectors.azure_runs import line, text_of, write, write_pair, write_run
from tests.jobs.nights import run
from tests.servers.cost_management import CostManagementServer, cost_management

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "tests" / "data" / "azure_cost" / "finops_toolkit"
KINDS = {"actual": "ActualCost", "amortized": "AmortizedCost"}
PLAN = "/providers/Microsoft.BillingBenefits/p"


def night(home: Path, more: str = "") -> subprocess.CompletedProcess[str]:
    """Run a night on the exports in `home`."""
    (home / "mlspend.toml").write_text(
        'state_dir = "state"\n[connectors.azure_cost]\nactual_root = "actual"\n'
        f'amortized_root = "amortized"\n{more}',
        encoding="utf-8",
    )
    return subprocess.run(
        [sys.executable, "-P", "-m", "jobs.cli", "nightly"],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def books(home: Path) -> dict[str, Decimal]:
    """Return measure -> billed in the newest generation, whose books must close."""
    newest = max((home / "state" / "generations").glob("[0-9]*.duckdb"))
    with open_generation(newest) as con:
        rows = con.execute(
            "select measure, sum(billed), sum(attributed + idle + shared + unattributed), "
            "max(abs(difference)) from marts.books where dimension = 'team' group by measure"
        ).fetchall()
    assert all((row[1], row[3]) == (row[2], 0) for row in rows)
    return {row[0]: row[1] for row in rows}


def test_a_night_on_a_real_pair_publishes_what_both_exports_say(tmp_path: Path) -> None:
    for half in KINDS:
        (source,) = (SAMPLES / half).iterdir()
        place = tmp_path / half / "20230901-20230930" / source.name
        place.parent.mkdir(parents=True)
        shutil.copy(source, place)
    done = night(tmp_path)
    assert done.returncode == 0, done.stderr
    assert books(tmp_path) == {
        "billed_cost": Decimal("19.047780136169"),
        "effective_cost": Decimal("16.296932136637"),
    }
    again = night(tmp_path)
    assert again.returncode == 0
    assert "nothing changed" in again.stderr


def test_a_half_that_is_late_leaves_the_last_pair_in_force(tmp_path: Path) -> None:
    write_pair(tmp_path)
    assert night(tmp_path).returncode == 0
    pair = {"billed_cost": Decimal(530), "effective_cost": Decimal(42)}
    assert books(tmp_path) == pair
    newer = text_of([line("30"), line("99", "Purchase", "SavingsPlan", benefit=PLAN)])
    write_run(tmp_path / "actual", "ActualCost", [newer], at="2026-10-09T04:00:00", run="b")
    late = night(tmp_path)
    assert late.returncode == 1
    assert "2026-10 waits for its other half" in late.stderr
    assert books(tmp_path) == pair
    write_run(
        tmp_path / "amortized",
        "AmortizedCost",
        [text_of([line("31")])],
        at="2026-10-09T05:00:00",
        run="c",
    )
    assert night(tmp_path).returncode == 0
    assert books(tmp_path) == {"billed_cost": Decimal(130), "effective_cost": Decimal(31)}


@pytest.mark.parametrize("order", list(permutations(range(3)))[1::2], ids=str)
def test_runs_that_arrive_in_any_order_end_in_the_same_state(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    """Each run is of both halves, in folders of their own, and is taken away when it was read."""
    for number in order:
        at = f"2026-10-0{6 + number}T04:00:00"
        for half, kind in KINDS.items():
            shutil.rmtree(tmp_path / half, ignore_errors=True)
            write_run(
                tmp_path / half, kind, [text_of([line(f"{10 + number}.5")])], at=at, run=str(number)
            )
        assert night(tmp_path).returncode == 0
    assert books(tmp_path) == {"billed_cost": Decimal("12.5"), "effective_cost": Decimal("12.5")}


def test_a_run_with_other_rows_than_its_manifest_states_is_refused(tmp_path: Path) -> None:
    write_pair(tmp_path)
    manifest = next((tmp_path / "actual").rglob("manifest.json"))
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text.replace('"dataRowCount": 3', '"dataRowCount": 4'), encoding="utf-8")
    done = night(tmp_path)
    assert done.returncode == 1
    assert "the bill has 5 lines, its manifest states 6" in done.stderr


def test_the_same_bill_in_focus_form_is_left_out(tmp_path: Path) -> None:
    write_pair(tmp_path)
    write(
        tmp_path / "focus",
        "2026-10/a.csv",
        "BillingAccountId,BillingPeriodStart,ChargePeriodStart,BilledCost,EffectiveCost,"
        "BillingCurrency,ProviderName\n/providers/Microsoft.Billing/billingAccounts/8611537,"
        "2026-10-01T00:00:00Z,2026-10-05T00:00:00Z,530,42,USD,Microsoft\n",
    )
    done = night(tmp_path, '[connectors.focus]\nroot = "focus"\n')
    assert done.returncode == 1
    assert 'sources "azure_cost" and "focus" both deliver the Microsoft bill' in done.stderr
    assert books(tmp_path) == {"billed_cost": Decimal(530), "effective_cost": Decimal(42)}


def test_machines_sold_by_parts_of_a_gpu_are_known_by_their_type(tmp_path: Path) -> None:
    viz = line(
        "10",
        meter="Virtual Machines,NVadsA10v5 Series,NV6ads A10 v5",
        resource="/subscriptions/S/resourceGroups/RG/providers/Microsoft.Compute/virtualMachines/Viz",
        info='"{""ServiceType"":""Standard_NV6ads_A10_v5"",""VCPUs"":6}"',
    )
    for half, kind in KINDS.items():
        write_run(tmp_path / half, kind, [text_of([line("30"), viz])])
    assert night(tmp_path).returncode == 0
    newest = max((tmp_path / "state" / "generations").glob("[0-9]*.duckdb"))
    with open_generation(newest) as con:
        rows = con.execute(
            "select instance_id, gpu_count, up_hours, effective_cost from marts.machines_daily"
        ).fetchall()
    assert sorted(rows) == [
        ("train-1", 1, 24, 30),
        ("viz", Decimal("0.166667"), 24, 10),
    ]


def ask(home: Path, server: CostManagementServer) -> subprocess.CompletedProcess[str]:
    """Ask for what Cost Management says beside what has landed."""
    text = (home / "mlspend.toml").read_text(encoding="utf-8")
    where = f'scope = "subscriptions/s"\nmanagement_url = "{server.address}"\n'
    (home / "mlspend.toml").write_text(text + where, encoding="utf-8")
    signed_in = {"IDENTITY_ENDPOINT": f"{server.address}/token", "IDENTITY_HEADER": "x"}
    return subprocess.run(
        [sys.executable, "-P", "-m", "jobs.cli", "sources", "--ask"],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **signed_in, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.servers
def test_what_landed_is_compared_with_what_cost_management_says(tmp_path: Path) -> None:
    write_pair(tmp_path)
    assert night(tmp_path).returncode == 0
    columns = [{"name": "Cost"}, {"name": "BillingMonth"}, {"name": "Currency"}]
    rows = [[530.25, "2026-10-01T00:00:00", "USD"]]
    with cost_management() as server:
        server.say({"properties": {"nextLink": None, "columns": columns, "rows": rows}})
        server.say({"value": [{"name": "actual"}]})
        told = ask(tmp_path, server)
    assert told.returncode == 0, told.stderr
    assert (
        "billed: azure_cost 2026-10: 530 USD landed, 530.25 stated, difference -0.25\n"
        in told.stdout
    )
    assert "export: azure_cost: actual: of no type" in told.stdout


def test_a_source_that_cannot_be_asked_what_was_billed_differs_from_nothing(tmp_path: Path) -> None:
    write_pair(tmp_path)
    assert night(tmp_path).returncode == 0
    told = run(tmp_path, "sources", "--ask")
    assert told.returncode == 0, told.stderr
    assert "its provider says nothing of it (fix: set `scope`" in told.stdout
    assert "stated" not in told.stdout
    said = json.loads(run(tmp_path, "sources", "--ask", "--json").stdout)["stated"]
    assert said == [{"source": "azure_cost", "months": [], "exports": [], "problem": ""}]


@pytest.mark.servers
def test_a_refusal_to_say_what_was_billed_is_told(tmp_path: Path) -> None:
    write_pair(tmp_path)
    assert night(tmp_path).returncode == 0
    with cost_management() as server:
        server.say({}, 403)
        told = ask(tmp_path, server)
    assert told.returncode == 1
    assert "access denied" in told.stdout
    assert "Cost Management Reader" in told.stdout
