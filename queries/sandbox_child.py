"""The process that runs an analyst's SQL; started by `queries.sandbox`, never imported by it.

The order is the point: read the question, give everything up, only then load DuckDB. It loads the
engine without the Python package around it (`_duckdb`), which would take twice the time of all the
rest, and is more code than one select needs.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from _duckdb import DuckDBPyConnection

    from queries.answers import Answer

MOST_TOKENS = 10_000
FETCH_ROWS = 500
MIB_AROUND = 512
"""Address space beyond DuckDB's own limit: Python, code, the stacks of threads."""

SYSTEM_FILES = (
    *("/usr", "/lib", "/lib64", "/etc/ld.so.cache"),
    *("/proc/self/cgroup", "/proc/stat", "/proc/meminfo", "/proc/cpuinfo"),
    *("/sys/devices/system/cpu", "/sys/fs/cgroup"),
)
"""DuckDB ends the process where it may not see how much machine there is."""


class RefusalError(Exception):
    """The question is not one that may be asked."""


def main() -> int:
    """Answer the question on standard input; return the exit code."""
    request = json.loads(sys.stdin.buffer.read())
    home = os.path.dirname(__file__)  # noqa: PTH120  (pathlib costs 3 ms)
    sys.path.append(os.path.dirname(home))  # noqa: PTH120
    answer = _answer(request["format"])
    _give_up(request, home)
    sys.path.append(request["engine"])
    import _duckdb  # noqa: PLC0415 - its threads must be born confined

    try:
        con = _open(request)
        _check(con, _duckdb, request["sql"])
        return _run(con, request, answer)
    except RefusalError as refusal:
        return _say(str(refusal), "ask with one select; `mlspend sql --list` shows examples", 2)
    except (_duckdb.ParserException, _duckdb.BinderException, _duckdb.CatalogException) as error:
        return _say(_first_lines(error), "`show all tables` names the marts and their columns", 2)
    except _duckdb.PermissionException as error:
        return _say(_first_lines(error), "ask the marts alone: files and networks are shut off", 2)
    except (_duckdb.Error, MemoryError, ValueError, ImportError) as error:
        return _say(_first_lines(error), "ask for less, or for other types", 1)


def _answer(format_: str) -> Answer:
    from queries.answers import ANSWERS  # noqa: PLC0415 - the path to it is set at start

    return ANSWERS[format_](_output())


def _output() -> TextIO:
    sys.stdout.reconfigure(encoding="utf-8", newline="", write_through=False)  # type: ignore[union-attr]
    return sys.stdout


def _give_up(request: dict[str, Any], home: str) -> None:
    from queries.confine import Quota, confine  # noqa: PLC0415 - the path to it is set at start

    readable = [
        request["generation"],
        request["engine"],
        f"{sys.base_prefix}/lib",
        home,
        *SYSTEM_FILES,
    ]
    seconds = math.ceil(request["seconds"] + 2) * request["threads"]
    notes = confine(readable, Quota(request["memory_mib"] + MIB_AROUND, seconds))
    for note in notes:
        sys.stderr.write(f"note: the sandbox has one wall less: {note}\n")


def _open(request: dict[str, Any]) -> DuckDBPyConnection:
    import _duckdb  # noqa: PLC0415 - see above

    con = _duckdb.connect(
        request["generation"],
        read_only=True,
        config={
            "enable_external_access": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "allow_unsigned_extensions": "false",
            "allow_persistent_secrets": "false",
            "python_enable_replacements": "false",
            "temp_directory": "",
            "max_temp_directory_size": "0B",
            "memory_limit": f"{request['memory_mib']}MiB",
            "threads": str(request["threads"]),
            "max_execution_time": str(math.ceil(request["seconds"] * 1000)),
        },
    )
    con.execute("set TimeZone = 'UTC'")
    con.execute("set enable_progress_bar = false")
    con.execute("set disabled_filesystems = 'LocalFileSystem'")
    con.execute("set lock_configuration = true")
    return con


def _check(con: DuckDBPyConnection, engine: Any, sql: str) -> None:
    """Let one select through, and nothing else."""
    if "\0" in sql:
        raise RefusalError("the query holds a NUL character")
    if len(engine.tokenize(sql)) > MOST_TOKENS:
        raise RefusalError(f"the query has more than {MOST_TOKENS} words")
    try:
        kinds = [statement.type.name for statement in con.extract_statements(sql)]
    except engine.ParserException:
        raise
    except Exception as unknown:  # a kind that the engine's Python does not know
        raise RefusalError("the statement is not a select") from unknown
    if not kinds:
        raise RefusalError("the query is empty")
    if len(kinds) > 1:
        raise RefusalError(f"there are {len(kinds)} statements where one select is answered")
    if kinds == ["MULTI"]:
        raise RefusalError("pivot runs as several statements; write the columns as filtered sums")
    if kinds != ["SELECT"]:
        raise RefusalError(f"{kinds[0]} is not a select")


def _run(con: DuckDBPyConnection, request: dict[str, Any], answer: Answer) -> int:
    params = {
        name: Decimal(value) if kind == "decimal" else value
        for name, (kind, value) in request["params"].items()
    }
    cursor = con.execute(request["sql"], params or None)
    columns = [str(column[0]) for column in cursor.description or ()]
    rows = _Rows(cursor, request["rows"], time.monotonic() + request["seconds"])
    answer.write(columns, rows)
    sys.stdout.flush()
    if rows.cut:
        return _say(f"the answer was cut {rows.cut}", "add a limit, a filter or a sum", 1)
    return 0


class _Rows:
    """The rows of an answer, up to the cap and the deadline; `cut` says which was met."""

    def __init__(self, cursor: DuckDBPyConnection, cap: int, deadline: float) -> None:
        self.cursor, self.cap, self.deadline = cursor, cap, deadline
        self.cut = ""

    def __iter__(self) -> Iterator[Sequence[object]]:
        sent = 0
        while rows := self.cursor.fetchmany(FETCH_ROWS):
            for row in rows:
                if sent == self.cap:
                    self.cut = f"at {self.cap} rows"
                    return
                yield row
                sent += 1
            if time.monotonic() > self.deadline:
                self.cut = "at the deadline"
                return


def _first_lines(error: BaseException) -> str:
    text = "\n".join(str(error).splitlines()[:8]) or type(error).__name__
    return "".join(char if char.isprintable() or char == "\n" else "?" for char in text[:2_000])


def _say(what: str, fix: str, code: int) -> int:
    sys.stdout.flush()
    sys.stderr.write(f"error: {what}\n  fix: {fix}\n")
    return code


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # taking the engine down in order costs a fifth of the time, and frees nothing
