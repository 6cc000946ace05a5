"""A real Slurm, asked night by night: jobs that go on, end, fail, are cancelled and requeued."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl
import pytest

from connectors.slurm import Slurm
from tests.connectors.scheduler_nights import Nights
from tests.servers.slurm import CLUSTER, slurm_server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.servers.slurm import SlurmServer

__all__ = ["slurm_server"]
pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]


def status_of(nights: Nights, job: str) -> list[str]:
    columns = "native_id, attempt, status"
    return [status for native_id, _, status in nights.rows("runs", columns) if native_id == job]


def night_until(nights: Nights, source: Slurm, is_so: Callable[[], bool]) -> None:
    """Extract until accounting has caught up: Slurm writes it a moment after the fact."""
    deadline = time.monotonic() + 60
    while True:
        nights.night(source, datetime.now(UTC))
        if is_so():
            return
        assert time.monotonic() < deadline, nights.rows("runs")
        time.sleep(1)


def test_what_a_cluster_did_is_known_night_by_night(
    slurm_server: SlurmServer, tmp_path: Path
) -> None:
    nights = Nights(tmp_path, "slurm")
    source = Slurm(command=slurm_server.command, cluster=CLUSTER, backfill_days=2)
    comment = "--comment=mlflow_run_id=r1; team=speech"
    done = slurm_server.submit("vision", 2, 1, comment, "--job-name=a|b")
    failed = slurm_server.submit("vision", 1, work="exit 3")
    array = slurm_server.submit("speech", 1, 1, "--array=1-2")
    cancelled = slurm_server.submit("vision", 1)
    requeued = slurm_server.submit("vision", 1, 600, "--requeue")
    slurm_server.wait_for(requeued, "RUNNING")
    slurm_server.wait_for(cancelled, "RUNNING")
    began = datetime.now(UTC).replace(tzinfo=None)
    open_jobs = [cancelled, requeued]
    night_until(
        nights, source, lambda: all(status_of(nights, job) == ["running"] for job in open_jobs)
    )
    night_until(nights, source, lambda: status_of(nights, failed) == ["failed"])
    slurm_server.run("scancel", cancelled)
    slurm_server.run("scontrol", "requeue", requeued)
    night_until(nights, source, lambda: status_of(nights, cancelled) == ["cancelled"])
    night_until(nights, source, lambda: status_of(nights, requeued)[:1] == ["preempted"])
    slurm_server.run("scontrol", "update", f"jobid={requeued}", "StartTime=now")  # else it waits
    night_until(nights, source, lambda: status_of(nights, requeued) == ["preempted", "running"])
    night_until(nights, source, lambda: status_of(nights, done) == ["succeeded"])

    runs = {row[0]: row[1:] for row in nights.rows("runs", "native_id, run_name, team_raw")}
    assert runs[done] == ("a|b", "speech")
    assert runs[failed] == ("wrap", "vision")
    speech = nights.rows("runs", "team_raw, run_name, status")
    assert speech.count(("speech", "wrap", "succeeded")) == 2
    assert array in runs
    host = socket.gethostname().split(".")[0]
    places = nights.rows("run_places", "run_key, node, gpu_count, started_at, ended_at")
    assert {place[1] for place in places} == {host}
    keys = dict(nights.rows("runs", "run_key, native_id"))
    gpus = {keys[place[0]]: place[2] for place in places}
    assert (gpus[done], gpus[failed]) == (Decimal(2), Decimal(1))
    starts = [place[3] for place in places]
    assert all(abs(start - began) < timedelta(minutes=2) for start in starts)  # UTC, as we count
    tagged = nights.rows("run_tags", "tags['mlflow_run_id']")
    assert ("r1",) in tagged


def test_a_night_without_changes_delivers_nothing(
    slurm_server: SlurmServer, tmp_path: Path
) -> None:
    for account in ("vision", "speech"):
        slurm_server.run("scancel", f"--account={account}")
    nights = Nights(tmp_path, "slurm")
    source = Slurm(command=slurm_server.command, backfill_days=2)
    job = slurm_server.submit("vision", 1, 1)
    night_until(nights, source, lambda: status_of(nights, job) == ["succeeded"])
    night_until(nights, source, lambda: ("running",) not in nights.rows("runs", "status"))
    before = nights.rows("runs")
    for looks_back in (source, replace(source, rescan_every_days=0)):
        assert nights.night(looks_back, datetime.now(UTC) + timedelta(hours=1)) == 0
    assert nights.rows("runs") == before


def test_sinfo_lists_the_nodes(slurm_server: SlurmServer, tmp_path: Path) -> None:
    nights = Nights(tmp_path, "slurm")
    source = Slurm(command=slurm_server.command, cluster=CLUSTER, nodes=True, backfill_days=2)
    nights.night(source, datetime.now(UTC))
    (listing,) = [one for one in nights.landed if one.table == "nodes"]
    found = pl.read_parquet(listing.files[0].path).rows()
    assert [node for node, _ in found] == [socket.gethostname().split(".")[0]]
    assert all(state for _, state in found)
