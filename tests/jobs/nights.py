"""Nights as an operator runs them: a folder with a bill and a config file, and the command."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from queries.generation import newest_generation
from queries.read import open_generation

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
HEADER = (
    "BilledCost,EffectiveCost,ListCost,ContractedCost,BillingCurrency,BillingAccountId,"
    "BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,"
    "ChargeFrequency,ServiceName,ServiceCategory,ProviderName,ResourceId,Tags\n"
)
FOCUS = '[connectors.focus]\nroot = "bills"\n'


def write_month(
    folder: Path, month: str, costs: Mapping[int, str], *, account: str = "111"
) -> None:
    """Write the FOCUS bill of a month, `2026-10`: a line per day, of the team vision."""
    folder.mkdir(parents=True, exist_ok=True)
    year, number = (int(part) for part in month.split("-"))
    after = f"{year + number // 12}-{number % 12 + 1:02}"
    lines = [
        f"{cost},{cost},{cost},{cost},USD,{account},{month}-01T00:00:00Z,{after}-01T00:00:00Z,"
        f"{month}-{day:02}T00:00:00Z,{month}-{day + 1:02}T00:00:00Z,Usage,Usage-Based,"
        'Object Storage,Storage,AWS,bucket-1,"{""team"": ""vision""}"\n'
        for day, cost in costs.items()
    ]
    (folder / f"{month}.csv").write_text(HEADER + "".join(lines), encoding="utf-8")


def make_home(home: Path, operations: str = "") -> Path:
    """Make a folder with a bill of 3.75 and a config file."""
    write_month(home / "bills", "2026-10", {1: "1.25", 2: "2.5"})
    configure(home, f"{FOCUS}[operations]\n{operations}\n")
    return home


def configure(home: Path, text: str) -> None:
    """Write the config file."""
    (home / "mlspend.toml").write_text(text, encoding="utf-8")


def run(
    home: Path, *args: str, before: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in the folder; `before` it some lines of Python."""
    start = ["-c", f"{before}\nfrom jobs.cli import main\nmain()"] if before else ["-m", "jobs.cli"]
    return subprocess.run(
        [sys.executable, "-P", *start, *(args or ("nightly",))],
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


def loading(
    home: Path, heavy: set[str], *args: str, then: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command in the folder; the last line that it prints tells what of `heavy` it loaded."""
    code = (
        f"import sys; sys.argv = {['mlspend', *args]!r}\n"
        "from jobs.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"{then}\n"
        f"print(sorted({heavy!r} & set(sys.modules)))"
    )
    return subprocess.run(
        [sys.executable, "-P", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def billed(home: Path) -> Decimal:
    """Return what the generation in force says was billed."""
    with open_generation(newest_generation(home / "state")) as con:
        row = con.execute(
            "select sum(billed) from marts.books "
            "where measure = 'billed_cost' and dimension = 'user'"
        ).fetchone()
    assert row is not None
    return Decimal(row[0] or 0)
