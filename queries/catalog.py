"""The SQL models: their headers, what they read, and the order to run them in.

A model is one file, `queries/<layer>/<name>.sql`, and builds `<layer>.<name>`. What it reads is
taken from its SQL, what it promises from its header; nothing is declared twice.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from queries import ModelError
from queries.detecting import FOUND, LAYER, union_of
from queries.parsed import SyntaxMistakeError, memory, query_of, tables_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

Kind = Literal["full", "hashed", "step", "partition", "beside", "kept", "inline"]
"""full: a table over all there is; hashed: one that is compared by day; step: a table of the days
being attributed; partition: kept in the lake by day; beside: computed from each lake file of one
canonical table alone, and kept beside it; kept: each of the recent days, computed from what is
staged of it alone, and kept; inline: a view, computed where it is read."""
LAYERS = ("staging", "attribution", "marts", LAYER)
DAY = "charge_date"
RECENT_DAYS = "attribution.recent_days"
"""The model that lists the days for which others are kept."""
LINES = "cost_lines"
"""The canonical table of bill lines."""
ROW = "x_row"
"""A line's place in its file."""
TAGS = "x_tags"
"""A line's tags as its file has them: dear to make a map of, and as good to tell lines apart."""
SEEN_BESIDE: Mapping[str, str] = {ROW: "bigint", TAGS: "varchar"}
"""Columns of lines that only the models beside them see."""
HOME = Path(__file__).parent

_HEADER_LINE = re.compile(r"^(\w+):\s*(.*)$")
_CONSERVES = re.compile(r"^(?P<columns>[\w, ]+) of (?P<table>[\w.]+) by (?P<keys>[\w, ]+)$")
_PARAM = re.compile(r"^(?P<name>\w+)\s*=\s*(?P<default>.+?)\s+--\s+(?P<meaning>.+)$")
_PROMISES = (
    "grain",
    "key",
    "partition",
    "step",
    "hashed",
    "beside",
    "kept",
    "inline",
    "conserves",
    "words",
    "fresh",
    "dated",
    "reaches",
    "reached",
)
_HEADER_WORDS = frozenset((*_PROMISES, "feeds", "param", "fix", "counted", "owner"))


@dataclass(frozen=True, slots=True)
class Conserves:
    """A promise: the sums of `columns` equal those in `table`, for each value of `keys`."""

    columns: tuple[str, ...]
    table: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Param:
    """A number or word that the config file may set; `$name` in the SQL."""

    name: str
    default: str
    """As SQL: `0.05`, `'separate'`."""
    meaning: str


@dataclass(frozen=True, slots=True)
class Model:
    """One SQL file with its header read."""

    name: str
    sql: str
    about: str
    """The first sentence of the header."""
    kind: Kind
    reads: frozenset[str]
    """Tables read, as `schema.name`."""
    columns: Mapping[str, str]
    """Column -> its comment, for the columns that have one."""
    ways: frozenset[frozenset[str]] = frozenset([frozenset()])
    """Sets of tables; it has rows only where every table of one of the sets has some."""
    unique: frozenset[str] = frozenset()
    """Columns that no two of its rows have alike, as its SQL shows; none where unknown."""
    key: tuple[str, ...] = ()
    conserves: tuple[Conserves, ...] = ()
    words: tuple[str, ...] = ()
    """Steps: columns whose texts are known by their place in a list (`queries/words.py`)."""
    feeds: str | None = None
    beside: str | None = None
    """The canonical table beside whose files it is kept."""
    dated: tuple[str, ...] = ()
    """Bills: raw columns, the first filled of which tells the day of all rows made of a line."""
    reaches: str = ""
    """Bills that are dated: which raw lines rows of other days depend on."""
    reached: str = ""
    """What of these lines they depend on."""
    params: tuple[Param, ...] = ()
    owner: str = ""
    fix: str = ""
    """Detectors: what is to be done about a finding."""
    is_counted: bool = True
    """Detectors: whether findings count in totals, or are reported only."""

    @property
    def layer(self) -> str:
        """The folder, which is the schema."""
        return self.name.partition(".")[0]

    @property
    def rests_on(self) -> frozenset[str]:
        """The tables that it reads or is held against."""
        return self.reads | {promise.table for promise in self.conserves}

    @property
    def fingerprint(self) -> str:
        """A digest of the SQL as it stands."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


@dataclass(slots=True)
class _Header:
    prose: list[str] = field(default_factory=list)
    lines: dict[str, list[str]] = field(default_factory=dict)

    def one(self, word: str) -> str | None:
        values = self.lines.get(word)
        return values[0] if values else None

    def names(self, word: str) -> tuple[str, ...]:
        value = self.one(word)
        return tuple(name.strip() for name in value.split(",")) if value else ()


@cache
def models() -> tuple[Model, ...]:
    """Return every model, each after what it reads."""
    found = [
        read_model(path)
        for layer in LAYERS
        for path in sorted((HOME / layer).glob("*.sql"))
        if path.name != "contracts.sql" and not path.name.endswith(".macro.sql")
    ]
    ordered = in_order([*found, union_model(found)])
    memory().keep()
    return ordered


def union_model(found: Iterable[Model]) -> Model:
    """Return the model of all findings, which is generated: a new detector is in it."""
    detectors = [model for model in found if model.layer == LAYER]
    parts = [(model.name.partition(".")[2], model.fix, model.is_counted) for model in detectors]
    return Model(
        name=FOUND,
        sql=union_of(parts),
        about="One row is about a finding of a detector.",
        kind="full",
        reads=frozenset(model.name for model in detectors),
        columns={},
        ways=frozenset(frozenset([model.name]) for model in detectors),
    )


@cache
def shared_macros() -> str:
    """Return the statements that create every model's macros, each after those that it uses."""
    files = sorted((HOME / "macros").glob("*.sql"))
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


@cache
def macro_files() -> tuple[Path, ...]:
    """Return the files of statements that readers' macros are made of."""
    return tuple(sorted((HOME / "marts").glob("*.macro.sql")))


def read_model(path: Path) -> Model:
    """Read one model file.

    Raises: ModelError where its header or its SQL cannot be read.
    """
    sql = path.read_text(encoding="utf-8")
    name = f"{path.parent.name}.{path.stem}"
    header = read_header(sql, where=str(path))
    try:
        query = query_of(sql)
    except SyntaxMistakeError as error:
        raise ModelError(
            f"{name} is not SQL that sqlglot reads: {error}", where=str(path), fix="mend the SQL"
        ) from error
    return Model(
        name=name,
        sql=sql,
        about=" ".join(header.prose).split(". ")[0].rstrip(".") + ".",
        kind=_kind(header, path),
        reads=query.reads,
        columns=query.columns,
        ways=query.ways,
        unique=query.unique,
        key=header.names("key"),
        conserves=tuple(_conserves(text, path) for text in header.lines.get("conserves", ())),
        words=tuple(word for text in header.lines.get("words", ()) for word in _names(text)),
        feeds=header.one("feeds"),
        beside=header.one("beside"),
        dated=header.names("dated"),
        reaches=header.one("reaches") or "",
        reached=header.one("reached") or "",
        params=tuple(_param(text, path) for text in header.lines.get("param", ())),
        owner=header.one("owner") or "",
        fix=_fix(header, path),
        is_counted=header.one("counted") != "no",
    )


def _fix(header: _Header, path: Path) -> str:
    fix = header.one("fix") or ""
    if path.parent.name == LAYER and not fix:
        raise ModelError(
            "a detector says what is to be done about what it finds",
            where=str(path),
            fix="add a line `fix: ...` to its header",
        )
    return fix


def read_header(sql: str, *, where: str) -> _Header:
    """Read the comment block a model opens with: prose first, then `word: value` lines.

    What follows such a line and is further in goes on with it.
    """
    header = _Header()
    values: list[str] = []
    in_prose = True
    for line in sql.splitlines():
        if not line.startswith("--"):
            break
        text = line[2:].strip()
        match = _HEADER_LINE.match(text)
        if match and match[1] in _HEADER_WORDS:
            values = header.lines.setdefault(match[1], [])
            values.append(match[2].strip())
            continue
        if values and line.startswith("--  "):
            values[-1] += f" {text}"
            continue
        in_prose = in_prose and bool(text)
        if in_prose:
            header.prose.append(text)
    if not header.prose:
        raise ModelError(
            "a model begins with a comment that says what a row is",
            where=where,
            fix="add the header that .github/CONTRIBUTING.md shows",
        )
    return header


def _kind(header: _Header, path: Path) -> Kind:
    words: dict[Kind, Collection[str]] = {
        "partition": (DAY,),
        "step": (DAY,),
        "hashed": (DAY,),
        "beside": [table.removeprefix("staging.") for table in canonical_columns()],
        "kept": (RECENT_DAYS,),
        "inline": ("yes",),
    }
    given: list[Kind] = [word for word in words if word in header.lines]
    wrong = [word for word in given if header.one(word) not in words[word]]
    if len(given) > 1 or wrong:
        raise ModelError(
            f"a model has at most one of partition, step, hashed: {DAY}, "
            f"beside: a canonical table, kept: {RECENT_DAYS}, or inline: yes",
            where=str(path),
            fix="keep one of the lines",
        )
    return given[0] if given else "full"


def _conserves(text: str, path: Path) -> Conserves:
    match = _CONSERVES.match(text)
    if match is None:
        raise ModelError(
            f"the line `conserves: {text}` is not `<columns> of <table> by <columns>`",
            where=str(path),
            fix="write it so",
        )
    return Conserves(_names(match["columns"]), match["table"], _names(match["keys"]))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


def _param(text: str, path: Path) -> Param:
    match = _PARAM.match(text)
    if match is None:
        raise ModelError(
            f"the line `param: {text}` is not `<name> = <default>  -- <meaning>`",
            where=str(path),
            fix="write it so",
        )
    return Param(match["name"], match["default"], match["meaning"])


def in_order(found: Iterable[Model]) -> tuple[Model, ...]:
    """Sort models so that each comes after what it reads or is held against; ties by name.

    Raises: ModelError where a model reads what nothing builds.
    """
    by_name = {model.name: model for model in found}
    feeders: dict[str, set[str]] = {table: set() for table in canonical_columns()}
    for model in by_name.values():
        if model.feeds is not None:
            feeders.setdefault(f"staging.{model.feeds}", set()).add(model.name)
    graph: dict[str, set[str]] = {}
    for model in by_name.values():
        needs: set[str] = set()
        for table in model.rests_on:
            needs |= _needs(table, model, by_name, feeders)
        graph[model.name] = needs
    order = TopologicalSorter({name: sorted(needs) for name, needs in sorted(graph.items())})
    return tuple(by_name[name] for name in order.static_order())


def _needs(
    table: str, model: Model, by_name: Mapping[str, Model], feeders: Mapping[str, set[str]]
) -> set[str]:
    if table.partition(".")[0] in ("raw", "seeds"):
        return set()
    if table in feeders:
        return feeders[table]
    if table in by_name:
        return {table}
    raise ModelError(
        f"{model.name} reads {table}, which no model builds",
        where=f"queries/{model.name.replace('.', '/')}.sql",
        fix="mend the name, or add the model",
    )


@cache
def canonical_columns() -> Mapping[str, Mapping[str, str]]:
    """Return the canonical tables of contracts.sql: name -> column -> type, as written."""
    text = (HOME / "staging" / "contracts.sql").read_text(encoding="utf-8")
    return {f"staging.{table}": columns for table, columns in tables_of(text).items()}


@cache
def canonical_comments() -> Mapping[str, Mapping[str, str]]:
    """Return the comments of contracts.sql: table -> column -> comment."""
    text = (HOME / "staging" / "contracts.sql").read_text(encoding="utf-8")
    comments: dict[str, dict[str, str]] = {}
    table = ""
    for line in text.splitlines():
        opened = re.match(r"create table (\w+)", line)
        column = re.match(r"\s+(\w+) .*?--\s*(.+)$", line)
        if opened:
            table = f"staging.{opened[1]}"
        elif column and table:
            comments.setdefault(table, {})[column[1]] = column[2]
    return comments


def feeders_of(table: str, among: Sequence[Model]) -> tuple[Model, ...]:
    """Return the staging models that feed a canonical table `staging.<name>`."""
    return tuple(model for model in among if f"staging.{model.feeds}" == table)


@cache
def code_fingerprint() -> str:
    """Return a digest of everything in this package that can change a figure."""
    digest = hashlib.sha256()
    for path in sorted(HOME.rglob("*")):
        if path.suffix in (".sql", ".csv", ".py") and "cookbook" not in path.parts:
            digest.update(str(path.relative_to(HOME)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
