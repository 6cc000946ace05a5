"""`mlspend sql`: an analyst's question, or one of the cookbook's, to the newest generation."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

import click

from queries.sandbox import run_sql

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from queries.sandbox import Format


def ask(
    generation: Path, query: str | None, named: str | None, given: Sequence[str], style: Format
) -> int:
    """Answer from a generation on standard output; return the exit code.

    Raises: ModelError where the cookbook lacks the name or a parameter.
    """
    params = dict(_param(text) for text in given)
    if named is None:
        return run_sql(generation, query or "", format=style, params=params)
    from queries.named import named_query  # noqa: PLC0415  (plain SQL starts without the cookbook)

    question = named_query(named)
    question.check(params)
    values = question.bind(params)
    return run_sql(generation, question.sql, format=style, params=values)


def _param(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise click.UsageError(f'"{text}" is not NAME=VALUE')
    return name, value


def list_cookbook(out: TextIO) -> None:
    """Write the name, title and parameters of every named query."""
    from queries.named import cookbook  # noqa: PLC0415

    for query in cookbook().values():
        out.write(f"{query.name}\n    {query.title}\n")
        for param in query.params:
            default = "null" if param.default is None else param.default
            out.write(f"      --param {param.name}={default}  {param.meaning}\n")
