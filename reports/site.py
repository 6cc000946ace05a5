"""The site: every report's pages, written beside the one copy of plotly.js that they share.

Nothing is fetched: the pages work from a folder on a disk, without a network, and say so to the
browser (their content security policy allows nothing else).
"""

from __future__ import annotations

import os
import re
import shutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reports import REPORTS
from reports.base import Frames, ReportError
from reports.compiled import Compiled
from reports.figures import apart, day, moment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reports.base import Frame, Meta, Page, Read, Span

HOME = Path(__file__).parent
_INDENT = re.compile(r"\n\s+")  # templates are indented for people; pages are sent to them
_BETWEEN = re.compile(r"\n(?=</?(?:table|thead|tbody|tfoot|tr|th|td|caption|section|div|p|h2)\b)")
"""Where browsers take a line break for nothing."""
KEPT = ("mails",)
"""What lies in a site's folder and is not the site's: it stays when the site is written again."""
STATIC = ("site.css", "site.js", "plotly-basic.min.js", "plotly-LICENSE.txt")


def site_reads(span: Span) -> list[Read]:
    """Return every query whose frame the site needs, each once."""
    reads = {read.key: read for report in REPORTS for read in report.reads(span)}
    return list(reads.values())


def write_site(out_dir: Path, frames: Mapping[str, Frame], meta: Meta) -> Path:
    """Write the site to `out_dir`, whole or not at all; return its first page.

    `frames` are the answers of `site_reads(meta.span)` by `Read.key`. A folder of an earlier run
    is replaced.

    Raises: ReportError where a frame is missing.
    """
    half = out_dir.with_name(f".{out_dir.name}.{os.getpid()}.half")
    half.mkdir(parents=True)
    try:
        _write_pages(half, Frames(frames), meta)
        static = half / "static"
        static.mkdir()
        for name in STATIC:
            shutil.copyfile(HOME / "static" / name, static / name)
        _put_in_place(half, out_dir)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return out_dir / "index.html"


def _write_pages(folder: Path, frames: Frames, meta: Meta) -> None:
    written: set[str] = set()
    for report in REPORTS:
        for page in report.pages(frames, meta):
            if page.path in written:
                raise ReportError(
                    f"two pages want to be {page.path}",
                    where=f"the report {report.name}",
                    fix="this is a fault of mlspend: report it",
                )
            written.add(page.path)
            target = folder / page.path
            target.parent.mkdir(exist_ok=True)
            target.write_text(render(page, report.name, meta), encoding="utf-8")


def _put_in_place(half: Path, out_dir: Path) -> None:
    old = half.with_suffix(".old")
    if out_dir.exists():
        for name in KEPT:
            if (out_dir / name).exists():
                (out_dir / name).rename(half / name)
        out_dir.rename(old)
    half.rename(out_dir)
    shutil.rmtree(old, ignore_errors=True)


def render(page: Page, report_name: str, meta: Meta) -> str:
    """Return a page's HTML."""
    written = (
        templates()
        .get_template(page.template)
        .render(
            **page.context,
            page=page,
            meta=meta,
            root="../" if "/" in page.path else "",
            here=report_name,
            reports=_navigation(),
        )
    )
    return _BETWEEN.sub("", _INDENT.sub("\n", written))


def _navigation() -> Sequence[tuple[str, str]]:
    return [(report.name, report.title) for report in REPORTS]


@cache
def templates() -> Environment:
    """Return the templates of pages, with everything in them escaped."""
    found = Environment(
        loader=FileSystemLoader(HOME / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=Compiled("page"),
    )
    found.filters["apart"] = apart
    found.filters["day"] = day
    found.filters["moment"] = moment
    return found
