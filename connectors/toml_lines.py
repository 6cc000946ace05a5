"""Where a key stands in a TOML text: tomllib keeps no line numbers, and an error owes one."""

from __future__ import annotations

import re

KeyPath = tuple[str | int, ...]
"""Keys from the top; a number is a position in a list of tables: `("connectors", "focus", 1)`."""

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""^\s*("[^"]+"|'[^']+'|[\w.-]+)\s*=""")


def line_of(text: str, path: KeyPath) -> int | None:
    """Return the line, from 1, of a key or of the nearest table around it; none where neither is.

    Keys of inline tables are found by the line of the table.
    """
    lines = _lines(text)
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None


def _lines(text: str) -> dict[KeyPath, int]:
    found: dict[KeyPath, int] = {}
    counts: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        key = _KEY.match(line)
        if header:
            table = _keys(header[2])
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            found.setdefault(table, number)
        elif key:
            found.setdefault((*table, *_keys(key[1])), number)
    return found


def _keys(dotted: str) -> KeyPath:
    return tuple(key.strip().strip("\"'") for key in dotted.split("."))


def shown(path: KeyPath) -> str:
    """Return a table's path as people write it: `[connectors.focus]`, or `the file`."""
    names = ".".join(str(part) for part in path if not isinstance(part, int))
    return f"[{names}]" if names else "the file"
