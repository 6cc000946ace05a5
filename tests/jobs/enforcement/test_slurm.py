"""The lever on Slurm, on a real one: new jobs wait, running ones go on, and it can be undone."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from jobs.enforcement.base import Order, RefusedError, UnknownError
from jobs.enforcement.slurm import Slurm
from tests.servers.slurm import CLUSTER, slurm_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.slurm import SlurmServer

__all__ = ["slurm_server"]
pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]
ORDER = Order("abc123", "vision", "vision is over", "2026-12-01", "vision", ("month",))


@pytest.fixture
def lever(slurm_server: SlurmServer) -> Iterator[Slurm]:
    """Return the lever on the cluster, whose account vision has no limit."""
    yield Slurm(CLUSTER, {"vision": ["vision"]}, command=slurm_server.command)
    slurm_server.run("scancel", "--account=vision")
    set_limit(slurm_server, "GrpTRES=gres/gpu=-1")


def set_limit(server: SlurmServer, limit: str) -> None:
    """Set a limit of the account vision as an administrator would, if it is another."""
    where = ["where", "name=vision", f"cluster={CLUSTER}", "set", limit]
    try:
        server.run("sacctmgr", "-i", "modify", "account", *where)
    except AssertionError as error:
        if "Nothing modified" not in str(error):
            raise


def test_new_jobs_wait_and_running_ones_go_on(slurm_server: SlurmServer, lever: Slurm) -> None:
    runs = slurm_server.submit("vision", 4)
    assert slurm_server.wait_for(runs, "RUNNING") == "RUNNING"
    before = lever.look("vision")
    assert before == {"limit": None}
    for _ in range(2):  # asked again, it does nothing
        assert lever.stop(ORDER, before) == ""
    assert lever.is_stopped(ORDER, lever.look("vision"))
    waits = slurm_server.submit("vision", 1)
    others = slurm_server.submit("speech", 1)
    assert slurm_server.wait_for(waits, "PENDING Assoc") == "PENDING AssocGrpGRES"
    assert slurm_server.wait_for(others, "RUNNING") == "RUNNING"
    assert slurm_server.state(runs) == "RUNNING"
    slurm_server.run("scancel", others)
    for _ in range(2):
        assert lever.release(ORDER, before) == ""
    assert lever.look("vision") == {"limit": None}
    assert slurm_server.wait_for(waits, "RUNNING") == "RUNNING"
    assert slurm_server.state(runs) == "RUNNING"


def test_the_limit_that_was_there_is_put_back(slurm_server: SlurmServer, lever: Slurm) -> None:
    set_limit(slurm_server, "GrpTRES=cpu=100,gres/gpu=6")
    before = lever.look("vision")
    assert before == {"limit": "6"}
    lever.stop(ORDER, before)
    lever.release(ORDER, before)
    assert lever.look("vision") == {"limit": "6"}
    words = ["show", "assoc", "account=vision", "user=", "format=grptres"]
    assert "cpu=100" in slurm_server.run("sacctmgr", "-nP", *words)
    set_limit(slurm_server, "GrpTRES=cpu=-1")


def test_what_somebody_set_since_or_had_lower_is_left_alone(
    slurm_server: SlurmServer, lever: Slurm
) -> None:
    before = lever.look("vision")
    lever.stop(ORDER, before)
    set_limit(slurm_server, "GrpTRES=gres/gpu=3")
    assert "somebody has set" in lever.release(ORDER, before)
    assert lever.look("vision") == {"limit": "3"}
    lenient = replace(lever, allowed=4)
    assert "limited to 3 already" in lenient.stop(ORDER, lenient.look("vision"))
    assert lever.look("vision") == {"limit": "3"}


def test_an_account_that_is_not_there_says_so(lever: Slurm) -> None:
    with pytest.raises(RefusedError, match='no account "visoin"'):
        lever.look("visoin")


def test_without_slurm_nothing_is_changed(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="cannot be run"):
        Slurm(CLUSTER, {}, command=(str(tmp_path / "none"),)).look("vision")


def test_a_change_that_is_not_answered_in_time_is_unknown(lever: Slurm, tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    words = 'case "$*" in *modify*) sleep 30;; *) exec "$@";; esac'
    slow.write_text(f"#!/bin/sh\n{words}\n", encoding="utf-8")
    slow.chmod(0o755)
    hung = replace(lever, command=(str(slow), *lever.command), timeout_seconds=5)
    with pytest.raises(UnknownError, match="within 5 s"):
        hung.stop(ORDER, {"limit": None})
    assert not lever.is_stopped(ORDER, lever.look("vision"))


def test_a_budget_of_minutes_would_end_what_runs(slurm_server: SlurmServer) -> None:
    """Why GrpTRESMins is not used: Slurm itself ends a running job when it is used up."""
    runs = slurm_server.submit("vision", 8)
    assert slurm_server.wait_for(runs, "RUNNING") == "RUNNING"
    time.sleep(5)
    set_limit(slurm_server, "GrpTRESMins=gres/gpu=0")
    deadline = time.monotonic() + 120
    while slurm_server.state(runs) == "RUNNING" and time.monotonic() < deadline:
        time.sleep(1)
    set_limit(slurm_server, "GrpTRESMins=gres/gpu=-1")
    assert slurm_server.run("sacct", "-nX", "-j", runs, "-o", "State").strip() == "TIMEOUT"
