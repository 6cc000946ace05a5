"""Taking people out of texts: a run's name, an experiment, a bucket may hold somebody's login.

What is looked for are the ids, names, aliases and mail addresses that are known, as whole words and
without regard to case. A nickname that no source tells of is not found.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PIECES = re.compile(r"[^\W\d_]+|\d+|[\W_]")
_WORDS = re.compile(r"[^\W\d_]+|\d+")
_SHORTEST = 3
_SHORTEST_NUMBER = 5
"""Shorter ones stand for too many other things."""


class Scrubber:
    """Replaces what identifies people."""

    def __init__(self, replacements: Mapping[str, str]) -> None:
        """Take what identifies somebody -> what is to stand in its place."""
        self._instead: dict[tuple[str, ...], str] = {}
        self._first_words: set[str] = set()
        lengths: dict[str, set[int]] = {}
        for known, instead in replacements.items():
            words = _WORDS.findall(known.lower())
            if len(known) >= (_SHORTEST_NUMBER if known.isdigit() else _SHORTEST) and words:
                pieces = tuple(_PIECES.findall(known.lower()))
                self._instead[pieces] = instead
                self._first_words.add(words[0])
                lengths.setdefault(pieces[0], set()).add(len(pieces))
        self._lengths = {first: sorted(of, reverse=True) for first, of in lengths.items()}

    def clean(self, text: str) -> str:
        """Return a text without the people in it; the longest match counts."""
        if self._first_words.isdisjoint(_WORDS.findall(text.lower())):
            return text
        written = _PIECES.findall(text)
        pieces = tuple(piece.lower() for piece in written)
        cleaned: list[str] = []
        place = 0
        while place < len(pieces):
            length = self._match(pieces, place)
            cleaned.append(
                self._instead[pieces[place : place + length]] if length else written[place]
            )
            place += length or 1
        return "".join(cleaned)

    def _match(self, pieces: tuple[str, ...], place: int) -> int:
        """Return how many pieces identify somebody from a place on, the most there are."""
        for length in self._lengths.get(pieces[place], ()):
            if pieces[place : place + length] in self._instead:
                return length
        return 0

    def changes(self, texts: Iterable[str]) -> dict[str, str]:
        """Return the texts that hold somebody -> what is to stand in their place."""
        return {text: clean for text in texts if (clean := self.clean(text)) != text}
