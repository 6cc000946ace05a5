"""A night on a FOCUS bill that tells machines by their ids alone: the run on one has its cost."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from queries.generation import newest_generation
from queries.read import open_generation
from tests.jobs.nights import FOCUS, run

if TYPE_CHECKING:
    from pathlib import Path

MACHINE = "ocid1.instance.oc1.phx.abuw4"
HEADER = (
    "BilledCost,EffectiveCost,BillingCurrency,BillingPeriodStart,ChargePeriodStart,"
    "ChargePeriodEnd,ChargeCategory,ServiceName,ServiceCategory,ProviderName,PublisherName,"
    "ResourceId,ConsumedQuantity,ConsumedUnit\n"
)
HOUR = "USD,2026-10-01T00:00:00Z,2026-10-01T02:00:00Z,2026-10-01T03:00:00Z,Usage"
LINES = (
    f"4,4,{HOUR},COMPUTE,Compute,Oracle,Oracle,{MACHINE},8,OCPU Hours\n",
    f"1,1,{HOUR},COMPUTE,Compute,Oracle,Oracle,{MACHINE},64,GB Hours\n",
    f"2,2,{HOUR},FUNCTIONS,Compute,Oracle,Oracle,ocid1.fnfunc.oc1.phx.abuw4,64,GB Seconds\n",
)
RUN = (
    "native_id,status,started_at,ended_at\n"
    "fit,succeeded,2026-10-01T02:00:00Z,2026-10-01T03:00:00Z\n"
)


def test_a_run_has_the_cores_and_the_memory_of_its_machine_and_no_function(tmp_path: Path) -> None:
    files = {
        "bills/2026-10.csv": HEADER + "".join(LINES),
        "runs/runs.csv": RUN,
        "runs/run_places.csv": f"native_id,instance_id\nfit,{MACHINE}\n",
        "mlspend.toml": FOCUS + '[connectors.runs_file]\nroot = "runs"\n',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    with open_generation(newest_generation(tmp_path / "state")) as con:
        row = con.execute("select sum(effective_cost) from marts.runs").fetchone()
    assert row == (Decimal(5),)
