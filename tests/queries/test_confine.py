"""Each thing the operating system takes away is tried, without DuckDB and without the gate."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2]
CONFINED = """
import ctypes, os, sys
sys.path.append(sys.argv[1])
from queries.confine import Quota, confine
libc = ctypes.CDLL(None, use_errno=True)
readable = [sys.argv[2], *sys.argv[4:], f"{sys.base_prefix}/lib", "/usr", "/lib", "/lib64"]
notes = confine(readable, Quota(512, 5))
assert not notes, notes
here, other = sys.argv[2], sys.argv[3]

def fails(call, *arguments):
    if libc.syscall(call, *arguments) >= 0:
        raise SystemExit("the kernel let it through")
    raise OSError(ctypes.get_errno(), "refused")

exec(sys.stdin.read())
"""


def try_confined(folder: Path, code: str) -> str:
    """Run `code` in a confined process; return the name of the error that ends it."""
    here, other = folder / "here.txt", folder / "other.txt"
    here.write_text("public")
    other.write_text("secret")
    wrapped = (
        f"try:\n    {code}\n"
        "except Exception as error:\n    print(type(error).__name__)\n"
        "else:\n    print('done')\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", CONFINED, str(HOME), str(here), str(other)],
        input=wrapped,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert here.read_text() == "public"
    assert other.read_text() == "secret"
    assert sorted(folder.iterdir()) == [here, other]
    return done.stdout.strip() or f"ended by {done.returncode}: {done.stderr[-200:]}"


def test_what_is_allowed_can_be_read(tmp_path: Path) -> None:
    assert try_confined(tmp_path, "assert open(here).read() == 'public'") == "done"


@pytest.mark.parametrize(
    "code",
    [
        "open(other).read()",
        "open('/etc/passwd').read()",
        "open('/proc/self/environ').read()",
        "open('/proc/1/cmdline').read()",
        "os.listdir('/')",
        "os.listdir(os.path.dirname(here))",
        "open(here, 'w')",
        "open(here, 'a')",
        "open(here, 'r+')",
        "open(other, 'w')",
        "open(other + '.new', 'x')",
        "os.open(here, os.O_RDONLY | os.O_TRUNC)",
        "os.open('/tmp', os.O_TMPFILE | os.O_RDWR)",
        "os.truncate(here, 0)",
        "os.unlink(here)",
        "os.rename(here, other)",
        "os.link(here, other + '.new')",
        "os.symlink(here, other + '.new')",
        "os.mkdir(other + '.new')",
        "os.mkfifo(other + '.new')",
        "os.chmod(here, 0o777)",
        "os.chown(here, 1, 1)",
        "os.setxattr(here, 'user.x', b'y')",
        "os.fork()",
        "os.execv('/bin/true', ['true'])",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "os.kill(os.getppid(), 0)",
        "os.memfd_create('x')",
        "fails(41, 2, 1, 0)",  # socket
        "fails(101, 16, os.getppid(), 0, 0)",  # ptrace
        "fails(272, 0x10000000)",  # unshare
        "fails(425, 8, ctypes.create_string_buffer(120))",  # io_uring
        "fails(321, 0, 0, 0)",  # bpf
        "fails(435, ctypes.create_string_buffer(88), 88)",  # clone3
        "fails(437, -100, here.encode(), ctypes.create_string_buffer(24), 24)",  # openat2
        "fails(41 | 0x40000000, 2, 1, 0)",  # the x32 twin of socket
        "bytearray(1 << 30)",
        "[os.open(here, os.O_RDONLY) for _ in range(100)]",
    ],
)
def test_what_a_query_never_needs_is_refused(tmp_path: Path, code: str) -> None:
    assert try_confined(tmp_path, code) in ("PermissionError", "OSError", "MemoryError")


def test_the_processor_is_taken_away_in_the_end(tmp_path: Path) -> None:
    assert "ended by -" in try_confined(tmp_path, "while True: pass")
