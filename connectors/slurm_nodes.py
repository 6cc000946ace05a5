"""Which nodes a Slurm cluster has, as `sinfo -a -N -h -o '%N|%T'` prints them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from connectors.base import SourceError, Table

if TYPE_CHECKING:
    from collections.abc import Iterable

NODES = Table("nodes", {"node": "text", "state": "text"})
SINFO = ("sinfo", "-a", "-N", "-h", "-o", "%N|%T")
_NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def nodes_of(lines: Iterable[str], where: str) -> list[tuple[str, str | None]]:
    """Return the nodes and their states, each node once, by name; the state may be left out.

    Raises: SourceError for what is no list of nodes, or an empty one.
    """
    found: dict[str, str | None] = {}
    for number, line in enumerate(lines, 1):
        name, _, state = (part.strip() for part in line.partition("|"))
        if not name:
            continue
        if not _NODE.fullmatch(name):
            raise SourceError(
                f'"{name[:60]}" is no node',
                where=f"{where}, line {number}",
                fix="save it with sinfo -a -N -h -o '%N|%T': a node a line, without a header",
            )
        found[name] = state or None
    if not found:
        raise SourceError(
            "sinfo lists no node", where=where, fix="run it where it knows the cluster, with -a"
        )
    return sorted(found.items())
