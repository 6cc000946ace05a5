"""`mlspend validate`: what the FOCUS specification finds wrong with a file, as text or JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, TextIO

from queries.answers import visible
from queries.focus.validation import validate

if TYPE_CHECKING:
    from pathlib import Path

    from queries.focus.rules import Finding
    from queries.focus.validation import Report

_WIDTH = 60


def print_report(file: Path, version: str | None, out: TextIO, *, as_json: bool) -> bool:
    """Write what is wrong with a file; tell whether it conforms.

    Raises: ModelError for a file that cannot be read.
    """
    report = validate(file, version)
    if as_json:
        found = asdict(report) | {"file": str(file), "conforms": report.conforms}
        out.write(json.dumps(found, indent=2) + "\n")
        return report.conforms
    lines = [line for finding in report.findings for line in _lines(finding)]
    out.write("\n".join([*lines, _verdict(file, report)]) + "\n")
    return report.conforms


def _lines(finding: Finding) -> list[str]:
    mark = "error" if finding.must else "advice"
    count = f" ({finding.count:,} times)" if finding.count else ""
    lines = [f"{mark}: {visible(finding.column)}: {finding.rule}{count}"]
    for where, value in finding.examples:
        shown = "null" if value is None else visible(value)
        cut = shown if len(shown) <= _WIDTH else f"{shown[: _WIDTH - 1]}…"
        lines.append(f"  in:  {visible(where)}: {cut}")
    return [*lines, f"  fix: {finding.fix}"]


def _verdict(file: Path, report: Report) -> str:
    errors = sum(finding.must for finding in report.findings)
    advice = len(report.findings) - errors
    what = "conforms to" if report.conforms else "breaks"
    return (
        f"{file.name}: {report.rows:,} lines; {what} FOCUS {report.version} "
        f"({errors} rules broken, {advice} pieces of advice)"
    )
