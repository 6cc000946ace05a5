"""Leaderboards in a terminal add up to the bill, and show what a bill's author wrote, not do it."""

from __future__ import annotations

import io
from decimal import Decimal

from reports.terminal import boards_of, exact, plain_board, proof_lines, write_boards


def record(member: str, cost: str, **others: object) -> dict[str, object]:
    """Return a row of the cookbook's leaderboard."""
    row: dict[str, object] = {
        "billing_currency": "USD",
        "member": member,
        "member_name": member,
        "effective_cost": Decimal(cost),
        "gpu_hours": Decimal(3),
        "previous_cost": None,
    }
    return row | others


def test_a_board_shows_the_dearest_the_rest_and_what_is_nobodys() -> None:
    rows = [
        record("ada", "1234567.891", previous_cost=Decimal(1000000)),
        record("(idle)", "500"),
        record("bob", "20"),
        record("cy", "10"),
        record("unattributed", "0.109", gpu_hours=Decimal(0)),
    ]
    (board,) = boards_of("Users", rows, top=1)
    assert board.total == Decimal("1235098.000")
    assert plain_board(board) == (
        "Users, USD\n"
        "   name                  cost   share  change  GPU hours\n"
        "1  ada           1,234,567.89  100.0%    +23%          3\n"
        "   2 others             30.00    0.0%                  6\n"
        "   (idle)              500.00    0.0%                  3\n"
        "   unattributed          0.11    0.0%\n"
        "   total         1,235,098.00"
    )


def test_a_change_is_told_by_its_direction() -> None:
    rows = [
        record("less", "90", previous_cost=Decimal(100)),
        record("same", "100.001", previous_cost=Decimal(100)),
        record("(credit)", "-150", previous_cost=Decimal(-100)),
        record("new", "1", previous_cost=Decimal(0)),
    ]
    (board,) = boards_of("Users", rows, top=10)
    changes = [line.split()[-2] for line in plain_board(board).splitlines()[2:6]]
    assert changes[:2] == ["-10%", "0%"]
    assert "-50%" in plain_board(board)


def test_a_terminal_gets_bars_and_a_pipe_does_not() -> None:
    board = boards_of("Users", [record("ada", "2"), record("bob", "1")], top=10)
    terminal, pipe = Terminal(), io.StringIO()
    write_boards(board, terminal)
    write_boards(board, pipe)
    assert "████████████" in terminal.getvalue()
    assert "█" not in pipe.getvalue()


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_currencies_have_boards_of_their_own() -> None:
    rows = [record("ada", "1"), record("ada", "2", billing_currency="EUR")]
    boards = boards_of("Users", rows, top=10)
    assert [(board.billing_currency, str(board.total)) for board in boards] == [
        ("USD", "1"),
        ("EUR", "2"),
    ]


def test_a_name_cannot_steer_the_terminal() -> None:
    out = io.StringIO()
    write_boards(boards_of("Users", [record("\x1b[2Jada\n\u202e[red]x", "1")], top=10), out)
    assert "\x1b" not in out.getvalue()
    assert "\u202e" not in out.getvalue()
    assert "[red]x" in out.getvalue()


def test_the_proof_adds_up_per_currency_to_the_last_digit() -> None:
    rows: list[dict[str, object]] = [
        {
            "billing_currency": "USD",
            "billed": Decimal(billed),
            "attributed": Decimal(billed) - Decimal("0.000000000001"),
            "idle": Decimal("0.000000000001"),
            "shared": Decimal(0),
            "unattributed": Decimal(0),
            "difference": Decimal("0E-12"),
        }
        for billed in ("1000.5", "2")
    ]
    assert proof_lines(rows) == [
        (
            "USD: billed 1,002.50 = attributed 1,002.499999999998 + idle 0.000000000002"
            " + shared 0.00 + unattributed 0.00, difference 0"
        )
    ]


def test_exact_amounts_keep_every_digit() -> None:
    assert exact(Decimal("-1234.000000000001")) == "-1,234.000000000001"
    assert exact(Decimal("0E-12")) == "0.00"
