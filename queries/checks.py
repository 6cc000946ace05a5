"""Proofs that a night must pass before anything is published: keys, sums, the books."""

from __future__ import annotations

from typing import TYPE_CHECKING

from queries import ModelError

if TYPE_CHECKING:
    from collections.abc import Collection
    from decimal import Decimal

    from queries.catalog import Conserves, Model
    from queries.engines.duckdb import Connection


def check_model(con: Connection, model: Model, empty: Collection[str] = ()) -> None:
    """Prove a built model's key and sums; `empty` tables have none to prove.

    Nor has a key that the SQL makes unique: it groups by it, counts it, or yields it once.

    Raises: ModelError that names the first rows which break the promise.
    """
    is_shown = model.unique and model.unique <= set(model.key)
    if model.key and model.name not in empty and not is_shown:
        _check_key(con, model)
    for promise in model.conserves:
        if not (model.name in empty and promise.table in empty):
            _check_sums(con, model, promise)


def _check_key(con: Connection, model: Model) -> None:
    columns = ", ".join(model.key)
    # two keys that are alike have one hash, which takes half as long to look for
    differ = f"select count(*) = count(distinct hash({columns})) from {model.name}"
    if con.execute(differ).fetchone() == (True,):
        return
    rows = con.execute(
        f"select {columns}, count(*) from {model.name} group by all having count(*) > 1 limit 3"
    ).fetchall()
    if rows:
        raise ModelError(
            f"{model.name} has {rows[0][-1]} rows for one key ({columns}) = {rows[0][:-1]}",
            where=f"queries/{model.name.replace('.', '/')}.sql",
            fix="this is a fault of mlspend or of its input: `mlspend sql` on the table shows both",
        )


def _check_sums(con: Connection, model: Model, promise: Conserves) -> None:
    """Compare all sums of a promise in one pass over each of its two tables."""
    keys = ", ".join(promise.keys)
    here, there, pairs, differs = (
        joint.join(form.format(column) for column in promise.columns)
        for joint, form in (
            (", ", "sum({0}) as here_{0}"),
            (", ", "sum({0}) as there_{0}"),
            (", ", "here_{0}, there_{0}"),
            (" or ", "coalesce(here_{0}, 0) <> coalesce(there_{0}, 0)"),
        )
    )
    row = con.execute(
        f"select {pairs}, {keys} from (select {keys}, {here} from {model.name} group by all) "
        f"full join (select {keys}, {there} from {promise.table} group by all) "
        f"using ({keys}) where {differs} limit 1"
    ).fetchone()
    if row is None:
        return
    for position, column in enumerate(promise.columns):
        ours, theirs = row[2 * position : 2 * position + 2]
        if (ours or 0) != (theirs or 0):
            raise ModelError(
                f"{column} of {model.name} is {_plain(ours)} where {promise.table} has "
                f"{_plain(theirs)}, for ({keys}) = {row[2 * len(promise.columns) :]}",
                where=f"queries/{model.name.replace('.', '/')}.sql",
                fix="the books do not close, so nothing is published: report this as a fault",
            )


def check_books(con: Connection) -> None:
    """Prove that every line of `marts.books` closes with a difference of exactly 0.

    Raises: ModelError that names the source, period and difference.
    """
    rows = con.execute(
        "select source, billing_period, billing_currency, measure, dimension, billed, difference "
        "from marts.books where difference is distinct from 0 order by all limit 3"
    ).fetchall()
    if rows:
        source, period, currency, measure, dimension, billed, difference = rows[0]
        raise ModelError(
            f"the books of {source} do not close: {measure} by {dimension} is off by "
            f"{_plain(difference)} {currency} of {_plain(billed)} billed",
            where=f"marts.books, source {source}, billing period {period}",
            fix="nothing is published; the last good generation stays in force",
        )


def _plain(amount: Decimal | None) -> str:
    """Write an amount with all its digits, never as a power of ten."""
    return "nothing" if amount is None else format(amount, "f")
