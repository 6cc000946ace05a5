"""What `mlspend doctor` looks at, one small function each: a config file in, findings out.

A check never raises for what it is there to find, and leaves nothing behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warning", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    check: str
    verdict: Verdict
    told: str
    fix: str = ""
    """How to put it right; empty where it is."""


def ok(check: str, told: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(check, "ok", told)


def warning(check: str, told: str, fix: str) -> Finding:
    """Return a finding that will be trouble, or may be."""
    return Finding(check, "warning", told, fix)


def wrong(check: str, told: str, fix: str) -> Finding:
    """Return a finding that a night fails by, or that gives wrong figures."""
    return Finding(check, "wrong", told, fix)
