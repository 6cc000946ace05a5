"""One page that shows what a figure is made of: a tree to unfold, without scripts or other files.

It is no page of the site: it is made for one question, may be mailed or filed as a voucher, and
carries its style with it. Amounts are shown with every digit, as they are there to be added up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from reports.figures import DASH, digits, visible
from reports.site import HOME, templates

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal

    from queries.explanation import Node

LONGEST_LABEL = 400


@dataclass(frozen=True, slots=True)
class Tree:
    """A figure, in the currency that all of it is billed in."""

    root: Node
    currency: str

    @property
    def closes(self) -> bool:
        """Tell whether every level adds up."""
        return self.root.closes()


@dataclass(frozen=True, slots=True)
class Table:
    """What stands below the trees."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that is on the page; people are masked already."""

    asked: str
    """What was asked, such as `team=vision`."""
    trees: Sequence[Tree]
    tables: Sequence[Table]
    generation: str
    built_at: datetime
    """UTC."""
    is_masked: bool
    """Whether people may stand under other names than in the state folder."""


@dataclass(frozen=True, slots=True)
class _Branch:
    """A node as the page shows it."""

    label: str
    amount: str
    check: str
    is_open: bool
    """Whether the node, or one below it, does not add up."""
    children: Sequence[_Branch]


def explanation_page(given: Explanation) -> str:
    """Return the page's HTML."""
    style = (HOME / "static" / "site.css").read_text(encoding="utf-8")
    trees = [(tree, _branch(tree.root, tree.currency)) for tree in given.trees]
    tables = [
        (table.title, table.columns, [[_cell(value) for value in row] for row in table.rows])
        for table in given.tables
        if table.rows
    ]
    return (
        templates()
        .get_template("explanation.html")
        .render(
            asked=visible(given.asked),
            trees=trees,
            tables=tables,
            about=given,
            style=Markup(style),  # noqa: S704 - our own file
        )
    )


def _branch(node: Node, currency: str) -> _Branch:
    return _Branch(
        label=visible(node.label, LONGEST_LABEL),
        amount=digits(node.cost, currency),
        check=_check(node, currency),
        is_open=not node.closes(),
        children=[_branch(child, currency) for child in node.children],
    )


def _check(node: Node, currency: str) -> str:
    """Return what the children are and whether they add up; empty where there are none."""
    if not node.children:
        return ""
    things = f"{node.count:,} {node.kind}{'' if node.count == 1 else 's'}"
    said = things if node.whole is None else f"part of {digits(node.whole, currency)}; {things}"
    return f"{said}, difference {_difference(node.difference, currency)}"


def _difference(amount: Decimal, currency: str) -> str:
    return digits(amount, currency) if amount else "0"


def _cell(value: object) -> str:
    return DASH if value is None else visible(value, LONGEST_LABEL)
