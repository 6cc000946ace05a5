"""What the operating system takes away from the process that runs an analyst's SQL.

Everything here holds for the calling process for ever, and for the threads it starts afterwards:
so it comes before DuckDB is imported, whose threads would otherwise keep what they had. Each layer
that a kernel lacks is named in the answer of `confine`; the others still hold. Every question
waits for what is imported here, so that is little.

Source: https://docs.kernel.org/userspace-api/landlock.html and seccomp_filter.html
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

MIB = 1 << 20

# Landlock: the rights that are taken away by ABI version; a rule then gives back reading alone.
_FS_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_NET_RIGHTS = 0b11  # bind and connect TCP, since ABI 4
_SCOPES = 0b11  # abstract unix sockets and signals, since ABI 6
_READ_FILE = 1 << 2
_READ_DIR = 1 << 3
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_RULE_PATH_BENEATH = 1

_NO_NEW_PRIVS, _SET_SECCOMP, _SET_DUMPABLE = 38, 22, 4
_NEW_USER, _NEW_NET = 0x10000000, 0x40000000
_CLONE_THREAD = 0x00010000
_MALLOC_ARENAS = -8
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

# seccomp: what a query never needs. Numbers by architecture, as the kernel's tables have them.
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_FORBIDDEN = {
    "x86_64": (
        *(41, 42, 43, 44, 46, 49, 50, 53, 288),  # sockets
        *(57, 58, 59, 322, 62, 101, 310, 311, 424, 434, 438),  # processes
        *(76, 77, 82, 83, 84, 85, 86, 87, 88, 133, 258, 259, 263, 264, 265, 266, 316),  # files
        *(90, 91, 92, 93, 94, 260, 268, 452, 188, 189, 190, 165, 166, 272, 308),  # modes, mounts
        *(298, 319, 321, 323, 425, 426, 427, 248, 249, 250),  # kernel surface
    ),
    "aarch64": (
        *(198, 199, 200, 201, 202, 203, 206, 211, 242),
        *(221, 281, 129, 117, 270, 271, 424, 434, 438),
        *(33, 34, 35, 36, 37, 38, 45, 46, 276),
        *(52, 53, 54, 55, 452, 5, 6, 7, 39, 40, 97, 268),
        *(241, 279, 280, 282, 425, 426, 427, 217, 218, 219),
    ),
}
_OPEN_FLAGS_AT = {"x86_64": {2: 1, 257: 2}, "aarch64": {56: 2}}
_CLONE = {"x86_64": 56, "aarch64": 220}
_UNKNOWN_CALLS = (435, 437)  # clone3, openat2: "no such call", so that the older ones are used
_EPERM, _ENOSYS = 1, 38
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000


class Quota(NamedTuple):
    """How much of the machine the process may take."""

    memory_mib: int
    """Address space; an allocation beyond it fails."""
    cpu_seconds: int
    """Of all threads together; the kernel then kills."""


def confine(readable: Sequence[str], quota: Quota) -> list[str]:
    """Leave this process with `readable` paths to read, no network and no way to write.

    Returns a note for each layer that this kernel does not give.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    layers: Iterable[Callable[[], str | None]] = (
        lambda: _leave_network(libc),
        lambda: _limit(libc, quota),
        lambda: _landlock(libc, readable),
        lambda: _seccomp(libc),
    )
    libc.prctl(_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    return [note for layer in layers if (note := layer()) is not None]


def _leave_network(libc: ctypes.CDLL) -> str | None:
    """Move into a network of its own, without any interface; as root, leave root's powers too."""
    if libc.unshare(_NEW_USER | _NEW_NET) == 0 or libc.unshare(_NEW_NET) == 0:
        return None
    return f"no network namespace: {os.strerror(ctypes.get_errno())}"


def _limit(libc: ctypes.CDLL, quota: Quota) -> None:
    if hasattr(libc, "mallopt"):  # glibc sets 64 MiB aside for every thread, which all counts
        libc.mallopt(_MALLOC_ARENAS, 1)
    for kind, most in (
        (resource.RLIMIT_AS, quota.memory_mib * MIB),
        (resource.RLIMIT_CPU, quota.cpu_seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))


def _landlock(libc: ctypes.CDLL, readable: Sequence[str]) -> str | None:
    abi = libc.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG)
    if abi < 1:
        return f"no Landlock: {os.strerror(ctypes.get_errno())}"
    rights = max(value for version, value in _FS_RIGHTS.items() if version <= abi)
    parts = [rights, *([_NET_RIGHTS] if abi >= 4 else []), *([_SCOPES] if abi >= 6 else [])]  # noqa: PLR2004 - ABI versions
    wanted = struct.pack(f"={len(parts)}Q", *parts)
    ruleset = libc.syscall(_CREATE_RULESET, wanted, len(wanted), 0)
    for path in readable:
        _let_read(libc, ruleset, path)
    if ruleset < 0 or libc.syscall(_RESTRICT_SELF, ruleset, 0) != 0:
        return f"no Landlock: {os.strerror(ctypes.get_errno())}"
    os.close(ruleset)
    return None


def _let_read(libc: ctypes.CDLL, ruleset: int, path: str) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # this machine has no such folder, so there is nothing to allow
    rights = _READ_FILE | _READ_DIR if os.path.isdir(path) else _READ_FILE  # noqa: PTH112 - pathlib costs 5 ms
    libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, struct.pack("=Qi", rights, handle), 0)
    os.close(handle)


def _seccomp(libc: ctypes.CDLL) -> str | None:
    machine = os.uname().machine
    if machine not in _FORBIDDEN:
        return f"no system call filter: {machine} is not in its tables"
    program = _filter(machine)
    buffer = ctypes.create_string_buffer(program)
    head = struct.pack("=H6xQ", len(program) // 8, ctypes.addressof(buffer))
    if libc.prctl(_SET_SECCOMP, 2, ctypes.create_string_buffer(head), 0, 0) != 0:
        return f"no system call filter: {os.strerror(ctypes.get_errno())}"
    return None


def _filter(machine: str) -> bytes:
    """Return the filter as BPF: each forbidden call fails with EPERM, the rest goes through."""
    load, equal, any_bit, answer = 0x20, 0x15, 0x45, 0x06
    number, arch, first_argument = 0, 4, 16
    steps = [
        (load, 0, 0, arch),
        (equal, 1, 0, _AUDIT_ARCH[machine]),
        (answer, 0, 0, _KILL),
        (load, 0, 0, number),
    ]
    if machine == "x86_64":  # the x32 twins of every call
        steps += [(0x35, 0, 1, 0x40000000), (answer, 0, 0, _ERRNO | _EPERM)]
    for call in _UNKNOWN_CALLS:
        steps += [(equal, 0, 1, call), (answer, 0, 0, _ERRNO | _ENOSYS)]
    for call in _FORBIDDEN[machine]:
        steps += [(equal, 0, 1, call), (answer, 0, 0, _ERRNO | _EPERM)]
    for call, place in _OPEN_FLAGS_AT[machine].items():
        steps += [
            (equal, 0, 4, call),
            (load, 0, 0, first_argument + 8 * place),
            (any_bit, 0, 1, _WRITE_FLAGS),
            (answer, 0, 0, _ERRNO | _EPERM),
            (answer, 0, 0, _ALLOW),
        ]
    steps += [
        (equal, 0, 3, _CLONE[machine]),
        (load, 0, 0, first_argument),
        (any_bit, 1, 0, _CLONE_THREAD),
        (answer, 0, 0, _ERRNO | _EPERM),
        (answer, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
