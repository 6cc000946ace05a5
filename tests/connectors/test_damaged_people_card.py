"""Damaged cards of people: each refused by its file and line, and none silently read wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from connectors.base import SourceError
from connectors.people_card import PeopleCard
from tests.connectors.known import Memory
from tests.queries.bills import DATA

if TYPE_CHECKING:
    from pathlib import Path

CREWS = (DATA / "people_card" / "crews.csv").read_text("utf-8")
SPLIT = (DATA / "people_card" / "split.csv").read_text("utf-8")
NO_NUMBERS = ("abc", "-5", "1e3", "1,5", "NaN", "inf", "0x10", "+5", "5.", ".5", "5 000", "\u0663")
NO_DAYS = ("2026-13-01", "2026-02-30", "1.10.2026", "2026/10/01", "2026-10-1", "soon", "46296")
CREW_CELLS = [
    *(("42000.01", price) for price in (*NO_NUMBERS, "", "1234567890", "1.0000000000001")),
    *(("EUR,42000.01", f"{code},42000.01") for code in ("", "eur", "EURO", "EU", "E1R", "\u20ac")),
    *(("2026-09-15", day) for day in (*NO_DAYS, "")),
    *(("2026-10-21", day) for day in (*NO_DAYS, "2026-10-11", "2026-10-01")),
    *(("night-shift,", f"{name},") for name in ("", "labelling")),
]
PART_CELLS = [
    *(("0.25,", f"{share},") for share in (*NO_NUMBERS, "0.9", "10", "0.0000000000001")),
    *(("2026-10-02,2.5", f"{day},2.5") for day in (*NO_DAYS, "")),
    *(("2026-10-02,2.5", f"2026-10-02,{days}") for days in (*NO_NUMBERS, "", "0", "12345")),
    ("2026-10-02,2.5", "2026-10-02,1.1234567"),
    ("labelling,0.25", "nobody,0.25"),
    ("labelling,0.25", ",0.25"),
    ("gemini,speech,,lens", ",,,"),
]
FILES = {
    "empty": b"",
    "headers alone": CREWS.splitlines()[0].encode(),
    "a column that is missing": CREWS.replace("price_per_month", "price").encode(),
    "a column twice": CREWS.replace(",work", ",crew").encode(),
    "a cell too many": CREWS.replace("Engineering", "Engineering,more").encode(),
    "a quote that nothing ends": CREWS.replace("Labelling", '"Labelling', 1).encode(),
    "other letters": CREWS.replace("labelling", "\u00e9tiquetage").encode("latin-1"),
    "another width of letters": CREWS.encode("utf-16"),
    "a nought in the midst": CREWS.replace("night", "ni\0ght").encode(),
    "semicolons": CREWS.replace(",", ";").encode(),
    "packed": b"\x1f\x8b\x08\x00" + CREWS.encode(),
}


def refusal(folder: Path, crews: bytes, split: bytes) -> SourceError:
    """Read a card that must be refused; return what is said of it."""
    (folder / "crews.csv").write_bytes(crews)
    (folder / "split.csv").write_bytes(split)
    card = PeopleCard(str(folder / "crews.csv"), str(folder / "split.csv"))
    with pytest.raises(SourceError) as caught:
        list(card.deliveries(Memory()))
    return caught.value


def damaged(text: str, good: str, bad: str) -> bytes:
    """Put a bad cell in the place of the first good one."""
    assert good in text
    return text.replace(good, bad, 1).encode()


@pytest.mark.parametrize(("good", "bad"), CREW_CELLS)
def test_a_bad_cell_of_a_crew_is_refused_by_its_line(tmp_path: Path, good: str, bad: str) -> None:
    said = refusal(tmp_path, damaged(CREWS, good, bad), SPLIT.encode())
    assert any(note.startswith("in:") and ".csv" in note for note in said.__notes__)


@pytest.mark.parametrize(("good", "bad"), PART_CELLS)
def test_a_bad_cell_of_a_split_is_refused_by_its_line(tmp_path: Path, good: str, bad: str) -> None:
    said = refusal(tmp_path, CREWS.encode(), damaged(SPLIT, good, bad))
    assert any(note.startswith("in:") and "split.csv" in note for note in said.__notes__)


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_a_spoiled_file_is_refused(tmp_path: Path, content: bytes) -> None:
    said = refusal(tmp_path, content, SPLIT.encode())
    assert any(note.startswith("in:") and "crews.csv" in note for note in said.__notes__)
