"""What sacct prints, parsed: a line a job, and the nodes that a list of nodes stands for.

Names and comments may hold any character but the one that sacct puts between fields, and even
breaks of lines: what has too few fields goes on in the next line.
"""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.base import SourceError, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

FIELDS: Mapping[str, str] = {
    "JobIDRaw": "job_id_raw",
    "JobID": "job_id",
    "JobName": "job_name",
    "User": "user_name",
    "Account": "account",
    "Partition": "partition_name",
    "QOS": "qos",
    "Cluster": "cluster",
    "State": "state",
    "ExitCode": "exit_code",
    "DerivedExitCode": "derived_exit_code",
    "Submit": "submitted",
    "Start": "started",
    "End": "ended",
    "ElapsedRaw": "elapsed_seconds",
    "Suspended": "suspended",
    "TimelimitRaw": "limit_minutes",
    "ReqTRES": "requested_tres",
    "AllocTRES": "allocated_tres",
    "NodeList": "node_list",
    "WCKey": "wckey",
    "Comment": "comment",
    "DBIndex": "db_index",
}
"""What is asked of sacct -> the column. SubmitLine is not: command lines hold secrets."""
NEEDED = (
    "JobIDRaw",
    "DBIndex",
    "User",
    "Account",
    "State",
    "Submit",
    "Start",
    "End",
    "AllocTRES",
    "NodeList",
)
JOBS = Table("jobs", dict.fromkeys([*FIELDS.values(), "nodes", "time_zone"], "text"))
"""`nodes` are those of `node_list`, with commas; `time_zone` is that of times without an offset."""
OPEN_STATES = ("PENDING", "RUNNING", "SUSPENDED", "COMPLETING", "CONFIGURING", "STAGE_OUT")
SEPARATOR = "\x1f"
_MOST_NODES = 65_536
_HEADER = re.compile(r"[A-Za-z]+([^A-Za-z0-9]+)")
_TIME = re.compile(
    r"(\d+|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:?\d\d)?|Unknown|None|)", re.IGNORECASE
)
_RANGE = re.compile(r"(\d+)(?:-(\d+))?")

Job = dict[str, str | None]


def jobs_of(
    lines: Iterable[str], *, where: str, time_zone: str, cluster: str = ""
) -> Iterator[Job]:
    """Yield the jobs of an output of `sacct -P` with its header; steps are left out.

    With a `cluster`, those of others are left out, too; without one there may be but one.
    Raises: SourceError
    """
    rows = _rows(lines, where)
    columns = [FIELDS.get(name, "") for name in next(rows)[1]]
    only = cluster
    for number, values in rows:
        job: Job = dict(zip(columns, (value or None for value in values), strict=True))
        job.pop("", None)
        place = f"{where}, line {number}"
        raw = job["job_id_raw"] or ""
        if "." in raw:
            continue
        if not raw.isdecimal() or not job["state"]:
            raise SourceError(
                f'a line is no job: JobIDRaw is "{raw}", State "{job["state"] or ""}"',
                where=place,
                fix="save the output of sacct as it is, whole",
            )
        _check_times(job, place)
        of_cluster = job.get("cluster") or ""
        if cluster and of_cluster and of_cluster != cluster:
            continue
        only = only or of_cluster
        if of_cluster and of_cluster != only:
            raise SourceError(
                f"there are jobs of two clusters, {only} and {of_cluster}",
                where=place,
                fix="make a source of each, and name its cluster in `cluster`",
            )
        nodes = expanded(job["node_list"] or "", where=place)
        yield {**job, "nodes": ",".join(nodes) or None, "time_zone": time_zone}


def row_of(job: Job) -> tuple[object, ...]:
    """Return a job as a row of JOBS."""
    return tuple(job.get(column) for column in JOBS.columns)


def key_of(job: Job) -> str:
    """Return what tells a record from others; a requeued job has several of one id."""
    return f"{job['job_id_raw']} {job['db_index']}"


def is_open(job: Job) -> bool:
    """Tell whether the job may still go on."""
    return (job["state"] or "").partition(" ")[0] in OPEN_STATES


def is_over_before(job: Job, at: datetime) -> bool:
    """Tell whether a job of sacct run with times in seconds ended before `at`."""
    ended = job["ended"] or ""
    return not is_open(job) and ended.isdecimal() and int(ended) < at.timestamp()


def _check_times(job: Job, where: str) -> None:
    for column in ("submitted", "started", "ended"):
        if not _TIME.fullmatch(job[column] or ""):
            raise SourceError(
                f'"{job[column]}" is no time that sacct prints of itself',
                where=f"{where}, {column}",
                fix="save with SLURM_TIME_FORMAT=standard, or %s",
            )


def _rows(lines: Iterable[str], where: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of a line and its fields, first those of the header."""
    names, separator, ending = [""], "", ""
    begun, first = "", 0
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\r\n")
        if not (begun or text.strip()):
            continue
        if not separator:
            names, separator, ending = _header(text, f"{where}, line {number}")
            yield number, names
            continue
        first = first if begun else number
        begun = f"{begun}\n{text}" if begun else text
        fields = begun.split(separator)
        if ending and len(fields) > len(names):
            fields = begun.removesuffix(ending).split(separator)
        if len(fields) > len(names):
            raise SourceError(
                f"a line has {len(fields)} fields, its header {len(names)}",
                where=f"{where}, line {first}",
                fix=f"a name or comment holds \"{separator}\": save with --delimiter=$'\\x1f'",
            )
        if len(fields) == len(names):
            yield first, fields
            begun = ""
    if begun or not separator:
        raise SourceError(
            "the last line breaks off" if begun else "it is empty",
            where=f"{where}, line {first}" if begun else where,
            fix="save it again, whole and with its header",
        )


def _header(text: str, where: str) -> tuple[list[str], str, str]:
    """Return the names, what separates them, and what ends a line: nothing, or a separator."""
    found = _HEADER.match(text)
    separator = found.group(1) if found else "|"
    ending = separator if text.endswith(separator) else ""
    names = text.removesuffix(ending).split(separator)
    missing = [name for name in NEEDED if name not in names]
    if missing or len(set(names)) < len(names):
        raise SourceError(
            f"the header lacks {', '.join(missing)}" if missing else "a column is there twice",
            where=where,
            fix=f"save with `sacct -a -X -D -P -o {','.join(FIELDS)}`, without -n",
        )
    return names, separator, ending


def expanded(text: str, *, where: str) -> list[str]:
    """Return the nodes that a list such as `gpu[01-03,7]-ib,login1` stands for, in its order.

    Raises: SourceError
    """
    if not text or text.lower() in ("none assigned", "none", "unknown", "(null)"):
        return []
    nodes: list[str] = []
    for word in _split(text, text, where):
        parts = re.split(r"\[([^\[\]]*)\]", word)
        if any(sign in part for part in parts[::2] for sign in "[]"):
            raise _no_nodes(text, where)
        choices = [
            _numbers(part, text, where) if place % 2 else [part] for place, part in enumerate(parts)
        ]
        total = 1
        for choice in choices:
            total *= len(choice)
        if len(nodes) + total > _MOST_NODES:
            raise _no_nodes(text, where)
        nodes.extend("".join(chosen) for chosen in product(*choices))
    return nodes


def _split(word: str, text: str, where: str) -> list[str]:
    """Split at commas outside of brackets."""
    words = re.split(r",(?![^\[]*\])", word)
    if not all(words):
        raise _no_nodes(text, where)
    return words


def _numbers(part: str, text: str, where: str) -> Sequence[str]:
    """Return `01-03,7` as 01, 02, 03, 7: as wide as the first of each range is written."""
    found: list[str] = []
    for piece in part.split(","):
        match = _RANGE.fullmatch(piece)
        if match is None:
            raise _no_nodes(text, where)
        low, high = match.group(1), match.group(2) or match.group(1)
        if not 0 <= int(high) - int(low) < _MOST_NODES:
            raise _no_nodes(text, where)
        found.extend(str(number).zfill(len(low)) for number in range(int(low), int(high) + 1))
    return found


def _no_nodes(text: str, where: str) -> SourceError:
    shown = text if len(text) <= 80 else f"{text[:80]}..."  # noqa: PLR2004 - a line's worth
    return SourceError(
        f'"{shown}" is no list of nodes',
        where=where,
        fix="save the output of sacct with -P: else it cuts long lists off",
    )


def check_zone(name: str, where: str) -> None:
    """Refuse a time zone that nobody knows.

    Raises: SourceError
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise SourceError(
            f'time_zone "{name}" is not known', where=where, fix='write it as "Europe/Berlin"'
        ) from error
