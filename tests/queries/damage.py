"""Files damaged at random: what bad disks, cut copies and careless hands do to a bill.

Each damage is made by a seed of its own, so that a file that was once read wrongly stays a test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

_SIGNS = (*b'",;\n\r\t\0 .-+eE_09{}[]:', 0xFF, 0xC3)


def damaged(content: bytes, random: Random, *, is_text: bool) -> bytes:
    """Return content with one or two things wrong; never as it was."""
    ways = (*_BYTES, *_LINES) if is_text else _BYTES
    while True:
        found = content
        for _ in range(random.choice((1, 1, 1, 2))):
            found = random.choice(ways)(found, random)
        if found != content:
            return found


def _place(content: bytes, random: Random) -> int:
    return random.randrange(max(len(content), 1))


def _cut(content: bytes, random: Random) -> bytes:
    return content[: _place(content, random)]


def _headless(content: bytes, random: Random) -> bytes:
    return content[random.randrange(1, 64) :]


def _flip(content: bytes, random: Random) -> bytes:
    place = _place(content, random)
    flipped = bytes(byte ^ (1 << random.randrange(8)) for byte in content[place : place + 1])
    return content[:place] + flipped + content[place + 1 :]


def _overwrite(content: bytes, random: Random) -> bytes:
    place = _place(content, random)
    return content[:place] + bytes([random.choice(_SIGNS)]) + content[place + 1 :]


def _insert(content: bytes, random: Random) -> bytes:
    place = _place(content, random)
    return content[:place] + bytes([random.choice(_SIGNS)]) + content[place:]


def _lose(content: bytes, random: Random) -> bytes:
    place = _place(content, random)
    return content[:place] + content[place + random.randrange(1, 200) :]


def _repeat(content: bytes, random: Random) -> bytes:
    place, length = _place(content, random), random.randrange(1, 200)
    return content[: place + length] + content[place:]


def _blank(content: bytes, random: Random) -> bytes:
    """Put zeros in the place of some bytes, as a file system does after a crash."""
    place, length = _place(content, random), random.randrange(1, 512)
    return content[:place] + bytes(len(content[place : place + length])) + content[place + length :]


def _twice(content: bytes, random: Random) -> bytes:
    return content + content[: random.randrange(len(content) + 1)]


_BYTES: tuple[Callable[[bytes, Random], bytes], ...] = (
    *(_cut, _headless, _flip, _flip, _overwrite, _insert, _lose, _repeat, _blank, _twice),
)


def _of_lines(change: Callable[[list[bytes], int], None]) -> Callable[[bytes, Random], bytes]:
    def changed(content: bytes, random: Random) -> bytes:
        lines = content.splitlines(keepends=True)
        if lines:
            change(lines, random.randrange(len(lines)))
        return b"".join(lines)

    return changed


def _drop_line(lines: list[bytes], place: int) -> None:
    del lines[place]


def _double_line(lines: list[bytes], place: int) -> None:
    lines.insert(place, lines[place])


def _join_lines(lines: list[bytes], place: int) -> None:
    lines[place] = lines[place].rstrip(b"\r\n")


def _end_otherwise(lines: list[bytes], place: int) -> None:
    lines[place] = lines[place].rstrip(b"\r\n") + b"\r"


def _drop_cell(lines: list[bytes], place: int) -> None:
    cells = lines[place].split(b",")
    lines[place] = b",".join(cells[: len(cells) // 2] + cells[len(cells) // 2 + 1 :])


def _shift_cells(lines: list[bytes], place: int) -> None:
    """Move the first cell of a line to its end: as many fields as before, each in a wrong place."""
    cells = lines[place].rstrip(b"\r\n").split(b",")
    lines[place] = b",".join([*cells[1:], cells[0]]) + b"\n"


_LINES = tuple(
    _of_lines(change)
    for change in (
        *(_drop_line, _double_line, _join_lines, _end_otherwise, _drop_cell, _shift_cells),
    )
)
