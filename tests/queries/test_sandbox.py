"""An analyst's SQL gets an answer from the generation, and nothing else."""

from __future__ import annotations

import csv
import io
import json
import resource
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from decimal import Decimal
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb  # noqa: TID251 - tries the engine's own walls
import pytest

from queries.named import cookbook
from queries.sandbox import CUT, DONE, MISUSE, SqlLimits, run_sql
from queries.sandbox_child import _open

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from queries.named import Value
    from queries.sandbox import Format

LIMITS = SqlLimits(seconds=10, memory_mib=256)
ESCAPES = [
    tuple(line.split("\t", 1))
    for line in Path(__file__).with_name("escapes.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]


def ask(
    generation: Path,
    sql: str,
    format_: Format = "json",
    limits: SqlLimits = LIMITS,
    params: Mapping[str, Value] | None = None,
) -> tuple[int, str, str]:
    """Return the exit code, the answer and the remarks."""
    out, err = io.BytesIO(), io.BytesIO()
    code = run_sql(generation, sql, format=format_, params=params, limits=limits, out=out, err=err)
    return code, out.getvalue().decode(), err.getvalue().decode()


def ask_and_weigh(generation: Path, sql: str, limits: SqlLimits) -> tuple[int, str, int]:
    """Return the exit code, the remarks and the most KiB that any child of this process had."""
    code, _, err = ask(generation, sql, limits=limits)
    return code, err, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


@pytest.fixture
def untouched(generation: Path) -> Iterator[Path]:
    """The generation, which must be the same afterwards, alone in its folder."""
    before = sha256(generation.read_bytes()).hexdigest()
    beside = sorted(generation.parent.iterdir())
    yield generation
    assert sha256(generation.read_bytes()).hexdigest() == before
    assert sorted(generation.parent.iterdir()) == beside


def test_a_select_is_answered_with_exact_money(generation: Path) -> None:
    code, out, err = ask(
        generation,
        "select sum(effective_cost) as cost from marts.spend_daily where member = '(tax)'",
    )

    assert (code, err) == (DONE, "")
    rows = json.loads(out, parse_float=Decimal)
    assert rows[0]["cost"] == Decimal("1904.117003") * 3 * 5


def test_who_asks_for_a_file_is_told_that_files_are_shut_off(generation: Path) -> None:
    code, _, err = ask(generation, "select * from read_csv('/etc/hostname')")
    assert code == MISUSE
    assert "fix: ask the marts alone: files and networks are shut off" in err


def test_no_wall_is_missing_where_this_runs(generation: Path) -> None:
    """CI has Landlock, seccomp and namespaces; a note would say that one has come down."""
    assert ask(generation, "select 1") == (DONE, '[\n{"1": 1}\n]\n', "")


@pytest.mark.parametrize(("aim", "sql"), ESCAPES, ids=[sql[:70] for _, sql in ESCAPES])
def test_what_is_not_one_select_of_the_marts_is_refused(
    untouched: Path, aim: str, sql: str
) -> None:
    code, out, err = ask(untouched, sql.format(db=untouched, dir=untouched.parent))

    assert code in (CUT, MISUSE), aim
    assert out == ""
    assert err.startswith("error: ")


@pytest.mark.parametrize(
    "sql",
    [sql for aim, sql in ESCAPES if aim in ("write", "read", "reach", "set")],
    ids=lambda sql: sql[:70],
)
def test_the_engine_alone_refuses_it_too(untouched: Path, sql: str) -> None:
    """Without the gate, without the operating system: the second wall must hold by itself."""
    request = {"generation": str(untouched), "memory_mib": 256, "threads": 1, "seconds": 10}
    con = _open(request)
    try:
        with pytest.raises((duckdb.Error, RuntimeError, ValueError)):
            con.execute(sql.format(db=untouched, dir=untouched.parent)).fetchall()
    finally:
        con.close()


def test_there_are_enough_escapes_to_call_it_tried() -> None:
    assert len(ESCAPES) >= 100
    assert len({sql for _, sql in ESCAPES}) == len(ESCAPES)


@pytest.mark.parametrize(
    "sql",
    [
        "select sum(a.range * b.range) from range(10000000) a, range(10000000) b",
        "with recursive r(n) as (select 1 union all select n + 1 from r) select max(n) from r",
        "select levenshtein(repeat('ab', 60000), repeat('ba', 60000))",
        "select list_distinct(range(200000000))",
        "select count(*) from (select unnest(range(1000000000)) as n order by n)",
        "select sum(length(lpad('', 40000000, range::varchar))) from range(100000)",
        "select sum(hash(md5(range::varchar))) from range(100000000000)",
        "select sleep_ms(60000)",
    ],
)
def test_a_hog_is_stopped_at_its_deadline(untouched: Path, sql: str) -> None:
    limits = SqlLimits(seconds=1, memory_mib=256)
    started = time.monotonic()

    code, out, err = ask(untouched, sql, limits=limits)

    assert time.monotonic() - started < limits.seconds + 4
    assert code == CUT, out
    assert err.startswith("error: ")


@pytest.mark.parametrize(
    "sql",
    [
        "select length(repeat('x', 3000000000))",
        "select length(lpad('', 3000000000, 'x'))",
        "select length(format('{:>2000000000}', 'x'))",
        "select length(printf('%2000000000d', 1))",
        "select length(string_agg(repeat('x', 1000000), '')) from range(4000)",
        "select len(list(range)) from range(2000000000)",
        "select len(range(1000000000))",
        "select count(distinct range) from range(400000000)",
        "select " + " and ".join(["(1 = 1)"] * 2_400),
    ],
    ids=lambda sql: sql[:60],
)
def test_a_memory_bomb_stays_within_its_address_space(untouched: Path, sql: str) -> None:
    limits = SqlLimits(seconds=3, memory_mib=256)

    # a process of its own: here the largest child is whichever server another test has run
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        code, err, most_kib = fresh.submit(ask_and_weigh, untouched, sql, limits).result()

    assert code in (CUT, MISUSE) or not err
    assert most_kib < (limits.memory_mib + 512) * 1024


def test_deep_nesting_is_refused_and_does_not_crash(untouched: Path) -> None:
    for sql in (
        "(" * 20_000,
        "select " + "(" * 9_000 + "1" + ")" * 9_000,
        "select " + "-" * 30_000,
    ):
        code, out, err = ask(untouched, sql)
        assert code != DONE, sql[:20]
        assert out == ""
        assert err


def test_rows_beyond_the_cap_are_cut_and_it_says_so(generation: Path) -> None:
    code, out, err = ask(
        generation, "select range from range(1000)", limits=SqlLimits(seconds=10, rows=10)
    )

    assert code == CUT
    assert len(json.loads(out)) == 10
    assert "cut at 10 rows" in err


def test_bytes_beyond_the_cap_are_cut_and_it_says_so(generation: Path) -> None:
    limits = SqlLimits(seconds=10, rows=10_000_000, output_mib=1)

    code, out, err = ask(generation, "select repeat('x', 100) from range(1000000)", limits=limits)

    assert code == CUT
    assert len(out) <= 1 << 20
    assert "cap on its size" in err


def test_a_query_longer_than_64_kib_is_refused_before_anything_starts(generation: Path) -> None:
    code, _, err = ask(generation, f"select '{'x' * 65_536}'")

    assert code == MISUSE
    assert "longer than 64 KiB" in err


def test_neither_environment_nor_open_files_reach_the_query(
    generation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "canary-5f1c")

    code, out, _ = ask(
        generation, "select * from duckdb_settings() union all select *, '' from duckdb_variables()"
    )

    assert "canary" not in out
    assert code in (DONE, MISUSE)


def test_a_cell_that_a_spreadsheet_would_run_begins_with_an_apostrophe(generation: Path) -> None:
    starts = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\u00a0=1", "\n=1", "\uff1d1"]
    texts = ", ".join(f"({number}, $t{number})" for number in range(len(starts)))
    params = {f"t{number}": text for number, text in enumerate(starts)}

    code, out, _ = ask(
        generation,
        f'select cell as "=cell" from (values {texts}) as v(number, cell)',
        "csv",
        params=params,
    )

    rows = list(csv.reader(io.StringIO(out, newline="")))
    assert code == DONE
    assert [row[0] for row in rows] == ["'=cell", *(f"'{text}" for text in starts)]


def test_a_number_below_zero_stays_a_number_in_csv(generation: Path) -> None:
    _, out, _ = ask(generation, "select -1.5::decimal(38, 12) as cost, -2 as n", "csv")

    assert out == "cost,n\r\n-1.500000000000,-2\r\n"


def test_control_characters_do_not_reach_the_terminal(generation: Path) -> None:
    _, out, _ = ask(
        generation, "select $name as name", "table", params={"name": "a\x1b[2Jb\u202ec"}
    )

    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "a\\x1b[2Jb\\u202ec" in out


def test_a_table_aligns_money_at_the_point(generation: Path) -> None:
    _, out, _ = ask(
        generation,
        "select team, cost::decimal(38, 12) as cost "
        "from (values ('a', 1200.5), ('b', 3.123456)) as v(team, cost)",
        "table",
    )

    assert out.splitlines() == [
        "team         cost",
        "────  ───────────",
        "a     1200.500000",
        "b        3.123456",
    ]


@pytest.mark.parametrize("name", sorted(cookbook()))
def test_every_query_of_the_cookbook_runs_in_the_sandbox(generation: Path, name: str) -> None:
    query = cookbook()[name]

    code, out, err = ask(generation, query.sql, params=query.bind({}))

    assert (code, err) == (DONE, "")
    assert json.loads(out)


def test_many_questions_at_once_each_get_their_own_answer(generation: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: ask(generation, f"select {n} as n"), range(12)))

    assert [json.loads(out)[0]["n"] for _, out, _ in answers] == list(range(12))
