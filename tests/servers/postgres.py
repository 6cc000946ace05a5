"""A real PostgreSQL for the tests, on a port of its own, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.cache import unpack_debs
from tests.servers.process import free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_VERSION = "15"
_INSTALLED = Path("/usr/lib/postgresql")
_LIBRARIES = ("libpq5", "libxml2", "libicu72", "libldap-2.5-0", "libsasl2-2")


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """Where it listens, and its only user, who may do anything."""

    port: int
    user: str = "postgres"
    password: str = "not-a-secret"  # noqa: S105  (it lives as long as the tests)

    def uri(self, *, with_password: bool, scheme: str = "postgresql") -> str:
        """Return the address of the database `postgres`."""
        login = f"{self.user}:{self.password}@" if with_password else ""
        return f"{scheme}://{login}127.0.0.1:{self.port}/postgres"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Start PostgreSQL once for all tests."""
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        folder = Path(name)
        server = PostgresServer(free_port())
        programs = _programs(folder)
        password_file = folder / "password"
        password_file.write_text(server.password)
        _hand_over(folder)
        as_user = _as_unprivileged_user()
        data = folder / "data"
        make = [str(programs / "initdb"), "--pgdata", str(data), "--username", server.user]
        make += ["--pwfile", str(password_file), "--auth", "scram-sha-256"]
        make += ["--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"]
        environment = {"LD_LIBRARY_PATH": _library_path(programs)}
        subprocess.run(
            [*as_user, *make],
            check=True,
            capture_output=True,
            cwd=folder,
            env=os.environ | environment,
        )
        serve = [str(programs / "postgres"), "-D", str(data), "-p", str(server.port)]
        serve += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        serve += ["-c", "fsync=off"]
        with running(
            [*as_user, *serve],
            log=folder / "log",
            is_ready=lambda: _answers(server.port),
            environment=environment,
        ):
            yield server


def _programs(folder: Path) -> Path:
    """Return the folder of the server's programs: those installed, else unpacked ones."""
    installed = _INSTALLED / _VERSION / "bin"
    if (installed / "postgres").exists():
        return installed
    unpacked = unpack_debs("postgresql", [f"postgresql-{_VERSION}", *_LIBRARIES])
    if os.geteuid() == 0:  # the user it runs as may not be allowed into the cache folder
        shutil.copytree(unpacked / "usr", folder / "usr", symlinks=True)
        unpacked = folder
    return unpacked / "usr" / "lib" / "postgresql" / _VERSION / "bin"


def _library_path(programs: Path) -> str:
    beside = [str(path.parent) for path in programs.parents[2].glob("*/libpq.so.5")]
    return ":".join([*beside, os.environ.get("LD_LIBRARY_PATH", "")]).strip(":")


def _as_unprivileged_user() -> Sequence[str]:
    """PostgreSQL does not run as root: return what to put before its command."""
    if os.geteuid() != 0:
        return ()
    nobody = pwd.getpwnam("nobody")
    return ("setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups")


def _hand_over(folder: Path) -> None:
    """Give the folder to the user that the server runs as."""
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        for path in (folder, folder / "password"):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
