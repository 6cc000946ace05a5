"""What sqlglot finds is remembered, and a memory never changes what is found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from queries.catalog import HOME
from queries.parsed import Memory, SyntaxMistakeError, find_query, find_tables

ROOT = Path(__file__).parents[2]
SQL = "select\n    a,  -- what a is\n    b\nfrom staging.runs\n"
PLAN = """
import hashlib, sys
from queries.catalog import canonical_columns, models
told = [(m.name, m.kind, sorted(m.reads), sorted(m.columns.items()), m.key) for m in models()]
print(hashlib.sha256(repr((told, canonical_columns())).encode()).hexdigest())
print("sqlglot" in sys.modules)
"""


def plan(cache: Path, **more: str) -> list[str]:
    """Return a digest of the plan, as a new process makes it, and whether it loaded sqlglot."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment |= {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(cache), **more}
    done = subprocess.run(
        [sys.executable, "-c", PLAN], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_a_remembered_plan_is_the_plan_and_needs_no_sqlglot(tmp_path: Path) -> None:
    read, loaded = plan(tmp_path)
    remembered, loaded_again = plan(tmp_path)

    assert remembered == read
    assert (loaded, loaded_again) == ("True", "False")

    (memory,) = tmp_path.rglob("*.json")
    memory.write_text(memory.read_text(encoding="utf-8")[:1000], encoding="utf-8")
    assert plan(tmp_path) == [read, "True"]
    assert plan(tmp_path) == [read, "False"]


def test_a_place_that_cannot_be_written_costs_time_alone(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")

    assert plan(blocked) == plan(blocked) == plan(tmp_path / "free")


@pytest.fixture
def _writing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


@pytest.mark.usefixtures("_writing")
def test_a_text_is_read_once_and_a_changed_one_again(tmp_path: Path) -> None:
    first = Memory.at(tmp_path / "new" / "memory.json")
    found = first.recall(SQL, find_query)
    first.keep()

    second = Memory.at(first.path)
    assert second.recall(SQL, _never) == found == find_query(SQL)
    changed = SQL.replace("what a is", "what it is not")
    assert second.recall(changed, find_query)["columns"] == {"a": "what it is not"}


@pytest.mark.usefixtures("_writing")
def test_what_is_no_longer_asked_for_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "memory.json"
    for text in (SQL, SQL.replace("staging", "marts")):
        memory = Memory.at(path)
        memory.recall(text, find_query)
        memory.keep()

    assert len(json.loads(path.read_text(encoding="utf-8"))) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_written_where_python_may_write_no_bytecode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    memory = Memory.at(tmp_path / "memory.json")
    memory.recall(SQL, find_query)
    memory.keep()

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[]", b'{"a": 1}', b'{"a": {"reads": 1}}', b'{"a": {"b": {"c": 1}}}'],
)
def test_a_broken_memory_is_forgotten(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "memory.json"
    path.write_bytes(content)

    assert Memory.at(path).before == {}


@pytest.mark.parametrize("sql", ["select from where", "", "select 1; select 2"])
def test_what_is_not_one_select_is_refused(sql: str) -> None:
    with pytest.raises(SyntaxMistakeError):
        find_query(sql)


def test_tables_are_read_without_ctes_and_comments_from_the_first_of_a_union() -> None:
    found = find_query(
        "with own as (select 1 as a from Staging.Runs)\n"
        "select\n    a  -- first\nfrom own\nunion all\nselect\n    a  -- second\nfrom marts.books"
    )

    assert list(found["reads"]) == ["marts.books", "staging.runs"]
    assert found["columns"] == {"a": "first"}


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("select a, sum(b) as b from s.t group by a", {"a"}),
        ("select t.a, b, max(c) as c from s.t group by t.a, b", {"a", "b"}),
        ("select a as x, sum(b) as b from s.t group by a", set()),
        ("select t.a, max(u.a) as b from s.t, s.u group by u.a, t.a", set()),
        ("select a, b from s.t group by a, b + 1", set()),
        ("select a from s.t group by a, b", set()),
        ("select a, unnest(list(b)) as b from s.t group by a", set()),
        ("select a, b from s.t group by all", set()),
        ("select a, sum(b) as b from s.t group by rollup (a)", set()),
        ("select a from s.t group by a union all select a from s.t", set()),
        ("select a, b from s.t", set()),
        ("select distinct a, b + 1 as c from s.t", {"a", "c"}),
        ("select distinct a, unnest(b) as c from s.t", {"a", "c"}),
        ("select distinct on (a) a, b from s.t", set()),
        ("select distinct * from s.t", set()),
        ("select distinct t.a, u.a from s.t, s.u", set()),
        ("select a, b from s.t union select c, d from s.t", {"a", "b"}),
        ("select a from s.t union all select a from s.t union select b from s.t", {"a"}),
        ("select a from s.t union select b from s.t union all select a from s.t", set()),
        ("select a from s.t union by name select b from s.t", set()),
        ("select row_number() over () as n, a from s.t", {"n"}),
        ("select cast(row_number() over (order by a) as integer) as n from s.t", {"n"}),
        ("select cast(row_number() over () as double) as n from s.t", set()),
        ("select try_cast(row_number() over () as tinyint) as n from s.t", set()),
        ("select row_number() over () + 1 as n from s.t", set()),
        ("select row_number() over (partition by a) as n from s.t", set()),
        ("select row_number() over w as n from s.t window w as (partition by a)", set()),
        ("select rank() over (order by a) as n from s.t", set()),
        ("select row_number() over () as n, unnest(a) as b from s.t", set()),
    ],
)
def test_the_columns_that_the_sql_makes_unique_are_read(sql: str, columns: set[str]) -> None:
    assert set(find_query(sql)["unique"]) == columns


def test_the_canonical_tables_are_read_with_their_types() -> None:
    text = (HOME / "staging" / "contracts.sql").read_text(encoding="utf-8")

    assert find_tables(text)["cost_lines"]["billed_cost"] == "DECIMAL(38, 12)"


def _never(sql: str) -> dict[str, dict[str, str]]:
    raise AssertionError(sql)


_never.__name__ = find_query.__name__
