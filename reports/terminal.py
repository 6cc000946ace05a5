"""Leaderboards as text: tables with colour on a terminal, columns of a fixed width elsewhere.

Names come from bills and trackers, so characters that do not print are written out.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CENT = Decimal("0.01")
_HEADS = ("", "name", "cost", "share", "change", "GPU hours")
_BAR = 12


@dataclass(frozen=True, slots=True)
class BoardRow:
    """One member of a leaderboard, or several taken together."""

    name: str
    cost: Decimal
    gpu_hours: Decimal
    previous_cost: Decimal | None
    """Of as many days just before; none: there was no cost."""
    is_person_or_thing: bool = True
    """False for what is nobody's, and for the rest taken together."""


@dataclass(frozen=True, slots=True)
class Board:
    """A leaderboard in one currency: its rows add up to the currency's bill."""

    title: str
    billing_currency: str
    rows: Sequence[BoardRow]

    @property
    def total(self) -> Decimal:
        """The sum of all rows."""
        return sum((row.cost for row in self.rows), Decimal(0))


def boards_of(title: str, records: Sequence[Mapping[str, object]], top: int) -> list[Board]:
    """Return a board for each currency of the rows of the cookbook's `leaderboard`.

    Shown are the `top` dearest members; the others are one row, and what is nobody's follows.
    """
    by_currency: dict[str, list[BoardRow]] = {}
    for record in records:
        row = _row_of(record)
        by_currency.setdefault(str(record["billing_currency"]), []).append(row)
    boards = []
    for currency, rows in by_currency.items():
        members = [row for row in rows if row.is_person_or_thing]
        nobodys = [row for row in rows if not row.is_person_or_thing]
        rest = [_together(members[top:])] if members[top:] else []
        boards.append(Board(title, currency, [*members[:top], *rest, *nobodys]))
    return boards


def _row_of(record: Mapping[str, object]) -> BoardRow:
    member = str(record["member"])
    name = str(record.get("member_name") or member)
    previous = record.get("previous_cost")
    is_nobodys = member.startswith(("(", "not a ")) or member == "unattributed"
    is_nobodys = is_nobodys and not member.startswith("(someone")  # people told by their team
    return BoardRow(
        name=_visible(name),
        cost=_decimal(record["effective_cost"]),
        gpu_hours=_decimal(record["gpu_hours"]),
        previous_cost=None if previous is None else _decimal(previous),
        is_person_or_thing=not is_nobodys,
    )


def _decimal(value: object) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(str(value or 0))


def _visible(text: str) -> str:
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def _together(rows: Sequence[BoardRow]) -> BoardRow:
    return BoardRow(
        name=f"{len(rows)} others",
        cost=sum((row.cost for row in rows), Decimal(0)),
        gpu_hours=sum((row.gpu_hours for row in rows), Decimal(0)),
        previous_cost=sum((row.previous_cost or Decimal(0) for row in rows), Decimal(0)),
        is_person_or_thing=False,
    )


def write_boards(boards: Sequence[Board], out: TextIO) -> None:
    """Write leaderboards to a stream, with colour where it is a terminal."""
    for board in boards:
        if out.isatty():
            _write_rich(board, out)
        else:
            out.write("\n" + plain_board(board) + "\n")


def plain_board(board: Board) -> str:
    """Return a leaderboard in columns of a fixed width."""
    cells = [_HEADS, *_cells(board)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(_HEADS))]
    lines = [f"{board.title}, {board.billing_currency}"]
    for row in cells:
        padded = [
            cell.ljust(width) if place == 1 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def _cells(board: Board) -> list[tuple[str, ...]]:
    """Return the rows as texts, with the total at the end."""
    rows: list[tuple[str, ...]] = []
    for number, row in enumerate(board.rows, 1):
        rows.append(
            (
                str(number) if row.is_person_or_thing else "",
                row.name,
                money(row.cost),
                _share(row.cost, board.total),
                _change(row),
                f"{row.gpu_hours:,.0f}" if row.gpu_hours else "",
            )
        )
    rows.append(("", "total", money(board.total), "", "", ""))
    return rows


def _write_rich(board: Board, out: TextIO) -> None:
    from rich.console import Console  # noqa: PLC0415  (slow to import; pipes never need it)
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(
        title=Text(f"{board.title}, {board.billing_currency}", style="bold"),
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    for head in _HEADS:
        table.add_column(head, justify="left" if head == "name" else "right")
    table.add_column()
    cells = _cells(board)
    for row, texts in zip(board.rows, cells, strict=False):
        bar = "█" * _bar_length(row, board)
        style = "" if row.is_person_or_thing else "dim"
        table.add_row(*(Text(text) for text in texts), Text(bar, "cyan"), style=style)
    table.add_row(*(Text(text) for text in cells[-1]), style="bold")
    console = Console(file=out)
    console.print()
    console.print(table)


def _bar_length(row: BoardRow, board: Board) -> int:
    """Return how long a member's bar is; that of the dearest is the longest."""
    most = max((other.cost for other in board.rows if other.is_person_or_thing), default=row.cost)
    if not row.is_person_or_thing or row.cost <= 0 or most <= 0:
        return 0
    return max(int(_BAR * row.cost / most), 1)


def money(amount: Decimal) -> str:
    """Return an amount with two places, for reading; sums are made before."""
    return f"{amount.quantize(_CENT):,f}"


def exact(amount: Decimal) -> str:
    """Return an amount with all its digits, two places at least."""
    whole, _, part = f"{amount:,f}".partition(".")
    return f"{whole}.{part.rstrip('0').ljust(2, '0')}"


def _share(cost: Decimal, total: Decimal) -> str:
    return f"{100 * cost / total:.1f}%" if total else ""


def _change(row: BoardRow) -> str:
    if not row.previous_cost:
        return ""
    change = (100 * (row.cost - row.previous_cost) / abs(row.previous_cost)).quantize(Decimal(1))
    return f"{change:+f}%" if change else "0%"


def proof_lines(records: Sequence[Mapping[str, object]]) -> list[str]:
    """Return the proof that the books close, a line per currency, from rows of `books_proof`."""
    sums: dict[str, dict[str, Decimal]] = {}
    for record in records:
        sums_of = sums.setdefault(str(record["billing_currency"]), {})
        for column in ("billed", "attributed", "idle", "shared", "unattributed", "difference"):
            sums_of[column] = sums_of.get(column, Decimal(0)) + _decimal(record[column])
    return [_proof(currency, row) for currency, row in sorted(sums.items())]


def _proof(currency: str, sums: Mapping[str, Decimal]) -> str:
    parts = ("attributed", "idle", "shared", "unattributed")
    equation = " + ".join(f"{part} {exact(sums[part])}" for part in parts)
    difference = f"{sums['difference'].normalize():f}"
    return f"{currency}: billed {exact(sums['billed'])} = {equation}, difference {difference}"


def invoice_lines(records: Sequence[Mapping[str, object]]) -> list[str]:
    """Return a line for each figure entered that its bill differs from, of rows of `invoices`."""
    lines = []
    for record in records:
        if record["verdict"] not in ("differs", "no bill"):
            continue
        which = record["invoice_id"] or f"{record['billing_period']:%Y-%m}"
        whose = (record["source"], record["provider"], record["billing_account_id"], which)
        amounts = [exact(_decimal(record[column])) for column in ("entered_amount", "difference")]
        bill = (
            "no line of a bill is on it"
            if record["compared_cost"] is None
            else f"its lines are {exact(_decimal(record['compared_cost']))}, off by {amounts[1]}"
        )
        name = _visible(" ".join(str(part) for part in whose if part))
        lines.append(f"invoice {name}: {amounts[0]} {record['billing_currency']} entered, {bill}")
    return list(dict.fromkeys(lines))


def quota_lines(records: Sequence[Mapping[str, object]], top: int) -> list[str]:
    """Return a line for each of the most used quotas, from rows of the cookbook's `quotas`."""
    cells = [_quota_cells(record) for record in records[:top]]
    widths = [max(len(row[place]) for row in cells) for place in range(len(cells[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row[:-1], widths, strict=False))
        )
        + f"  {row[-1]}"
        for row in cells
    ]
    rest = len(records) - top
    return [*lines, f"and {rest} less used"] if rest > 0 else lines


def _quota_cells(record: Mapping[str, object]) -> tuple[str, ...]:
    used, limit = _decimal(record["used_amount"]), _decimal(record["limit_amount"])
    forecast = record["forecast_amount"]
    note = str(record["state"])
    if forecast is not None:
        note += f", {money(_decimal(forecast))} expected by {record['window_end']}"
    name = _visible(f"{record['quota']}: {record['dimension']} {record['member_name']}")
    unit = str(record["billing_currency"] or "GPU hours")
    return (name, money(used), "of", f"{money(limit)} {unit}", _share(used, limit), note)


def stale_lines(records: Sequence[Mapping[str, object]]) -> list[str]:
    """Return a line for each stale table of a source, from rows of the cookbook's `freshness`."""
    return [
        _visible(f"{row['source']} {row['table_name']}: {row['note']}")
        for row in records
        if row["is_stale"]
    ]


def waste_line(records: Sequence[Mapping[str, object]]) -> str:
    """Return what the findings of the cookbook's `waste_by_detector` cost a month in all."""
    totals: dict[str, Decimal] = {}
    for record in records:
        currency = str(record["billing_currency"])
        totals[currency] = totals.get(currency, Decimal(0)) + _decimal(record["monthly_waste"])
    count = sum(int(str(record["finding_count"])) for record in records)
    costs = ", ".join(
        f"{total.quantize(_CENT):,} {currency}" for currency, total in sorted(totals.items())
    )
    return f"{costs} a month in {count} findings" if count else ""
