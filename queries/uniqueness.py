"""Which columns of a query no two rows have alike, as far as its SQL alone shows.

A key that rests on them holds whatever the rows are, so that nobody needs to look at those. What is
said here is one-sided: columns that are not named may be unique all the same.
"""

from __future__ import annotations

from sqlglot import exp


def unique_columns(tree: exp.Expr) -> list[str]:
    """Return columns that no two rows have alike, together; none where the SQL shows none."""
    if isinstance(tree, exp.Union):
        is_told = tree.args.get("distinct") and not tree.args.get("by_name")
        return _all_columns(tree) if is_told else []
    if not isinstance(tree, exp.Select):
        return []
    if (distinct := tree.args.get("distinct")) is not None:
        return [] if distinct.args.get("on") else _all_columns(tree)
    if any(column.find(exp.Unnest, exp.Explode) for column in tree.expressions):
        return []
    return _numbered(tree) or _grouped(tree)


def _all_columns(query: exp.Query) -> list[str]:
    names = query.named_selects
    return [] if "*" in names or len(set(names)) < len(names) else sorted(names)


def _numbered(select: exp.Select) -> list[str]:
    """Return the first column that counts all rows, as a whole number."""
    return [
        column.alias
        for column in select.expressions
        if isinstance(column, exp.Alias) and _counts_rows(column.this)
    ][:1]


def _counts_rows(value: exp.Expr) -> bool:
    if type(value) is exp.Cast and value.to.is_type(*exp.DataType.INTEGER_TYPES):
        value = value.this
    return (
        isinstance(value, exp.Window)
        and isinstance(value.this, exp.RowNumber)
        and not value.args.get("partition_by")
        and not value.args.get("alias")  # a named window, which may have parts
    )


def _grouped(select: exp.Select) -> list[str]:
    """Return the columns that a select groups by, where it yields all of them as they are."""
    group = select.args.get("group")
    if group is None:
        return []
    plain = {
        (column.unalias().table, column.unalias().name)
        for column in select.expressions
        if isinstance(column.unalias(), exp.Column)
        and column.alias_or_name == column.unalias().name
    }
    by = [
        (column.table, column.name) if isinstance(column, exp.Column) else None
        for column in group.expressions
    ]
    is_told = all(column in plain for column in by)
    return sorted(column[1] for column in by if column) if is_told else []
