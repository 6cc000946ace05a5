"""`mlspend explain`: a figure, the rules, runs and bill lines it is made of, and the raw files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TextIO

import click

from jobs.inputs import build_input, superseding_tables
from jobs.journal import Journal
from jobs.privacy import views_of
from jobs.progress import NoProgress
from jobs.raw_store import RawStore
from queries.answers import TableAnswer
from queries.explanation import Question, as_text, explain, open_books
from queries.figures import FULL_COSTS, RUN, figures_of
from queries.generation import newest_generation
from queries.privacy.people import unveiled
from queries.run_records import places_of, records_of, run_named
from queries.totals import raw_totals

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date

    from jobs.config import Config
    from jobs.ledger import Entry
    from queries.engines.duckdb import Connection
    from queries.explanation import Node
    from queries.figures import Figures
    from queries.run_records import Told


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
    dimension, sign, member = what.partition("=")
    if not sign:
        raise click.UsageError(f'"{what}" is not DIMENSION=MEMBER, such as team=vision')
    is_lineage = dimension in FULL_COSTS
    if any(days) and (dimension == RUN or is_lineage):
        thing = "a full cost" if is_lineage else "a run"
        raise click.UsageError(f"{thing} is explained as a whole: leave out --from and --to")
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
            if not as_json:
                _write_known(known, out)
            figures = figures_of(con, dimension, member, days)
            trees = [_tree(con, dimension, one) for one in figures]
        finally:
            con.close()
        files = _files_of(journal, counted, {bill for one in figures for bill in one.bills})
    if as_json:
        tables = {name: told.as_json() for name, told in known.items()}
        found = {**tables, "figures": [tree.as_json() for tree in trees], "files": files}
        out.write(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
        return
    out.writelines(as_text(tree) + "\n" for tree in trees)
    out.write("from these bills, as delivered\n\n")
    TableAnswer(out).write(("source", "bill", "landed", "file", "below raw/"), files)


def _tree(con: Connection, dimension: str, one: Figures) -> Node:
    question = Question(dimension, one.member, one.from_date, one.to_date, one.billing_currency)
    return explain(con, question)


def _what_is_known(con: Connection, run: str) -> dict[str, Told]:
    """Return who saw a run, and where it was; a run that no bill shows has both, too."""
    run_id = run_named(con, run)
    return {"records": records_of(con, run_id), "places": places_of(con, run_id)}


def _write_known(known: Mapping[str, Told], out: TextIO) -> None:
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
