"""What mends a config file that is not TOML."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import tomllib

_LINE = re.compile(r"at line ([0-9]+)")
_HEADER = re.compile(r"\s*\[\[?\s*([^\[\]]+?)\s*\]")
_LISTS: Final = frozenset({"invoices", "left_out", "privacy.audiences", "quotas", "shared_costs"})


def fix_of(error: tomllib.TOMLDecodeError, text: str) -> str:
    """Return what mends a text that cannot be read."""
    found = _LINE.search(str(error))
    lines = text.splitlines()
    at = int(found[1]) if found else 0
    header = _HEADER.match(lines[at - 1]) if 0 < at <= len(lines) else None
    if header and ("twice" in str(error) or "overwrite" in str(error)):
        return _written_again(header[1])
    return "mend that line; texts stand in double quotes"


def _written_again(name: str) -> str:
    room = name.partition(".")[0]
    if name.count(".") == 1 and room == "connectors":
        own = 'each with a `source` of its own, such as source = "aws-research"'
        return f"write both as [[{name}]], {own}"
    if name.count(".") == 1 and room == "levers":
        return f"write both as [[{name}]], each with a `name` of its own"
    if name in _LISTS:
        return f"write both as [[{name}]]"
    return f"write [{name}] once, with all its keys"
