"""Whoever may name a run writes into the site: every such name is text, and nothing else."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from reports.base import Frame, Read
from reports.figures import is_nobodys
from reports.site import write_site
from tests.reports.frames import META
from tests.reports.page import parse, read_page, skeleton

if TYPE_CHECKING:
    from pathlib import Path

TAGS = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "<iframe src=//example.org>",
    "<style>*{display:none}</style>",
    "</style><b>",
    "</title><h1>",
    "</td></tr></table><h1>",
    "<!-- ",
    "--><h1>",
    "<![CDATA[<h1>]]>",
    "<base href=//example.org>",
    "<meta http-equiv=refresh content=0>",
    "<form action=//example.org><input>",
    "<textarea>",
    "</textarea><img src=x>",
    "<plaintext>",
    "<noscript><p title='</noscript><img src=x>'>",
    "<math><mi//xlink:href='data:x,<script>'>",
    "<details open ontoggle=alert(1)>",
    "<b>bold</b>",
    "<a href='https://example.org'>here</a>",
    "<br>",
    "<sup>9</sup>",
    "&lt;script&gt;",
    "&#60;script&#62;",
    "&amp;lt;h1&amp;gt;",
)
BREAKS = (
    '" onmouseover="alert(1)',
    "' onmouseover='alert(1)",
    '"><h1>',
    "'><h1>",
    "` onmouseover=`",
    "x onmouseover=alert(1) y",
    '"}]});alert(1);//',
    "\\u003c/script\\u003e",
    '\\"];alert(1)//',
    "{{ 7 * 7 }}",
    "{% raw %}",
    "{{ config }}",
    "${7*7}",
    "%{customdata}",
    "%{y:$.2f}",
    "<extra></extra>",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "//example.org/x",
    "https://example.org/x",
    "../../../etc/passwd",
    "..\\..\\windows",
    "/etc/passwd",
    "con.html",
    "#main",
    "?x=y&z",
    "$\\sqrt{x}$",
    "$$x$$",
)
SIGNS = (
    '=HYPERLINK("https://example.org")',
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1+1",
    "|calc",
    "\u202egnp.exe",
    "\u2066hidden\u2069",
    "\u200bzero\u200bwidth",
    "\ufefftop",
    "\u0000null",
    "\x1b[31mred",
    "\x08back",
    "line\nbreak",
    "line\r\nbreak",
    "line\u2028break",
    "line\u2029break",
    "\u0301mark",
    "e\u0301" * 40,
    "\U0001f4b8\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "שלום",
    "مرحبا",
    "\u0130\u0131",
    "ﬁ",
    "\ud800",
    "\udfff tail",
    "\U000e0041tag",
    "\uffff",
    " lead",
    "trail ",
    "    ",
    "0",
    "1e9",
    "2026-01-01",
    "NaN",
    "null",
    "true",
    "long" * 4_000,
    "<" * 500,
    "&" * 500,
    '"' * 500,
)
PAYLOADS = (*TAGS, *BREAKS, *SIGNS, *(f"{tag}{sign}" for tag in TAGS[:10] for sign in BREAKS[:12]))
SAFE_LINK = re.compile(r"(\.\./)?([a-z0-9-]+/)?[A-Za-z0-9-]*(\.html|\.txt)?(#[a-z0-9-]+)?")
KEPT = (
    *("dimension", "cost_kind", "measure", "billing_currency", "reporting_currency", "status"),
    "beyond_12_places",
)


def named(frames: dict[str, Frame], payload: str) -> dict[str, Frame]:
    """Return the frames with every name begun by `payload`; which name is which stays clear."""
    changed = {}
    for key, frame in frames.items():
        free = [column not in KEPT for column in frame.columns]
        rows = [
            [
                f"{payload}{value}" if free[at] and is_name(value) else value
                for at, value in enumerate(row)
            ]
            for row in frame.rows
        ]
        changed[key] = Frame(frame.columns, rows)
    return changed


def is_name(value: object) -> bool:
    return isinstance(value, str) and not is_nobodys(value)


@pytest.fixture(scope="module")
def few(frames: dict[str, Frame]) -> dict[str, Frame]:
    """The frames with few rows each, so that hundreds of sites can be written."""
    return {
        key: Frame(frame.columns, frame.rows if key.startswith("books") else frame.rows[:6])
        for key, frame in frames.items()
    }


@pytest.fixture(scope="module")
def harmless(few: dict[str, Frame], tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    folder = tmp_path_factory.mktemp("harmless") / "site"
    write_site(folder, named(few, "x"), META)
    return skeletons(folder)


def skeletons(folder: Path) -> list[list[str]]:
    return sorted(skeleton(read_page(path)) for path in folder.rglob("*.html"))


def test_there_are_hundreds_of_names_to_try() -> None:
    assert len(set(PAYLOADS)) == len(PAYLOADS) >= 200


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: ascii(payload)[:60])
def test_a_hostile_name_changes_the_text_of_the_site_and_not_its_structure(
    few: dict[str, Frame], harmless: list[list[str]], tmp_path: Path, payload: str
) -> None:
    write_site(tmp_path / "site", named(few, payload), META)

    pages = [read_page(path) for path in (tmp_path / "site").rglob("*.html")]
    assert sorted(skeleton(page) for page in pages) == harmless
    for page in pages:
        for link in page.all("a"):
            assert SAFE_LINK.fullmatch(link.attributes["href"])


def test_a_name_is_read_back_as_it_was_written(few: dict[str, Frame], tmp_path: Path) -> None:
    page = read_page(write_site(tmp_path / "site", named(few, TAGS[0]), META))

    assert TAGS[0] in page.all("main")[0].text


def test_marks_that_turn_or_hide_text_are_written_out(
    few: dict[str, Frame], tmp_path: Path
) -> None:
    first = write_site(tmp_path / "site", named(few, "\u202e\u200b\x1b"), META)

    assert "⟨U+202E⟩⟨U+200B⟩⟨U+001B⟩" in read_page(first).text
    for path in first.parent.rglob("*.html"):
        assert not set("\u202e\u200b\x1b") & set(path.read_text(encoding="utf-8")), path


def test_a_command_with_a_hostile_name_is_one_word_for_a_shell(tmp_path: Path) -> None:
    for number, name in enumerate(
        (
            "$(touch planted)",
            "`touch planted`",
            "'; touch planted; '",
            "a\nb\u202e'",
            "\\",
            "é\x1b\\n",
        )
    ):
        command = Read("member_daily", {"member": name}).command
        done = subprocess.run(
            ["bash", "-c", f"mlspend() {{ printf '%s' \"${{@: -1}}\"; }}; {command}"],
            cwd=tmp_path,
            capture_output=True,
            check=True,
            env={"LC_ALL": "C.UTF-8"},
        )
        assert done.stdout.decode() == f"member={name}", number
    assert list(tmp_path.iterdir()) == []


def test_the_parser_would_have_seen_an_escape() -> None:
    """The proof above rests on it."""
    tame = skeleton(parse("<p>&lt;b&gt;</p>"))

    assert skeleton(parse("<p><b></b></p>")) != tame
    assert skeleton(parse('<p title="x"></p>')) != tame
    with pytest.raises(AssertionError):
        parse("<p></b></p>")
