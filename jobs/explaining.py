"""`mlspend explain`: a figure, the rules, runs and bill lines it is made of, and the raw files."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
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
from queries.figures import FULL_COSTS, RUN, VERSIONED, Asked, figures_of, refuse_unknown
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


def asked_of(what: str, version: str | None, days: tuple[date | None, date | None]) -> Asked:
    """Return what `<dimension>=<member>` and the options ask for.

    Raises: click.UsageError for anything else, for days of what has none, and for versions of what
    has none.
    """
    dimension, sign, member = what.partition("=")
    if not sign:
        raise click.UsageError(f'"{what}" is not DIMENSION=MEMBER, such as team=vision')
    if any(days) and (dimension == RUN or dimension in FULL_COSTS):
        thing = "a full cost" if dimension in FULL_COSTS else "a run"
        raise click.UsageError(f"{thing} is explained as a whole: leave out --from and --to")
    if version is not None and dimension not in VERSIONED:
        raise click.UsageError(f"--version goes with {' or '.join(VERSIONED)}=NAME")
    return Asked(dimension, member, version, *days)


def print_explanation(config: Config, asked: Asked, out: TextIO, *, as_json: bool) -> None:
    """Explain a figure, currency by currency, to whoever can read the state folder.

    A person may be given by pseudonym. Below the figure everybody has the name that sources tell.

    Raises: ModelError where nothing is published, or there is no such cost.
    """
    tell = _tell_nothing if as_json else partial(_write_known, out)
    found = _find(config, asked, SHOWN_IN_TEXT, tell)
    if as_json:
        tables = {name: told.as_json() for name, told in found.known.items()}
        trees = [tree.as_json() for tree in found.trees]
        answer = {**tables, "figures": trees, "files": found.files}
        out.write(json.dumps(answer, indent=1, ensure_ascii=False) + "\n")
        return
    out.writelines(as_text(tree) + "\n" for tree in found.trees)
    out.write("from these bills, as delivered\n\n")
    TableAnswer(out).write(FILE_COLUMNS, found.files)


def write_explanation(config: Config, asked: Asked, target: Path) -> None:
    """Explain a figure as one HTML file, with people as everybody may see them.

    Raises: ModelError where nothing is published, or there is no such cost, or no such folder.
    """
    if not target.parent.is_dir():
        raise ModelError(
            "the folder is not there", where=str(target.parent), fix="make it, or name another"
        )
    found = _find(config, asked, SHOWN_ON_A_PAGE, _tell_nothing)
    clean = found.scrubber.clean
    generation = newest_generation(config.state_dir)
    tables = [
        Table(f"{name.capitalize()} of the run", told.columns, _cleaned(told.rows, clean))
        for name, told in found.known.items()
    ]
    files = Table("The files, as delivered", FILE_COLUMNS, _cleaned(found.files, clean))
    page = explanation_page(
        Explanation(
            asked=clean(str(asked)),
            trees=[
                Tree(masked(tree, clean), figure.billing_currency)
                for tree, figure in zip(found.trees, found.figures, strict=True)
            ],
            tables=[*tables, files],
            generation=generation.stem,
            built_at=_built_at(generation),
            is_masked=not views_of(config)[0].is_open,
        )
    )
    half = target.with_name(f".{target.name}.{os.getpid()}.half")
    half.write_text(page, encoding="utf-8")
    half.replace(target)


def _find(
    config: Config, asked: Asked, top: int, tell: Callable[[Mapping[str, Told]], None]
) -> _Found:
    """Walk a figure back to the bill; `top` children are shown of each node.

    `tell` is given what is known of a run before its cost is looked for: there may be none.
    """
    generation = newest_generation(config.state_dir)
    view = views_of(config)[0]
    with Journal(config.state_dir / "journal.sqlite") as journal:
        if view.is_open and not (asked.dimension == RUN and _has_landed_since(journal, generation)):
            refuse_unknown(generation, asked)
        store = RawStore(config.state_dir, journal, raw_totals, NoProgress())
        names = {source.name for source in config.sources}
        counted = store.counted(names, superseding_tables())
        given = build_input(config, store, counted)
        is_lineage = asked.dimension in FULL_COSTS
        con = open_books(given, generation, is_open=view.is_open, has_lineage=is_lineage)
        try:
            if asked.dimension == "user":
                asked = replace(asked, member=unveiled(con, view, asked.member))
            known = _what_is_known(con, asked.member) if asked.dimension == RUN else {}
            tell(known)
            figures = figures_of(con, asked)
            trees = [_tree(con, asked, one, top) for one in figures]
            scrubber = scrubber_of(con, view, min(one.from_date for one in figures))
        finally:
            con.close()
        files = _files_of(journal, counted, {bill for one in figures for bill in one.bills})
    return _Found(figures, trees, known, files, scrubber)


def _has_landed_since(journal: Journal, generation: Path) -> bool:
    """Tell whether there may be runs that the generation does not know yet."""
    built_at = _built_at(generation).replace(tzinfo=None)
    return any(entry.landed_at > built_at for entry in journal.deliveries())


def _built_at(generation: Path) -> datetime:
    return datetime.fromisoformat(Manifest.read(generation.with_suffix(".json")).built_at)


def _cleaned(
    rows: Sequence[Sequence[object]], clean: Callable[[str], str]
) -> Sequence[Sequence[object]]:
    return [[clean(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]


def _tree(con: Connection, asked: Asked, one: Figures, top: int) -> Node:
    days = (one.from_date, one.to_date)
    question = Question(
        asked.dimension, one.member, *days, one.billing_currency, asked.version, top=top
    )
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
