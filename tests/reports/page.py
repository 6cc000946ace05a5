"""A page as a real HTML parser sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

VOID = frozenset(("meta", "link", "input", "br"))


@dataclass(slots=True)
class Element:
    """An element with its attributes and all the text in it."""

    tag: str
    attributes: dict[str, str]
    parent: Element | None
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, tag: str) -> list[Element]:
        """Return every element `tag` below this one, in the page's order."""
        found = []
        for child in self.children:
            if child.tag == tag:
                found.append(child)
            found += child.all(tag)
        return found

    def has_class(self, name: str) -> bool:
        """Tell whether the element has a class."""
        return name in self.attributes.get("class", "").split()


class PageParser(HTMLParser):
    """Builds the tree, and insists that every element is closed where it should be."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {}, None)
        self.here = self.root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute twice in {tag}"
        element = Element(tag, {name: value or "" for name, value in attrs}, self.here)
        self.here.children.append(element)
        if tag not in VOID:
            self.here = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open and close an element, as SVG does."""
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close an element, which must be the one that is open."""
        assert self.here.tag == tag, f"{tag} closes {self.here.tag} at {self.getpos()}"
        assert self.here.parent is not None
        self.here = self.here.parent

    def handle_data(self, data: str) -> None:
        """Add text to every open element."""
        element: Element | None = self.here
        while element is not None:
            element.text += data
            element = element.parent


def read_page(path: Path) -> Element:
    """Parse a page; it must be closed."""
    return parse(path.read_text(encoding="utf-8"))


def parse(html: str) -> Element:
    """Parse HTML; it must be closed."""
    parser = PageParser()
    parser.feed(html)
    parser.close()
    assert parser.here is parser.root, f"{parser.here.tag} is never closed"
    return parser.root


def skeleton(element: Element) -> list[str]:
    """Return tags and attribute names in order, without the marks of writing direction."""
    lines = []
    for child in element.children:
        if child.tag != "bdi":
            lines.append(f"{child.tag} {' '.join(sorted(child.attributes))}")
        lines += skeleton(child)
    return lines
