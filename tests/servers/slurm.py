"""A real Slurm with accounting and imaginary GPUs, unpacked beside the machine's own programs.

munged, MariaDB, slurmdbd, slurmctld and slurmd run as the user that runs the tests, on ports and
sockets of their own below one folder. GPUs are empty files: Slurm counts and allots them all the
same.
"""

from __future__ import annotations

import getpass
import os
import secrets
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.cache import unpack_debs
from tests.servers.process import free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PACKAGES = (
    "slurmctld",
    "slurmdbd",
    "slurmd",
    "slurm-client",
    "slurm-wlm-basic-plugins",
    "slurm-wlm-mysql-plugin",
    "munge",
    "libmunge2",
    "mariadb-server-core",
    "mariadb-client-core",
    "libmariadb3",
    "libaio1",
    "liburing2",
    "libhwloc15",
    "libjson-c5",
    "libnuma1",
    "libdbus-1-3",
    "liblua5.1-0",
    "libyaml-0-2",
)
_GPUS = 8
CLUSTER = "ml"


@dataclass(frozen=True, slots=True)
class SlurmServer:
    """A running cluster, and how to speak to it."""

    root: Path
    environment: Mapping[str, str]

    @property
    def command(self) -> tuple[str, ...]:
        """What to put before a command of Slurm's."""
        pairs = (f"{key}={value}" for key, value in self.environment.items())
        return ("env", *pairs)

    def run(self, *words: str) -> str:
        """Run a command of Slurm's; return what it wrote."""
        done = subprocess.run(
            words,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def submit(
        self, account: str, gpus: int, seconds: int = 600, *options: str, work: str = ""
    ) -> str:
        """Submit a job that holds GPUs, and sleeps unless it has other work; return its id."""
        words = ["sbatch", "--parsable", f"--account={account}", f"--gres=gpu:{gpus}"]
        more = ["--output=/dev/null", "--time=60", f"--wrap={work or f'sleep {seconds}'}"]
        return self.run(*words, *options, *more).strip()

    def state(self, job: str) -> str:
        """Return a job's state and, where it waits, why: `RUNNING`, `PENDING AssocGrpGRES`."""
        told = self.run("squeue", "-h", "-j", job, "-o", "%T %r").strip()
        return told.removesuffix(" None")

    def wait_for(self, job: str, wanted: str, patience: float = 60) -> str:
        """Wait until a job's state begins so; return what it is in the end."""
        deadline = time.monotonic() + patience
        while not self.state(job).startswith(wanted) and time.monotonic() < deadline:
            time.sleep(0.25)
        return self.state(job)


@pytest.fixture(scope="session")
def slurm_server() -> Iterator[SlurmServer]:
    """Start Slurm once for all tests, with the accounts vision and speech."""
    unpacked = unpack_debs("slurm", _PACKAGES)
    with tempfile.TemporaryDirectory(prefix="slurm-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        server = SlurmServer(unpacked, _environment(unpacked, folder))
        _start_munge(stack, server, folder)
        port = _start_database(stack, server, folder)
        _start_accounting(stack, server, folder, port)
        for words in (("cluster", CLUSTER), ("account", "vision"), ("account", "speech")):
            server.run("sacctmgr", "-i", "add", *words)
        for account in ("vision", "speech"):
            server.run("sacctmgr", "-i", "add", "user", getpass.getuser(), f"account={account}")
        _start_cluster(stack, server, folder)
        yield server
        _end_jobs(server)


def _end_jobs(server: SlurmServer) -> None:
    """Cancel what runs, and wait for it: a job outlives the daemon that started it."""
    server.run("scancel", f"--user={getpass.getuser()}")
    deadline = time.monotonic() + 20
    while server.run("squeue", "-h") and time.monotonic() < deadline:
        time.sleep(0.25)


def _environment(unpacked: Path, folder: Path) -> dict[str, str]:
    libraries = unpacked / "usr" / "lib" / "x86_64-linux-gnu"
    own = folder / "bin"  # a daemon knows by its name that it is one, and Debian's have others
    own.mkdir()
    for name in ("slurmctld", "slurmd", "slurmstepd"):
        (own / name).symlink_to(unpacked / "usr" / "sbin" / f"{name}-wlm")
    programs = [own, unpacked / "usr" / "bin", unpacked / "usr" / "sbin", os.environ["PATH"]]
    places = [libraries, libraries / "slurm-wlm", unpacked / "lib" / "x86_64-linux-gnu"]
    return {
        "LD_LIBRARY_PATH": ":".join(map(str, places)),
        "PATH": ":".join(map(str, programs)),
        "SLURM_CONF": str(folder / "slurm.conf"),
    }


def _start_munge(stack: ExitStack, server: SlurmServer, folder: Path) -> None:
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o600)
    options = {"key-file": key, "socket": folder / "munge.socket", "pid-file": folder / "munge.pid"}
    options |= {"log-file": folder / "munge.log", "seed-file": folder / "munge.seed"}
    stack.enter_context(
        running(
            ["munged", "-F", "-f", *(f"--{key}={value}" for key, value in options.items())],
            log=folder / "munged.out",
            is_ready=(folder / "munge.socket").exists,
            environment=server.environment,
        )
    )


def _start_database(stack: ExitStack, server: SlurmServer, folder: Path) -> int:
    """Start MariaDB with an empty database for accounting; return its port."""
    base, data, port = server.root / "usr", folder / "db", free_port()
    user = getpass.getuser()
    common = [f"--basedir={base}", f"--datadir={data}", f"--user={user}"]
    server.run(
        "mariadb-install-db", "--no-defaults", *common, "--auth-root-authentication-method=normal"
    )
    first = folder / "first.sql"
    first.write_text(
        "create database slurm_acct_db; create user slurm@localhost identified by 'slurm';"
        "grant all on slurm_acct_db.* to slurm@localhost;".replace(";", ";\n")
    )
    sizes = ["--innodb-buffer-pool-size=64M", "--innodb-lock-wait-timeout=900"]
    sizes += ["--innodb-flush-log-at-trx-commit=0", "--skip-name-resolve=0"]
    places = [f"--socket={folder / 'db.socket'}", f"--port={port}", "--bind-address=127.0.0.1"]
    places += [f"--pid-file={folder / 'db.pid'}", f"--init-file={first}"]
    places += [f"--lc-messages-dir={base / 'share' / 'mysql'}"]
    stack.enter_context(
        running(
            ["mariadbd", "--no-defaults", *common, *sizes, *places],
            log=folder / "mariadbd.out",
            is_ready=lambda: _answers(port),
            environment=server.environment,
        )
    )
    return port


def _start_accounting(stack: ExitStack, server: SlurmServer, folder: Path, port: int) -> None:
    dbd = free_port()
    conf = folder / "slurmdbd.conf"
    conf.write_text(
        f"AuthType=auth/munge\nAuthInfo=socket={folder / 'munge.socket'}\n"
        f"DbdHost=localhost\nDbdPort={dbd}\nSlurmUser={getpass.getuser()}\n"
        f"StorageType=accounting_storage/mysql\nStorageHost=127.0.0.1\nStoragePort={port}\n"
        "StorageUser=slurm\nStoragePass=slurm\nStorageLoc=slurm_acct_db\n"
        f"PidFile={folder / 'slurmdbd.pid'}\nLogFile={folder / 'slurmdbd.log'}\n"
        f"PluginDir={_plugins(server)}\n"
    )
    conf.chmod(0o600)
    _write_slurm_conf(server, folder, dbd)
    stack.enter_context(
        running(
            ["slurmdbd", "-D"],
            log=folder / "slurmdbd.out",
            is_ready=lambda: _answers(dbd),
            environment=server.environment,
        )
    )


def _plugins(server: SlurmServer) -> Path:
    return server.root / "usr" / "lib" / "x86_64-linux-gnu" / "slurm-wlm"


def _write_slurm_conf(server: SlurmServer, folder: Path, dbd: int) -> None:
    host = socket.gethostname().split(".")[0]
    files = folder / "gpus"
    for place in (files, folder / "state", folder / "spool"):
        place.mkdir()
    for number in range(_GPUS):
        (files / f"nvidia{number}").touch()
    (folder / "gres.conf").write_text(f"Name=gpu Type=a100 File={files}/nvidia[0-{_GPUS - 1}]\n")
    lines = {
        "ClusterName": CLUSTER,
        "SlurmctldHost": f"{host}(127.0.0.1)",
        "SlurmctldPort": free_port(),
        "SlurmdPort": free_port(),
        "SlurmUser": getpass.getuser(),
        "SlurmdUser": getpass.getuser(),
        "AuthType": "auth/munge",
        "AuthInfo": f"socket={folder / 'munge.socket'}",
        "CredType": "cred/munge",
        "PluginDir": _plugins(server),
        "StateSaveLocation": folder / "state",
        "SlurmdSpoolDir": folder / "spool",
        "SlurmctldPidFile": folder / "slurmctld.pid",
        "SlurmdPidFile": folder / "slurmd.pid",
        "SlurmctldLogFile": folder / "slurmctld.log",
        "SlurmdLogFile": folder / "slurmd.log",
        "AccountingStorageType": "accounting_storage/slurmdbd",
        "AccountingStorageHost": "localhost",
        "AccountingStoragePort": dbd,
        "AccountingStoragePass": folder / "munge.socket",
        "AccountingStorageTRES": "gres/gpu,gres/gpu:a100",
        "AccountingStoreFlags": "job_comment",
        "AccountingStorageEnforce": "associations,limits",
        "JobAcctGatherType": "jobacct_gather/none",
        "PriorityType": "priority/multifactor",
        "ProctrackType": "proctrack/linuxproc",
        "TaskPlugin": "task/none",
        "SelectType": "select/cons_tres",
        "SelectTypeParameters": "CR_Core",
        "GresTypes": "gpu",
        "SlurmdParameters": "config_overrides",
        "ReturnToService": 2,
        "KillWait": 1,
        "SchedulerParameters": "sched_interval=5",
        "MpiDefault": "none",
    }
    text = "".join(f"{key}={value}\n" for key, value in lines.items())
    text += (
        f"NodeName={host} NodeAddr=127.0.0.1 CPUs=16 RealMemory=8000 Gres=gpu:a100:{_GPUS}\n"
        f"PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP\n"
    )
    (folder / "slurm.conf").write_text(text)


def _start_cluster(stack: ExitStack, server: SlurmServer, folder: Path) -> None:
    host = socket.gethostname().split(".")[0]
    stack.enter_context(
        running(
            ["slurmctld", "-D"],
            log=folder / "slurmctld.out",
            is_ready=lambda: _is_up(server, "scontrol", "ping"),
            environment=server.environment,
        )
    )
    stepd = folder / "bin" / "slurmstepd"
    stack.enter_context(
        running(
            ["slurmd", "-D", "-N", host, "-d", str(stepd)],
            log=folder / "slurmd.out",
            is_ready=lambda: "idle" in server.run("sinfo", "-h", "-o", "%t"),
            environment=server.environment,
        )
    )


def _is_up(server: SlurmServer, *words: str) -> bool:
    try:
        return "UP" in server.run(*words)
    except (AssertionError, subprocess.TimeoutExpired):
        return False


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
