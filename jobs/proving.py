"""Bills added up a third time, in plain decimals: by every night, and by `mlspend prove`.

A night does it for the units that changed, the smallest first, as far as [books] recompute_rows
goes; a sum that differs stops it before anything is published. `prove` does it for all, and holds
what it finds against the journal's totals and the books.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Context, Decimal
from typing import TYPE_CHECKING, NamedTuple, TextIO

from jobs.errors import describe
from jobs.inputs import superseding_tables
from jobs.restatements import rows_of
from queries import ModelError
from queries.answers import visible
from queries.generation import newest_generation
from queries.plain import plain_totals
from queries.plain_rules import BILLS
from queries.publish import newest_manifest
from queries.read import open_generation

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from jobs.ledger import Entry, LedgerTotal
    from jobs.night import Night
    from jobs.raw_store import RawStore
    from queries.plain import Amounts

_EXACT = Context(prec=400)
_NOTHING = (Decimal(0), Decimal(0))
_STOPPED = (
    "`mlspend check` tells whether the raw files are as they landed; if they are, report this as a "
    "fault: nothing is published, the last good generation stays in force"
)


class _Proof(NamedTuple):
    """What a delivery bills, found plainly and as the journal has it."""

    plain: Amounts
    entered: Amounts
    lines: int

    @property
    def wrong(self) -> list[tuple[str, str]]:
        """The currencies and measures that differ."""
        keys = sorted(self.plain.keys() | self.entered.keys())
        return [key for key in keys if self.plain.get(key) != self.entered.get(key)]


def prove_changed(night: Night) -> None:
    """Add up plainly the bills that the newest generation does not rest on.

    Raises: ModelError where one comes to something else than its delivery was entered with.
    """
    manifest = newest_manifest(night.generations)
    before = frozenset(manifest.raw) if manifest else frozenset()
    totals = night.journal.totals()
    changed = sorted(
        (rows_of(totals.get(entry.id, ())), entry.id, entry)
        for entry in _bills_that_count(night.store, [each.name for each in night.config.sources])
        if not before.issuperset(entry.content)
    )
    limit, lines, left = night.config.books.recompute_rows, 0, 0
    for rows, _, entry in changed:
        if lines + rows > limit:
            left += 1
            continue
        lines += rows
        _prove_or_stop(night, entry, totals.get(entry.id, ()))
    if lines:
        units = _counted(len(changed) - left, "unit")
        night.progress.say(f"added up {_counted(lines, 'line')} of {units} plainly")
    if left:
        night.progress.say(
            f"note: {_counted(left, 'unit')} not added up plainly: with more lines than [books] "
            f"recompute_rows = {limit:,}; `mlspend prove` does it"
        )


def _prove_or_stop(night: Night, entry: Entry, entered: Sequence[LedgerTotal]) -> None:
    try:
        proof = _prove(night.store.raw, entry, entered)
    except ModelError as error:
        night.complain(error)  # not a difference: two readers agree, and the third is no judge
        return
    for currency, measure in proof.wrong:
        raise ModelError(
            f"{_text(proof.plain.get((currency, measure)))} {currency} is what the lines of a bill "
            f"add up to as {measure}, and its delivery was entered with "
            f"{_text(proof.entered.get((currency, measure)))}",
            where=f"source {entry.source}, {entry.table} {entry.unit}",
            fix=_STOPPED,
        )


def print_proof(
    store: RawStore, configured: Collection[str], out: TextIO, *, source: str = "", is_all: bool
) -> int:
    """Write a line for each unit, currency and measure, then the verdict; return the exit code.

    Proved are the units of the newest generation, of `source` alone where it is given; with
    `is_all` every other version that is kept as well.
    """
    wanted = [name for name in configured if source in ("", name)]
    manifest = newest_manifest(store.state_dir / "generations")
    published = frozenset(manifest.raw) if manifest else frozenset()
    kept = [
        entry
        for entry in store.journal.deliveries()
        if _bill_of(entry) in BILLS and entry.source in wanted and not entry.is_collected
    ]
    in_force = {
        entry.unit_key: entry
        for entry in sorted(kept, key=lambda entry: entry.order)
        if entry.state == "landed" and published.issuperset(entry.content)
    }
    current = {entry.id for entry in in_force.values()}
    books: defaultdict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    lines = wrong = 0
    proved = [entry for entry in kept if is_all or entry.id in current]
    for entry in proved:
        try:
            proof = _prove(store.raw, entry, store.journal.totals_of(entry.id))
        except ModelError as error:
            out.write(f"{describe(error)}\n")
            wrong += 1
            continue
        lines += proof.lines
        wrong += len(proof.wrong)
        _print_unit(entry, proof, out, is_current=entry.id in current)
        for (currency, measure), (amount, _) in proof.plain.items() if entry.id in current else ():
            key = (entry.source, currency, measure)
            books[key] = _EXACT.add(books[key], amount)
    wrong += _print_books(store.state_dir, wanted, books, out) if manifest else 0
    verdict = "proved" if proved else "nothing to prove"
    if wrong:
        verdict = _counted(wrong, "difference")
    out.write(f"{verdict}: {_counted(len(proved), 'unit')}, {_counted(lines, 'line')}\n")
    return int(bool(wrong))


def _print_unit(entry: Entry, proof: _Proof, out: TextIO, *, is_current: bool) -> None:
    what = f"{entry.source} {entry.unit}" + ("" if is_current else f" as of {entry.version_at}")
    for key in sorted(proof.plain.keys() | proof.entered.keys()):
        plain, entered = proof.plain.get(key), proof.entered.get(key)
        verdict = "as entered" if plain == entered else f"ENTERED AS {_text(entered)}"
        out.write(f"{visible(what)}: {key[1]} {_text(plain)} {visible(key[0])}, {verdict}\n")


def _print_books(
    state_dir: Path,
    wanted: Collection[str],
    plain: Mapping[tuple[str, str, str], Decimal],
    out: TextIO,
) -> int:
    """Write what each source's books say; return how many of their sums differ."""
    with open_generation(newest_generation(state_dir)) as con:
        rows = con.execute(
            "select source, billing_currency, measure, dimension, sum(billed), "
            "sum(attributed + idle + shared + unattributed) from marts.books "
            "group by all order by all"
        ).fetchall()
    found: defaultdict[tuple[str, str, str], dict[str, tuple[Decimal, Decimal]]] = defaultdict(dict)
    for source, currency, measure, dimension, billed, accounted in rows:
        if source in wanted:
            found[source, currency, measure][dimension] = (billed, accounted)
    wrong = 0
    for key in sorted(found.keys() | plain.keys()):
        ours, books = plain.get(key, Decimal(0)), found[key]
        off = sorted(one for one, pair in books.items() if pair != (ours, ours))
        is_wrong = bool(off) or not (books or ours == 0)
        verdict = f"OTHERWISE BY {', '.join(off) or 'any'}" if is_wrong else "as added up plainly"
        out.write(f"books of {visible(key[0])}: {key[2]} {_text((ours, Decimal(0)))} {key[1]}, ")
        out.write(f"{verdict}\n")
        wrong += int(is_wrong)
    return wrong


def _prove(raw: Path, entry: Entry, entered: Sequence[LedgerTotal]) -> _Proof:
    """Add up a delivery's files plainly.

    Raises: ModelError for one that cannot be read.
    """
    sums: defaultdict[tuple[str, str], tuple[Decimal, Decimal]] = defaultdict(lambda: _NOTHING)
    for total in entered:
        amount, beyond = sums[total.billing_currency, total.measure]
        sums[total.billing_currency, total.measure] = (
            _EXACT.add(amount, total.amount),
            _EXACT.add(beyond, total.beyond),
        )
    files = [(raw / file.path, file.name) for file in entry.files]
    plain, lines = plain_totals(_bill_of(entry), files)
    return _Proof(plain, {key: pair for key, pair in sums.items() if any(pair)}, lines)


def _bills_that_count(store: RawStore, sources: Collection[str]) -> list[Entry]:
    counted = store.counted(sources, superseding_tables())
    return [entry for entry in counted if _bill_of(entry) in BILLS]


def _bill_of(entry: Entry) -> str:
    return f"{entry.connector}__{entry.table}"


def _counted(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count:,} {what}s"


def _text(pair: tuple[Decimal, Decimal] | None) -> str:
    """Write an amount whole: what lies beyond twelve places too."""
    amount = _EXACT.add(*(pair or _NOTHING))
    return f"{amount:,f}".rstrip("0").rstrip(".") if amount % 1 else f"{amount:,.0f}"
