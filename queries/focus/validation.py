"""Holds a FOCUS file against the specification: what is broken, where, and how to put it right.

All rules are SQL, made from the model and from `rules.toml`. One scan of the file finds those that
lines break, and adds lines up for rules about several; only for broken ones a second scan counts
lines and shows the first.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from queries import ModelError
from queries.csv_faults import CsvFault, find_csv_fault, find_unseen_fault, is_sound_in_two_ways
from queries.engines.duckdb import Error, Limits, connect, name
from queries.focus.headers import header_findings
from queries.focus.model import VERSIONS, columns_of, version_of
from queries.focus.reading import open_file
from queries.focus.rules import Finding, Rule
from queries.focus.values import value_rules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from queries.engines.duckdb import Connection
    from queries.focus.reading import FocusFile

SHOWN = 3
"""How many of the lines that break a rule are shown."""
_FIX = "write it as CSV with commas, double quotes and UTF-8, or as Parquet"


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
    is_text = path.suffix != ".parquet"
    if is_text and (fault := find_unseen_fault(path)):
        raise _unreadable(path, fault)
    con = connect(limits or Limits())
    try:
        return _validate(con, path, version)
    except Error as error:
        if is_text and is_sound_in_two_ways(path):
            return _validate(con, path, version, is_strict=False)
        seen = find_csv_fault(path) if is_text else None
        raise _unreadable(path, seen or CsvFault(str(error).splitlines()[0], _FIX)) from error
    finally:
        con.close()


def _unreadable(path: Path, fault: CsvFault) -> ModelError:
    return ModelError(f"a file cannot be read: {fault.why}", where=str(path), fix=fault.fix)


def _validate(
    con: Connection, path: Path, version: str | None, *, is_strict: bool = True
) -> Report:
    file = replace(open_file(con, path), is_strict=is_strict)
    if not file.headers:
        raise ModelError("the file is empty", where=str(path), fix="give it a header line at least")
    version = version or version_of(file.headers)
    columns = columns_of(version)
    findings = header_findings(file, columns, version)
    found = file.found(columns)
    kinds = {column: file.kinds[place] for column, place in found.items()}
    rules = [*value_rules(kinds, columns), *_written("lines", found, version)]
    of_groups = _written("groups", found, version)
    con.execute(f"create or replace temp view bill as {file.lines(columns)}")
    rows, broken = _scan(con, rules, of_groups)
    findings += _with_lines(con, file, version, broken)
    for rule in of_groups:
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
            reads=tuple(entry["reads"]),
            measures=tuple(entry.get("measures", {}).items()),
        )
        for entry in _rules()[kind]
        if found.keys() >= set(entry["reads"])
        and VERSIONS.index(entry.get("since", "1.0")) <= VERSIONS.index(version)
    ]


def _scan(
    con: Connection, rules: Sequence[Rule], of_groups: Sequence[Rule]
) -> tuple[int, list[Rule]]:
    """Read the file: return its lines and the rules that some break, and create `added_up`.

    It holds the lines brought together by all that rules about groups read.
    """
    measures = {column: kind for rule in of_groups for column, kind in rule.measures}
    keys = dict.fromkeys(column for rule in of_groups for column in rule.reads)
    keys = {column: None for column in keys if column not in measures}
    shown = dict.fromkeys(rule.column for rule in of_groups if rule.column in measures)
    columns = [
        *(name(column) for column in keys),
        *(f"{kind}({name(column)}) as {name(column)}" for column, kind in measures.items()),
        *(f"min({name(column)}) as {name(_least(column))}" for column in shown),
        "count(*) as lines",
        *(f"bool_or({rule.wrong}) as broken_{place}" for place, rule in enumerate(rules)),
    ]
    by = f" group by {', '.join(name(column) for column in keys)}" if keys else ""
    query = f"select {', '.join(columns)} from bill{by}"
    con.execute(f"create or replace temp table added_up as {query}")
    broken = [f"bool_or(broken_{place})" for place in range(len(rules))]
    row = con.execute(
        f"select {', '.join(['coalesce(sum(lines), 0)', *broken])} from added_up"
    ).fetchone()
    total, *flags = row or (0,)
    return int(total), [rule for rule, is_broken in zip(rules, flags, strict=True) if is_broken]


def _least(column: str) -> str:
    return f"least_{column}"


def _with_lines(
    con: Connection, file: FocusFile, version: str, broken: Sequence[Rule]
) -> list[Finding]:
    """Return findings with how many lines and the first lines of each, found in one more scan."""
    if not broken:
        return []
    con.execute("set preserve_insertion_order = true")
    con.execute(
        "create or replace temp view numbered as "
        f"select row_number() over () as line_no, * from ({file.lines(columns_of(version))})"
    )
    found = [
        f"struct_pack(count := count(*) filter (where {rule.wrong}), first := "
        f"min_by({{'line': line_no, 'value': {name(f'raw_{rule.column}')}}}, line_no, {SHOWN}) "
        f"filter (where {rule.wrong}))"
        for rule in broken
    ]
    shown = con.execute(f"select {', '.join(found)} from numbered").fetchone() or ()
    con.execute("set preserve_insertion_order = false")
    return [
        Finding(
            rule.column,
            rule.rule,
            rule.fix,
            rule.must,
            of_rule["count"],
            tuple((f"row {each['line']}", each["value"]) for each in of_rule["first"]),
        )
        for rule, of_rule in zip(broken, shown, strict=True)
    ]


def _of_groups(con: Connection, rule: Rule) -> list[Finding]:
    keys = ", ".join(name(column) for column in rule.by)
    label = " || ', ' || ".join(
        f"'{column} ' || coalesce(cast({name(column)} as varchar), 'null')" for column in rule.by
    )
    is_measure = any(column == rule.column for column, _ in rule.measures)
    shown = _least(rule.column) if is_measure else rule.column
    broken = con.execute(
        f"select count(*) over (), {label}, cast(min({name(shown)}) as varchar) from added_up "
        f"group by {keys} having {rule.wrong} order by {keys} limit {SHOWN}"
    ).fetchall()
    if not broken:
        return []
    examples = tuple((where, value) for _, where, value in broken)
    return [Finding(rule.column, rule.rule, rule.fix, rule.must, broken[0][0], examples)]
