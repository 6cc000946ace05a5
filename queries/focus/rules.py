"""What is asked of a FOCUS file, and what is said of it where that is broken."""

from __future__ import annotations

from dataclasses import dataclass


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
    reads: tuple[str, ...] = ()
    """The columns that it speaks of."""
    measures: tuple[tuple[str, str], ...] = ()
    """Of a rule about groups, those columns of which it takes an aggregate, and which."""


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
