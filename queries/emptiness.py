"""When a query is sure to have no rows: when tables that it cannot do without have none.

Most tables of a night are empty, because nobody uses every source; planning their SQL takes longer
than all else that is done for them. What is said here is one-sided: a query that is not sure to be
empty may be empty all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Ways = frozenset[frozenset[str]]
"""Sets of tables; a query has rows only where every table of one of the sets has some."""

_ALWAYS: Ways = frozenset([frozenset()])
_NEVER: Ways = frozenset()
_MANY = 200
_WRAPPERS = (exp.Filter, exp.IgnoreNulls, exp.RespectNulls, exp.WithinGroup)


def ways_to_rows(tree: exp.Expr, known: Mapping[str, Ways] | None = None) -> Ways:
    """Return what has to have rows before a query can; `known` says it of its CTEs."""
    ctes = dict(known or {})
    for cte in tree.ctes if isinstance(tree, exp.Query) else ():
        ctes[cte.alias.lower()] = _of_cte(cte, ctes)
    match tree:
        case exp.Select():
            return _of_select(tree, ctes)
        case exp.Union():
            return _either(ways_to_rows(tree.left, ctes), ways_to_rows(tree.right, ctes))
        case exp.Except():
            return ways_to_rows(tree.left, ctes)
        case exp.Intersect():
            return _both(ways_to_rows(tree.left, ctes), ways_to_rows(tree.right, ctes))
        case exp.Subquery() if not (tree.args.get("joins") or tree.args.get("pivots")):
            return ways_to_rows(tree.this, ctes)
    return _ALWAYS


def _of_cte(cte: exp.CTE, ctes: Mapping[str, Ways]) -> Ways:
    """Return what a CTE needs; one that reads itself has rows only if it begins with some."""
    name = cte.alias.lower()
    with_ = cte.parent
    reads_itself = isinstance(with_, exp.With) and with_.recursive
    return ways_to_rows(cte.this, {**ctes, name: _NEVER} if reads_itself else ctes)


def _of_select(select: exp.Select, ctes: Mapping[str, Ways]) -> Ways:
    start = select.args.get("from_")
    if start is None or _has_a_total(select):
        return _ALWAYS
    ways = _of_relation(start.this, ctes)
    for join in select.args.get("joins") or ():
        ways = _joined(ways, join, ctes)
    return ways


def _joined(ways: Ways, join: exp.Join, ctes: Mapping[str, Ways]) -> Ways:
    other = _of_relation(join.this, ctes)
    if join.side == "LEFT" or join.kind == "ANTI":
        return ways
    if join.side == "RIGHT":
        return other
    if join.side == "FULL" or join.method == "POSITIONAL":
        return _either(ways, other)
    if join.kind in ("", "INNER", "CROSS", "SEMI"):
        return _both(ways, other)
    return _ALWAYS


def _of_relation(relation: exp.Expr, ctes: Mapping[str, Ways]) -> Ways:
    if not isinstance(relation, exp.Table):
        return ways_to_rows(relation, ctes) if isinstance(relation, exp.Subquery) else _ALWAYS
    if relation.args.get("joins") or relation.args.get("pivots"):
        return _ALWAYS
    if not isinstance(relation.this, exp.Identifier):  # a function
        return _ALWAYS
    if not relation.db:
        return ctes.get(relation.name.lower(), _ALWAYS)
    return frozenset([frozenset([f"{relation.db}.{relation.name}".lower()])])


def _has_a_total(select: exp.Select) -> bool:
    """Tell whether a select may make a row of nothing: a sum over all, or over a grouping set."""
    group = select.args.get("group")
    if group is not None and group.find(exp.Cube, exp.Rollup, exp.GroupingSets):
        return True
    if group is not None and group.expressions:
        return False
    places = [*select.expressions, *filter(None, (select.args.get("having"),))]
    return any(_may_aggregate(place) for place in places) and not _has_own_column(select)


def _may_aggregate(place: exp.Expr) -> bool:
    nodes = place.walk(prune=lambda node: isinstance(node, exp.Query))
    return any(_may_be_aggregate(node) for node in nodes)


def _may_be_aggregate(node: exp.Expr) -> bool:
    """Tell of a call whether it is an aggregate, or of a function that is not known to be none."""
    if not isinstance(node, exp.AggFunc | exp.Anonymous | exp.AnonymousAggFunc):
        return False
    while isinstance(node.parent, _WRAPPERS):
        node = node.parent
    return not (isinstance(node.parent, exp.Window) and node.arg_key == "this")


def _has_own_column(select: exp.Select) -> bool:
    """Tell whether a column is used as it is, which beside a sum over all is not allowed."""
    aliases = {column.alias.lower() for column in select.expressions if column.alias}
    for column in select.expressions:
        for node in column.walk(prune=_is_of_a_total):
            is_alias = not node.args.get("table") and node.name.lower() in aliases
            if isinstance(node, exp.Column) and not is_alias:
                return True
    return False


def _is_of_a_total(node: exp.Expr) -> bool:
    return isinstance(node, (exp.Query, *_WRAPPERS)) or _may_be_aggregate(node)


def _either(one: Ways, other: Ways) -> Ways:
    return _shortest(one | other)


def _both(one: Ways, other: Ways) -> Ways:
    return _shortest(left | right for left in one for right in other)


def _shortest(ways: Iterable[frozenset[str]]) -> Ways:
    """Leave out ways that ask for more than another does; of very many, say that any will do."""
    found = frozenset(ways)
    if len(found) > _MANY:
        return _ALWAYS
    return frozenset(way for way in found if not any(other < way for other in found))
