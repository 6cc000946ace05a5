"""Answer an analyst's SQL from a published generation, in a process that can do nothing else.

The process is started anew, so it inherits neither the environment nor the memory of this one; it
gives up files, network and processes before DuckDB is loaded (`queries.confine`), opens the
generation read-only with everything else locked, and runs one select. Whatever it still gets away
with, this side cuts: bytes beyond the cap, and time beyond the deadline.

Knows nothing of DuckDB: `mlspend sql` starts in the time that the other process needs to start.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from queries.named import Value

Format = Literal["table", "csv", "json"]
DONE, CUT, MISUSE = 0, 1, 2
MOST_TEXT = 64 * 1024
GRACE_SECONDS = 2.0
"""After the deadline the query is told to stop; this much later its process is killed."""

_CHUNK = 1 << 16
_CHILD = Path(__file__).with_name("sandbox_child.py")


@dataclass(frozen=True, slots=True)
class SqlLimits:
    """What one question may cost."""

    seconds: float = 30.0
    memory_mib: int = 512
    """For DuckDB; the process as a whole gets 512 MiB more of address space."""
    threads: int = 2
    rows: int = 100_000
    output_mib: int = 64


def run_sql(  # noqa: PLR0913 - each is a thing the caller may choose
    generation: Path,
    sql: str,
    *,
    format: Format = "table",  # noqa: A002 - the option's name
    params: Mapping[str, Value] | None = None,
    limits: SqlLimits | None = None,
    out: BinaryIO | None = None,
    err: BinaryIO | None = None,
) -> int:
    """Run one select on `generation`, write the answer to `out` and remarks to `err`.

    Returns 0: all of the answer is out; 1: it was cut at a limit, or the query failed while it
    ran; 2: the text is not one select that DuckDB understands, so nothing ran.
    """
    limits = SqlLimits() if limits is None else limits
    out = sys.stdout.buffer if out is None else out
    err = sys.stderr.buffer if err is None else err
    try:
        request = _request(generation, sql, format, params or {}, limits)
    except UnicodeEncodeError:
        return _refuse(err, "the query is not text", "write it in UTF-8")
    if len(sql.encode()) > MOST_TEXT:
        return _refuse(
            err,
            f"the query is longer than {MOST_TEXT // 1024} KiB",
            "put long lists of values into a join with a mart",
        )
    return _Run(request, limits, out, err).run()


def _refuse(err: BinaryIO, what: str, fix: str) -> int:
    err.write(f"error: {what}\n  fix: {fix}\n".encode())
    err.flush()
    return MISUSE


def _request(
    generation: Path, sql: str, format_: str, params: Mapping[str, Value], limits: SqlLimits
) -> bytes:
    engine = PathFinder.find_spec("_duckdb")
    if engine is None or engine.origin is None:  # pragma: no cover - a dependency of ours
        raise ModuleNotFoundError(name="_duckdb")
    return json.dumps(
        {
            "generation": str(generation.resolve()),
            "sql": sql,
            "format": format_,
            "params": {name: _tagged(value) for name, value in params.items()},
            "engine": str(Path(engine.origin).parent),
            "seconds": limits.seconds,
            "memory_mib": limits.memory_mib,
            "threads": limits.threads,
            "rows": limits.rows,
        },
        ensure_ascii=False,
    ).encode()


def _tagged(value: Value) -> tuple[str, str | int | float | bool | None]:
    """Return a value as JSON can carry it, with the word that brings its type back."""
    if isinstance(value, Decimal):
        return "decimal", format(value, "f")
    if isinstance(value, date):
        return "plain", value.isoformat()
    return "plain", value


class _Run:
    """One child process, from its start to its end."""

    def __init__(self, request: bytes, limits: SqlLimits, out: BinaryIO, err: BinaryIO) -> None:
        self.sinks: dict[int, BinaryIO] = {}
        self.room = limits.output_mib << 20
        self.kill_at = time.monotonic() + limits.seconds + GRACE_SECONDS
        self.remark = b""
        self.request = request
        self.limits = limits
        self.out, self.err = out, err

    def run(self) -> int:
        child = self._start()
        try:
            self._stream()
        except BrokenPipeError:  # `| head`: whoever read has read enough
            self._kill(child)
        except BaseException:
            self._kill(child)
            os.waitpid(child, 0)
            raise
        finally:
            for source in self.sinks:
                os.close(source)
        if self.remark:
            self._kill(child)
        _, status = os.waitpid(child, 0)
        return self._judge(os.waitstatus_to_exitcode(status))

    def _start(self) -> int:
        ends = [os.pipe() for _ in range(3)]
        (ask, tell), (answer, _), (remarks, _) = ends
        childs = (ask, ends[1][1], ends[2][1])
        child = os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", "-B", str(_CHILD)],
            {},
            file_actions=[(os.POSIX_SPAWN_DUP2, end, place) for place, end in enumerate(childs)],
            setsigmask=[],
            setsigdef=[signal.SIGPIPE, signal.SIGXCPU],
        )
        for end in childs:
            os.close(end)
        self.sinks = {answer: self.out, remarks: self.err}
        try:
            with os.fdopen(tell, "wb") as pipe:
                pipe.write(self.request)
        except BrokenPipeError:
            pass  # the child is gone already, and its remark says why
        return child

    def _stream(self) -> None:
        while self.sinks:
            left = self.kill_at - time.monotonic()
            ready, _, _ = select.select(list(self.sinks), [], [], max(left, 0))
            if not ready:
                self.remark = b"error: the query passed its deadline and was killed\n"
                return
            for source in ready:
                chunk = os.read(source, _CHUNK)
                if not chunk:
                    del self.sinks[source]
                    os.close(source)
                    continue
                self.room -= len(chunk)
                if self.room < 0:
                    self.remark = b"error: the answer passed the cap on its size and was cut\n"
                    return
                self.sinks[source].write(chunk)
                self.sinks[source].flush()

    def _judge(self, code: int) -> int:
        if not self.remark and code < 0 and code != -signal.SIGPIPE:
            name = signal.Signals(-code).name
            self.remark = f"error: the query's process was ended by {name}\n".encode()
        if self.remark:
            limits = self.limits
            self.err.write(
                self.remark
                + f"  fix: ask for less; the limits are {limits.seconds:g} s, {limits.memory_mib} "
                f"MiB of memory, {limits.output_mib} MiB of output\n".encode()
            )
            self.err.flush()
            return CUT
        return max(code, 0)

    @staticmethod
    def _kill(child: int) -> None:
        os.kill(child, signal.SIGKILL)
