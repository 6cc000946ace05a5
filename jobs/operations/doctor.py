"""`mlspend doctor`: everything a night depends on, looked at now, each with its fix."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, TextIO

from jobs.operations.checks import Finding, wrong
from jobs.operations.checks.installation import (
    check_launcher,
    check_packages,
    check_python,
    check_sandbox,
)
from jobs.operations.checks.machine import (
    check_clock,
    check_config_file,
    check_memory,
    check_room,
    check_state_folder,
)
from jobs.operations.checks.sources import check_mail, check_secrets, check_sources
from jobs.operations.checks.state import check_generations, check_journal, check_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jobs.config import Config

CHECKS: tuple[Callable[[Config], Iterator[Finding]], ...] = (
    check_python,
    check_packages,
    check_launcher,
    check_sandbox,
    check_config_file,
    check_state_folder,
    check_room,
    check_memory,
    check_clock,
    check_lock,
    check_journal,
    check_generations,
    check_secrets,
    check_sources,
    check_mail,
)


def examine(config: Config) -> Iterator[Finding]:
    """Run every check; one that breaks down is itself a finding."""
    for check in CHECKS:
        try:
            yield from check(config)
        except Exception as error:  # noqa: BLE001  (the other checks are wanted all the same)
            name = check.__name__.removeprefix("check_").replace("_", " ")
            yield wrong(name, f"cannot be checked: {type(error).__name__}: {error}", "report this")


def print_findings(config: Config, out: TextIO, *, as_json: bool) -> bool:
    """Write what was found, as it is found; tell whether nothing is wrong."""
    findings = []
    for finding in examine(config):
        findings.append(finding)
        if not as_json:
            out.write(f"{finding.verdict:7}  {finding.check:12}  {finding.told}\n")
            if finding.fix:
                out.write(f"{'':23}fix: {finding.fix}\n")
            out.flush()
    if as_json:
        json.dump([asdict(finding) for finding in findings], out, indent=1)
        out.write("\n")
    return all(finding.verdict != "wrong" for finding in findings)
