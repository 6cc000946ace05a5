"""The warehouse: the SQL models, and the only Python that speaks to DuckDB and sqlglot."""

from __future__ import annotations


class ModelError(Exception):
    """A model, a raw file or a check is wrong. The notes say where, and how to put it right."""

    def __init__(self, what: str, *, where: str, fix: str) -> None:
        """Say what is wrong in one line, `where` it is, and the `fix`."""
        super().__init__(what)
        self.add_note(f"in:  {where}")
        self.add_note(f"fix: {fix}")
