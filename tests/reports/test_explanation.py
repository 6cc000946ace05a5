"""The page that shows what a figure is made of: folded, whole in itself, inert."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from queries.explanation import Node, masked
from reports.explanation import Explanation, Table, Tree, explanation_page
from tests.reports.page import Element, parse, skeleton
from tests.reports.test_hostile_names import PAYLOADS


def node(label: str, cost: str, *children: Node, whole: str | None = None) -> Node:
    of = None if whole is None else Decimal(whole)
    return Node(label, Decimal(cost), of, list(children), "bill line", len(children))


def figure(name: str = "", lost: str = "0") -> Node:
    """Return three of a machine's ten, for which two lines were billed."""
    lines = [node(f"{name}by the hour", "9.999999999999"), node(f"{name}tax", "0.000000000001")]
    machine = node(f"{name}i-1", "10", *lines)
    run = node(f"{name}run r1", "3.000000000001", machine, whole="10")
    missing = Decimal("3.000000000001") + Decimal(lost)
    return node(f"{name}user ada", str(missing), run)


def page(*roots: Node, name: str = "", currency: str = "USD") -> str:
    return explanation_page(
        Explanation(
            asked=f"{name}user=ada",
            trees=[Tree(root, currency) for root in roots],
            tables=[Table("Files", ("source", "file"), [[f"{name}aws", None]])],
            generation="000007",
            built_at=datetime(2026, 11, 20, 2, 14, tzinfo=UTC),
            is_masked=False,
        )
    )


def labels(element: Element) -> list[str]:
    return [summary.text for summary in element.all("summary")]


def test_the_tree_folds_and_every_fold_says_whether_it_adds_up() -> None:
    found = parse(page(figure()))

    assert [" ".join(label.split()) for label in labels(found)] == [
        "3.000000000001 user ada 1 bill line, difference 0",
        "3.000000000001 run r1 part of 10.00; 1 bill line, difference 0",
        "10.00 i-1 2 bill lines, difference 0",
    ]
    assert "9.999999999999 by the hour" in " ".join(found.text.split())
    assert ["open" in one.attributes for one in found.all("details")] == [True, False, False]
    assert "✓ Every level adds up" in found.text


def test_what_does_not_add_up_is_unfolded_and_said() -> None:
    found = parse(page(figure(lost="0.25")))

    assert "difference 0.25" in labels(found)[0]
    assert "✗ Not every level adds up" in found.text
    broken = figure()
    broken.children[0].children[0].children.pop()
    unfolded = parse(page(broken)).all("details")
    assert ["open" in one.attributes for one in unfolded] == [True, True, True]


def test_each_currency_is_a_tree_of_its_own() -> None:
    text = explanation_page(
        Explanation(
            asked="user=ada",
            trees=[Tree(figure(), "USD"), Tree(figure(), "EUR")],
            tables=[],
            generation="000007",
            built_at=datetime(2026, 11, 20, 2, 14, tzinfo=UTC),
            is_masked=True,
        )
    )

    assert [heading.text for heading in parse(text).all("h2")] == ["USD", "EUR"]
    assert "People are shown as everybody may see them" in text


def test_the_page_needs_nothing_but_itself() -> None:
    text = page(figure())
    found = parse(text)

    assert not found.all("script")
    assert not found.all("a")
    assert [link.attributes["href"] for link in found.all("link")] == ["data:,"]
    assert not re.findall(r"(?:url\(|@import|src=|https?:)", text)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert "default-src 'none'" in policy
    assert "script" not in policy


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: ascii(payload)[:60])
def test_a_hostile_name_changes_the_text_and_not_the_structure(payload: str) -> None:
    harmless = skeleton(parse(page(figure("x"), name="x")))

    assert skeleton(parse(page(figure(payload), name=payload))) == harmless


def test_a_mask_changes_labels_alone() -> None:
    tree = masked(figure(), lambda text: text.replace("ada", "someone"))

    assert tree.label == "user someone"
    assert tree.closes()
    assert figure().children == tree.children
