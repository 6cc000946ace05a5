"""What is wrong with a FOCUS file's header: columns that lack, that are no columns, or misspelt."""

from __future__ import annotations

from collections import Counter
from difflib import get_close_matches
from typing import TYPE_CHECKING

from queries.focus.model import VERSIONS, columns_of
from queries.focus.reading import is_of_kind
from queries.focus.rules import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from queries.focus.model import Column
    from queries.focus.reading import FocusFile


def header_findings(file: FocusFile, columns: Mapping[str, Column], version: str) -> list[Finding]:
    """Return what the header breaks."""
    found = file.found(columns)
    return [
        *_missing(found, columns),
        *_misspelt(file, found),
        *_unknown(file, columns, version),
        *_twice(file),
        *_of_other_types(file, found, columns),
    ]


def _finding(column: str, rule: str, fix: str, *, must: bool = True) -> Finding:
    return Finding(column, rule, fix, must)


def _missing(found: Mapping[str, int], columns: Mapping[str, Column]) -> list[Finding]:
    findings = []
    for column in columns.values():
        if column.name in found:
            continue
        if column.level == "Mandatory":
            rule, fix = "a mandatory column is missing", "add it, null where it has no value"
            rule_fix = (rule, fix if column.allows_null else "add it, with a value in every line")
            findings.append(_finding(column.name, *rule_fix))
        elif column.level == "Conditional":
            fix = f"add it if this holds: {column.condition}"
            findings.append(
                _finding(column.name, "a conditional column is missing", fix, must=False)
            )
        else:
            rule = "a recommended column is missing"
            findings.append(_finding(column.name, rule, "add it if it is known", must=False))
    return findings


def _misspelt(file: FocusFile, found: Mapping[str, int]) -> list[Finding]:
    return [
        _finding(file.headers[place], "a column's name is written otherwise", f"call it {column}")
        for column, place in found.items()
        if file.headers[place] != column
    ]


def _unknown(file: FocusFile, columns: Mapping[str, Column], version: str) -> list[Finding]:
    known = {column.lower() for column in columns}
    later = {column: each for each in reversed(VERSIONS) for column in columns_of(each)}
    findings = []
    for header in file.headers:
        if header.startswith("x_") or header.replace("_", "").lower() in known:
            continue
        if header in later:
            rule = f"{version} has no such column; {later[header]} has"
            fix = "leave it out, call it x_..., or hold the file against that version"
        else:
            near = get_close_matches(header, columns, 1)
            rule = f"there is no such column{f'; did you mean {near[0]}?' if near else ''}"
            fix = f"call it x_{header}, as a column of your own"
        findings.append(_finding(header, rule, fix))
    return findings


def _twice(file: FocusFile) -> list[Finding]:
    counts = Counter(file.headers)
    return [
        _finding(header, "a column is there twice", "leave one of them out")
        for header, count in counts.items()
        if count > 1
    ]


def _of_other_types(
    file: FocusFile, found: Mapping[str, int], columns: Mapping[str, Column]
) -> list[Finding]:
    if file.format != "parquet":
        return []
    return [
        _finding(
            column,
            f"the column's type is {file.kinds[place]}, not {columns[column].kind}",
            "write numbers as DECIMAL or DOUBLE, times as TIMESTAMP, and all else as text",
        )
        for column, place in found.items()
        if not is_of_kind(file.kinds[place], columns[column])
    ]
