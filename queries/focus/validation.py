"""Holds a FOCUS file against the specification: what is broken, where, and how to put it right.

All rules are SQL, made from the model and from `rules.toml`, and asked in one scan of the file that
counts the lines breaking each. Only for rules that are broken a second scan shows the first lines.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from queries import ModelError
from queries.engines.duckdb import Error, Limits, connect, name
from queries.focus.headers import header_findings
from queries.focus.model import VERSIONS, columns_of, version_of
from queries.focus.reading import open_file
from queries.focus.values import value_rules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from queries.engines.duckdb import Connection
    from queries.focus.reading import FocusFile

SHOWN = 3
"""How many of the lines that break a rule are shown."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Something asked of every line, or of every group of lines."""

    column: str
    rule: str
    wrong: str
    """SQL: true of a line, or a group, that breaks it."""
    fix: str
    must: bool = True
    by: tuple[str, ...] = ()
    """What makes a group; empty for a rule about lines."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that is broken."""

    column: str
    rule: str
    fix: str
    must: bool
    """Whether the file fails for it; else it is advice."""
    count: int = 0
    """Lines, or groups of lines, that break it; 0 where it is about the header."""
    examples: tuple[tuple[str, str | None], ...] = ()
    """(row 7, what it holds) of the first lines."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found in a file."""

    version: str
    rows: int
    findings: tuple[Finding, ...]
    """What fails first, then advice; each as the file's columns are called."""

    @property
    def conforms(self) -> bool:
        """Whether nothing that must be is broken."""
        return not any(finding.must for finding in self.findings)


def validate(path: Path, version: str | None = None, limits: Limits | None = None) -> Report:
    """Hold a CSV, gzipped CSV or Parquet file against a version; by default the one it looks like.

    Raises: ModelError for a file that cannot be read at all.
    """
    con = connect(limits or Limits())
    try:
        return _validate(con, path, version)
    except Error as error:
        raise ModelError(
            f"the file cannot be read: {str(error).splitlines()[0]}",
            where=str(path),
            fix="write it as CSV with commas, double quotes and UTF-8, or as Parquet",
        ) from error
    finally:
        con.close()


def _validate(con: Connection, path: Path, version: str | None) -> Report:
    file = open_file(con, path)
    if not file.headers:
        raise ModelError("the file is empty", where=str(path), fix="give it a header line at least")
    version = version or version_of(file.headers)
    columns = columns_of(version)
    findings = header_findings(file, columns, version)
    found = file.found(columns)
    kinds = {column: file.kinds[place] for column, place in found.items()}
    rules = [*value_rules(kinds, columns), *_written("lines", found, version)]
    con.execute(f"create or replace temp view bill as {file.lines(columns)}")
    rows, broken = _count(con, rules)
    findings += _with_lines(con, file, version, broken)
    for rule in _written("groups", found, version):
        findings += _of_groups(con, rule)
    findings.sort(key=lambda finding: (not finding.must, finding.column, finding.rule))
    return Report(version, rows, tuple(findings))


@cache
def _rules() -> Mapping[str, Any]:
    return tomllib.loads((Path(__file__).parent / "rules.toml").read_text(encoding="utf-8"))


def _written(kind: str, found: Mapping[str, int], version: str) -> list[Rule]:
    """Return the rules of `rules.toml` that a version has and whose columns the file has."""
    return [
        Rule(
            column=entry["reads"][0],
            rule=entry["rule"],
            wrong=entry["wrong"],
            fix=entry["fix"],
            must=entry.get("must", True),
            by=tuple(entry.get("by", ())),
        )
        for entry in _rules()[kind]
        if found.keys() >= set(entry["reads"])
        and VERSIONS.index(entry.get("since", "1.0")) <= VERSIONS.index(version)
    ]


def _count(con: Connection, rules: Sequence[Rule]) -> tuple[int, list[tuple[Rule, int]]]:
    counts = [f"count(*) filter (where {rule.wrong})" for rule in rules]
    row = con.execute(f"select {', '.join(['count(*)', *counts])} from bill").fetchone()
    total, *broken = row or (0,)
    return total, [(rule, count) for rule, count in zip(rules, broken, strict=True) if count]


def _with_lines(
    con: Connection, file: FocusFile, version: str, broken: Sequence[tuple[Rule, int]]
) -> list[Finding]:
    """Return findings with the first lines of each, found in one more scan."""
    if not broken:
        return []
    con.execute("set preserve_insertion_order = true")
    con.execute(
        "create or replace temp view numbered as "
        f"select row_number() over () as line_no, * from ({file.lines(columns_of(version))})"
    )
    firsts = [
        f"min_by({{'line': line_no, 'value': {name(f'raw_{rule.column}')}}}, line_no, {SHOWN}) "
        f"filter (where {rule.wrong})"
        for rule, _ in broken
    ]
    shown = con.execute(f"select {', '.join(firsts)} from numbered").fetchone() or ()
    con.execute("set preserve_insertion_order = false")
    return [
        Finding(
            rule.column,
            rule.rule,
            rule.fix,
            rule.must,
            count,
            tuple((f"row {each['line']}", each["value"]) for each in lines),
        )
        for (rule, count), lines in zip(broken, shown, strict=True)
    ]


def _of_groups(con: Connection, rule: Rule) -> list[Finding]:
    keys = ", ".join(name(column) for column in rule.by)
    label = " || ', ' || ".join(
        f"'{column} ' || coalesce(cast({name(column)} as varchar), 'null')" for column in rule.by
    )
    broken = con.execute(
        f"select count(*) over (), {label}, cast(min({name(rule.column)}) as varchar) from bill "
        f"group by {keys} having {rule.wrong} order by {keys} limit {SHOWN}"
    ).fetchall()
    if not broken:
        return []
    examples = tuple((where, value) for _, where, value in broken)
    return [Finding(rule.column, rule.rule, rule.fix, rule.must, broken[0][0], examples)]
