"""CSV that readers refuse: what is wrong with it, on which line; and lines that end in two ways."""

from __future__ import annotations

import csv
import gzip
import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queries import ModelError
from queries.csv_faults import find_csv_fault, is_sound_in_two_ways
from queries.focus.validation import validate
from queries.totals import raw_totals
from tests.queries.bills import DATA, land, stage_rows, staged

if TYPE_CHECKING:
    from pathlib import Path

START = "2026-10-01T00:00:00Z"
HEADER = "BilledCost,EffectiveCost,BillingPeriodStart,ChargePeriodStart,ChargeDescription"
GOOD = f"1,2,{START},{START},x"
FAULTS = {
    "a field too few": (f"{HEADER}\n{GOOD}\n1,2\n", "line 3 has 2 fields, its header has 5"),
    "a field too many": (f"{HEADER}\n{GOOD},y\n", "line 2 has 6 fields, its header has 5"),
    "a comma in a number": (
        f"{HEADER}\n{GOOD}\n1,5,2,{START},{START},\n",
        "line 3 has 6 fields, its header has 5",
    ),
    "a last field that is empty": (f"{HEADER}\n{GOOD},\n", "line 2 has 6 fields, its header"),
    "after a text of two lines": (
        f'{HEADER}\n{GOOD}"\n1,2,{START},{START},"a\nb"\n1\n'.replace('x"', "x"),
        "line 5 has 1 field, its header has 5",
    ),
    "an open quote": (f'{HEADER}\n{GOOD}\n1,2,{START},{START},"x\n', "a quote is opened and never"),
    "after a quote": (f'{HEADER}\n1,2,{START},{START},"x"y\n', "line 2 goes on after a closing"),
    "a stray quote": (f'{HEADER}\n{GOOD}\n{GOOD}" disk\n', "line 3 has a quote in a value that"),
    "a lone return": (f"{HEADER}\n{GOOD}\r{GOOD}\n", "line 2 ends with a lone carriage return"),
    "returns alone": (f"{HEADER}\r{GOOD}\r", "line 1 ends with a lone carriage return"),
    "two returns": (f"{HEADER}\n{GOOD}\r\r\n", "line 2 ends with a lone carriage return"),
    "a last return": (f"{HEADER}\n{GOOD}\r", "line 2 ends with a lone carriage return"),
}


def write(folder: Path, text: str, *, is_packed: bool = False) -> Path:
    path = folder / ("focus.csv.gz" if is_packed else "focus.csv")
    content = text.encode()
    path.write_bytes(gzip.compress(content) if is_packed else content)
    return path


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize(("text", "why"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told_with_its_line(
    tmp_path: Path, text: str, why: str, *, is_packed: bool
) -> None:
    fault = find_csv_fault(write(tmp_path, text, is_packed=is_packed))
    assert fault is not None
    assert fault.why.startswith(why)


LANDED = {
    name: case
    for name, case in FAULTS.items()
    if "return" in name
    or name in ("a field too many", "a comma in a number", "a last field that is empty")
}


@pytest.mark.parametrize(("text", "why"), LANDED.values(), ids=LANDED)
def test_a_bill_with_a_fault_is_refused_in_our_words_where_it_lands(
    tmp_path: Path, text: str, why: str
) -> None:
    with pytest.raises(ModelError, match=why) as caught:
        raw_totals("focus__cost_and_usage", [write(tmp_path, text)])
    assert caught.value.__notes__[1].startswith("fix: ")
    assert "have the source write it again" not in caught.value.__notes__[1]


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize(("text", "why"), LANDED.values(), ids=LANDED)
def test_a_file_is_validated_in_the_words_in_which_it_is_refused(
    tmp_path: Path, text: str, why: str, *, is_packed: bool
) -> None:
    path = write(tmp_path, text, is_packed=is_packed)
    with pytest.raises(ModelError, match=why) as landed:
        raw_totals("focus__cost_and_usage", [path])
    with pytest.raises(ModelError) as validated:
        validate(path)
    assert str(validated.value) == str(landed.value)
    assert landed.value.__notes__[1].startswith(validated.value.__notes__[1])


def test_returns_in_quotes_are_part_of_a_value(tmp_path: Path) -> None:
    quoted = GOOD.removesuffix("x") + '"x\ry"'
    path = write(tmp_path, f"{HEADER}\n{quoted}\n")
    assert validate(path).rows == 1
    assert [row["charge_description"] for row in stage_rows("focus", [path])] == ["x\ry"]


def test_a_field_that_moved_unseen_costs_nothing_unseen(tmp_path: Path) -> None:
    """Readers drop an empty field at the end, after a comma in a number has moved the costs."""
    header = "BillingPeriodStart,ChargePeriodStart,ConsumedQuantity,BilledCost,EffectiveCost,x_Tag"
    path = write(tmp_path, f"{header}\n{START},{START},1,7,9,9,\n")
    with pytest.raises(ModelError, match="line 2 has 7 fields"):
        raw_totals("focus__cost_and_usage", [path])


def test_letters_that_are_not_utf_8_are_told_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "focus.csv"
    path.write_bytes(f"{HEADER}\n{GOOD}\n1,2,{START},{START},grün\n".encode("latin-1"))
    with pytest.raises(ModelError, match="line 3 is not UTF-8"):
        validate(path)


def test_a_file_that_cannot_be_unpacked_is_left_to_what_unpacks_it(tmp_path: Path) -> None:
    path = tmp_path / "focus.csv.gz"
    path.write_bytes(gzip.compress(f"{HEADER}\n{GOOD}\n".encode())[:-9])
    assert find_csv_fault(path) is None
    assert not is_sound_in_two_ways(path)


@pytest.mark.parametrize(
    "path", sorted((DATA / "focus").rglob("*.csv")), ids=lambda path: path.stem
)
def test_a_published_file_has_no_fault(path: Path) -> None:
    assert find_csv_fault(path) is None


TEXTS = st.text(st.sampled_from('a,"\r\n ü'), max_size=8).filter(lambda text: text != '""')
ENDS = st.sampled_from(["\n", "\r\n"])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(TEXTS, ENDS), min_size=2, max_size=8), ENDS)
def test_lines_that_end_in_two_ways_read_as_those_that_end_in_one(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, str]], end: str
) -> None:
    """Whatever is quoted: carriage returns and line feeds within quotes are part of a value."""
    text, even = f"{HEADER}{end}", f"{HEADER}\n"
    for description, own_end in lines:
        out = io.StringIO()
        writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="")
        writer.writerow(["1", "2", START, START, description])
        text, even = text + out.getvalue() + own_end, even + out.getvalue() + "\n"
    folder = tmp_path_factory.mktemp("ends")
    rows = stage_rows("focus", [write(folder, text)])
    wanted = csv.DictReader(io.StringIO(even, newline=""))
    assert sorted(str(row["charge_description"] or "") for row in rows) == sorted(
        row["ChargeDescription"] for row in wanted
    )


def test_a_file_of_two_ways_is_validated_as_one_of_one_way(tmp_path: Path) -> None:
    sample = DATA / "focus/sample_1_0/focus_sample.csv"
    lines = sample.read_text("utf-8-sig").splitlines()
    path = write(tmp_path, "\r\n".join(lines[:500]) + "\r\n" + "\n".join(lines[500:]) + "\n")
    assert is_sound_in_two_ways(path)
    assert validate(path) == validate(sample)


def test_two_ways_make_no_faulty_line_pass(tmp_path: Path) -> None:
    path = write(tmp_path, f"{HEADER}\r\n{GOOD}\n1,2\r\n")
    assert not is_sound_in_two_ways(path)
    assert land("focus", [path]).files
    with (
        pytest.raises(Exception, match=r"CSV Error|invalid state"),
        staged("focus", [path]) as con,
    ):
        con.execute("select * from staged").fetchall()
