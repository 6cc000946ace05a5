"""`mlspend explain`: a figure, the rules, runs and bill lines it is made of, and the raw files."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, TextIO

import click

from jobs.inputs import build_input, superseding_tables
from jobs.journal import Journal
from jobs.privacy import views_of
from jobs.progress import NoProgress
from jobs.raw_store import RawStore
from queries import ModelError
from queries.answers import TableAnswer
from queries.explanation import Question, as_text, explain, masked, open_books
from queries.figures import FULL_COSTS, RUN, figures_of
from queries.generation import newest_generation
from queries.manifest import Manifest
from queries.privacy.people import scrubber_of, unveiled
from queries.run_records import places_of, records_of, run_named
from queries.totals import raw_totals
from reports.explanation import Explanation, Table, Tree, explanation_page

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from jobs.config import Config
    from jobs.ledger import Entry
    from queries.engines.duckdb import Connection
    from queries.explanation import Node
    from queries.figures import Figures
    from queries.privacy.texts import Scrubber
    from queries.run_records import Told


SHOWN_IN_TEXT, SHOWN_ON_A_PAGE = 5, 10
"""Children of a node: a page can be folded, text cannot."""
FILE_COLUMNS = ("source", "bill", "landed", "file", "below raw/")


@dataclass(slots=True)
class _Found:
    """A figure in each of its currencies, and all that is known of it."""

    figures: Sequence[Figures]
    trees: Sequence[Node]
    known: Mapping[str, Told]
    """Who saw a run, and where it was."""
    files: Sequence[Sequence[str]]
    scrubber: Scrubber
    """Takes out whom everybody may not see; what is printed is the operator's and is left alone."""


def print_explanation(
    config: Config,
    what: str,
    days: tuple[date | None, date | None],
    out: TextIO,
    *,
    as_json: bool,
) -> None:
    """Explain `<dimension>=<member>`, currency by currency, to whoever can read the state folder.

    A person may be given by pseudonym. Below the figure everybody has the name that sources tell.

    Raises: ModelError where nothing is published, or there is no such cost.
    """
    tell = _tell_nothing if as_json else partial(_write_known, out)
    found = _find(config, what, days, SHOWN_IN_TEXT, tell)
    if as_json:
        tables = {name: told.as_json() for name, told in found.known.items()}
        trees = [tree.as_json() for tree in found.trees]
        answer = {**tables, "figures": trees, "files": found.files}
        out.write(json.dumps(answer, indent=1, ensure_ascii=False) + "\n")
        return
    out.writelines(as_text(tree) + "\n" for tree in found.trees)
    out.write("from these bills, as delivered\n\n")
    TableAnswer(out).write(FILE_COLUMNS, found.files)


def write_explanation(
    config: Config, what: str, days: tuple[date | None, date | None], target: Path
) -> None:
    """Explain `<dimension>=<member>` as one HTML file, with people as everybody may see them.

    Raises: ModelError where nothing is published, or there is no such cost, or no such folder.
    """
    if not target.parent.is_dir():
        raise ModelError(
            "the folder is not there", where=str(target.parent), fix="make it, or name another"
        )
    found = _find(config, what, days, SHOWN_ON_A_PAGE, _tell_nothing)
    clean = found.scrubber.clean
    generation = newest_generation(config.state_dir)
    tables = [
        Table(f"{name.capitalize()} of the run", told.columns, _cleaned(told.rows, clean))
        for name, told in found.known.items()
    ]
    files = Table("The files, as delivered", FILE_COLUMNS, _cleaned(found.files, clean))
    page = explanation_page(
        Explanation(
            asked=clean(what),
            trees=[
                Tree(masked(tree, clean), figure.billing_currency)
                for tree, figure in zip(found.trees, found.figures, strict=True)
            ],
            tables=[*tables, files],
            generation=generation.stem,
            built_at=datetime.fromisoformat(
                Manifest.read(generation.with_suffix(".json")).built_at
            ),
            is_masked=not views_of(config)[0].is_open,
        )
    )
    half = target.with_name(f".{target.name}.{os.getpid()}.half")
    half.write_text(page, encoding="utf-8")
    half.replace(target)


def _find(
    config: Config,
    what: str,
    days: tuple[date | None, date | None],
    top: int,
    tell: Callable[[Mapping[str, Told]], None],
) -> _Found:
    """Walk a figure back to the bill; `top` children are shown of each node.

    `tell` is given what is known of a run before its cost is looked for: there may be none.
    """
    dimension, member = _asked(what, days)
    is_lineage = dimension in FULL_COSTS
    generation = newest_generation(config.state_dir)
    with Journal(config.state_dir / "journal.sqlite") as journal:
        store = RawStore(config.state_dir, journal, raw_totals, NoProgress())
        names = {source.name for source in config.sources}
        counted = store.counted(names, superseding_tables())
        view = views_of(config)[0]
        given = build_input(config, store, counted)
        con = open_books(given, generation, is_open=view.is_open, has_lineage=is_lineage)
        try:
            if dimension == "user":
                member = unveiled(con, view, member)
            known = _what_is_known(con, member) if dimension == RUN else {}
            tell(known)
            figures = figures_of(con, dimension, member, days)
            trees = [_tree(con, dimension, one, top) for one in figures]
            scrubber = scrubber_of(con, view, min(one.from_date for one in figures))
        finally:
            con.close()
        files = _files_of(journal, counted, {bill for one in figures for bill in one.bills})
    return _Found(figures, trees, known, files, scrubber)


def _asked(what: str, days: tuple[date | None, date | None]) -> tuple[str, str]:
    """Return the dimension and the member.

    Raises: click.UsageError for anything else, and for days of what has none.
    """
    dimension, sign, member = what.partition("=")
    if not sign:
        raise click.UsageError(f'"{what}" is not DIMENSION=MEMBER, such as team=vision')
    if any(days) and (dimension == RUN or dimension in FULL_COSTS):
        thing = "a full cost" if dimension in FULL_COSTS else "a run"
        raise click.UsageError(f"{thing} is explained as a whole: leave out --from and --to")
    return dimension, member


def _cleaned(
    rows: Sequence[Sequence[object]], clean: Callable[[str], str]
) -> Sequence[Sequence[object]]:
    return [[clean(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]


def _tree(con: Connection, dimension: str, one: Figures, top: int) -> Node:
    days = (one.from_date, one.to_date)
    question = Question(dimension, one.member, *days, one.billing_currency, top=top)
    return explain(con, question)


def _what_is_known(con: Connection, run: str) -> dict[str, Told]:
    """Return who saw a run, and where it was; a run that no bill shows has both, too."""
    run_id = run_named(con, run)
    return {"records": records_of(con, run_id), "places": places_of(con, run_id)}


def _tell_nothing(_: Mapping[str, Told]) -> None:
    """Leave what is known of a run to the answer that it is a part of."""


def _write_known(out: TextIO, known: Mapping[str, Told]) -> None:
    for name, told in known.items():
        if told.rows:
            out.write(f"{name} of the run\n\n")
            TableAnswer(out).write(told.columns, told.rows)
            out.write("\n")


def _files_of(
    journal: Journal, counted: Sequence[Entry], bills: Collection[tuple[str, str]]
) -> list[list[str]]:
    """Return the files of the deliveries in force that bill these invoices."""
    totals = journal.totals()
    rows: list[list[str]] = []
    for entry in counted:
        billed = {(entry.source, total.billing_period) for total in totals.get(entry.id, ())}
        for source, period in sorted(billed & set(bills)):
            landed = f"{entry.landed_at:%Y-%m-%d %H:%M}"
            rows += [[source, period, landed, file.name, str(file.path)] for file in entry.files]
    return sorted(rows)
