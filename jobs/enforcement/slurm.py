"""Limits what a Slurm account's jobs may hold together: GrpTRES of the account, by sacctmgr.

GrpTRES bounds what runs at one moment: jobs that run go on, new ones wait. GrpTRESMins, a budget of
GPU-minutes, is not set, because Slurm ends the jobs that run when such a budget is used up.
The limit works where slurm.conf has AccountingStorageEnforce=limits; that is looked at first.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from jobs.enforcement.base import RefusedError, UnknownError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jobs.enforcement.base import Order, State

_NONE = "-1"
"""How sacctmgr is told to take a limit away."""


@dataclass(frozen=True, slots=True)
class Slurm:
    """The accounts of one cluster."""

    cluster: str
    accounts: Mapping[str, Sequence[str]]
    """Member -> the Slurm accounts that its jobs are charged to."""
    name: str = "slurm"
    dimension: Literal["team", "user", "project", "model", "dataset"] = "team"
    tres: str = "gres/gpu"
    allowed: int = 0
    """How many of `tres` all jobs of a stopped account may hold at once."""
    command: Sequence[str] = field(default=())
    """What to put before sacctmgr and scontrol, such as ["ssh", "login1"]."""
    timeout_seconds: int = 60

    kind: ClassVar[str] = "slurm"

    def targets(self) -> Mapping[str, Sequence[str]]:
        """Return member -> its accounts."""
        return self.accounts

    def change(self, target: str) -> str:
        """Say what exactly would be done."""
        return shlex.join(self._setting(target, str(self.allowed)))

    def undo(self, target: str) -> str:
        """Say how it is undone."""
        return f"{shlex.join(self._setting(target, '<what it was before; -1 where none>'))}"

    def look(self, target: str) -> State:
        """Return the account's limit, none where it has none."""
        self._check_is_enforced()
        words = ["sacctmgr", "-nP", "show", "assoc", f"account={target}", f"cluster={self.cluster}"]
        told = self._run([*words, "user=", "format=user,grptres"])
        rows = [line.split("|") for line in told.splitlines() if line]
        own = [row for row in rows if not row[0]]
        if len(own) != 1:
            raise RefusedError(
                f'there is no account "{target}"' if not own else f'"{target}" is several accounts',
                where=f"Slurm cluster {self.cluster}",
                fix=f"mend [levers.slurm] accounts; {shlex.join(words)} shows what there is",
            )
        limits = dict(part.split("=", 1) for part in own[0][1].split(",") if "=" in part)
        return {"limit": limits.get(self.tres)}

    def is_stopped(self, order: Order, found: State) -> bool:  # noqa: ARG002
        """Tell whether the account has our limit."""
        return found["limit"] == str(self.allowed)

    def stop(self, order: Order, before: State) -> str:
        """Lower the account's limit, unless it is lower already."""
        limit = before.get("limit")
        if isinstance(limit, str) and limit.isdecimal() and int(limit) <= self.allowed:
            return f"the account was limited to {limit} already"
        if self.is_stopped(order, self.look(order.target)):
            return ""
        self._run(self._setting(order.target, str(self.allowed)), is_change=True)
        return self._see(order.target, str(self.allowed))

    def release(self, order: Order, before: State) -> str:
        """Put the account's limit back, unless somebody has set another since."""
        limit = before.get("limit")
        found = self.look(order.target)["limit"]
        if found == limit:
            return ""
        if found != str(self.allowed):
            return f"left as it is: somebody has set {self.tres}={found} since"
        self._run(self._setting(order.target, str(limit or _NONE)), is_change=True)
        return self._see(order.target, None if limit is None else str(limit))

    def _see(self, target: str, wanted: str | None) -> str:
        found = self.look(target)["limit"]
        if found != wanted:
            raise RefusedError(
                f"sacctmgr took the change, but {self.tres} is {found}, not {wanted}",
                where=f"Slurm cluster {self.cluster}, account {target}",
                fix="see whether another tool sets this limit too",
            )
        return ""

    def _setting(self, target: str, limit: str) -> list[str]:
        words = ["sacctmgr", "-i", "modify", "account", "where", f"name={target}"]
        return [*words, f"cluster={self.cluster}", "set", f"GrpTRES={self.tres}={limit}"]

    def _check_is_enforced(self) -> None:
        told = self._run(["scontrol", "show", "config"])
        for line in told.splitlines():
            key, _, value = line.partition("=")
            words = value.strip().lower().split(",")
            if key.strip() == "AccountingStorageEnforce" and {"limits", "safe", "all"} & set(words):
                return
        raise RefusedError(
            "Slurm does not enforce limits of accounts",
            where=f"Slurm cluster {self.cluster}",
            fix="set AccountingStorageEnforce=limits in slurm.conf, and restart slurmctld",
        )

    def _run(self, words: Sequence[str], *, is_change: bool = False) -> str:
        """Run a command of Slurm's; return what it wrote."""
        command = [*self.command, *words]
        where = shlex.join(command)
        try:
            done = subprocess.run(  # noqa: S603  (the words are ours, none goes through a shell)
                command,
                capture_output=True,
                text=True,
                check=False,
                stdin=subprocess.DEVNULL,
                timeout=self.timeout_seconds,
                env={**os.environ, "LC_ALL": "C"},
            )
        except OSError as error:
            raise RefusedError(
                f"{command[0]} cannot be run: {error.strerror}",
                where=where,
                fix="run where Slurm's commands are, or set command in [levers.slurm]",
            ) from error
        except subprocess.TimeoutExpired as error:
            kind = UnknownError if is_change else RefusedError
            raise kind(
                f"Slurm did not answer within {self.timeout_seconds} s",
                where=where,
                fix="see that slurmctld and slurmdbd answer; `mlspend enforce` looks again",
            ) from error
        if done.returncode != 0 and "Nothing modified" not in done.stdout + done.stderr:
            said = (done.stderr or done.stdout).strip().splitlines() or ["nothing"]
            kind = UnknownError if is_change else RefusedError  # a broken line looks like a no
            raise kind(f"Slurm said no: {said[-1].strip()}", where=where, fix="run it by hand")
        return done.stdout
