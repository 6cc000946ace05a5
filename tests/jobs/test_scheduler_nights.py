"""Whole nights on jobs of schedulers: each second that a job held is paid, and by whom."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from tests.jobs.test_other_bills import ask, billed, night

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "JobIDRaw|JobID|DBIndex|User|Account|State|Submit|Start|End|AllocTRES|NodeList"


def job(number: str, index: int, account: str, state: str, hours: tuple[int, int, int]) -> str:
    """Return a line of sacct: a job on one node from an hour to another, and its GPUs."""
    start, end, gpus = hours
    times = [f"2026-10-01T{hour:02}:00:00" for hour in (start, start, end)]
    tres = f"cpu=4,gres/gpu:h100={gpus},gres/gpu={gpus}"
    return "|".join([number, number, str(index), "ann", account, state, *times, tres, "gpu-01"])


def test_jobs_of_slurm_share_a_machine_of_ones_own(tmp_path: Path) -> None:
    """Of 8 GPUs for 24 hours vision held 4 for 12, in two attempts, and speech 2 for 12."""
    (tmp_path / "card.csv").write_text(
        "machine_id,currency,price,life_months,in_service,out_of_service,gpu_count,"
        "hosting_per_month\n"
        "gpu-01,EUR,73000,48,2026-10-01,2026-10-02,8,3100\n",
        encoding="utf-8",
    )
    (tmp_path / "sacct").mkdir()
    lines = [
        HEADER,
        job("17", 1, "vision", "REQUEUED", (0, 6, 4)),
        job("17", 2, "vision", "COMPLETED", (8, 14, 4)),
        job("18", 3, "speech", "FAILED", (2, 14, 2)),
    ]
    (tmp_path / "sacct" / "2026-10-02.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")
    night(
        tmp_path,
        '[connectors.rate_card]\npath = "card.csv"\n[connectors.slurm]\nroot = "sacct"\n',
    )
    assert billed(tmp_path) == {"EUR": Decimal(73100)}
    teams = dict(
        ask(
            tmp_path,
            "select member, sum(effective_cost) from marts.spend_daily where dimension = 'team' "
            "group by all",
        )
    )
    day = Decimal(73100)
    assert teams == {"vision": day / 4, "speech": day / 8, "(idle)": day * 5 / 8}
