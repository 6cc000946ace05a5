"""Generations: a database file that readers open, built beside the old one and renamed into place.

A generation is written whole under a temporary name, closed, opened again and verified by a new
process, put onto the disk and only then given its name; the pointer moves last. Readers never see
half a night, and one that holds an older file goes on reading it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from queries import ModelError
from queries.catalog import canonical_comments, macro_files, models
from queries.engines.duckdb import STORAGE_VERSION, literal, name
from queries.lake import sync
from queries.manifest import Manifest

if TYPE_CHECKING:
    from queries.build import Built
    from queries.engines.duckdb import Connection

POINTER = "current"


def newest(generations: Path) -> Path | None:
    """Return the published database that the pointer names, none before the first night."""
    pointer = generations / POINTER
    if not pointer.exists():
        return None
    return generations / f"{pointer.read_text(encoding='ascii').strip()}.duckdb"


def newest_manifest(generations: Path) -> Manifest | None:
    """Return the manifest of the published generation."""
    database = newest(generations)
    return None if database is None else Manifest.read(database.with_suffix(".json"))


def publish(built: Built, generations: Path) -> Path:
    """Write, verify and name the next generation; return its database.

    Raises: ModelError where the written file does not hold what was built.
    """
    generations.mkdir(parents=True, exist_ok=True)
    for half in generations.glob("half-*"):
        half.unlink()
    number = _last_number(generations) + 1
    half = generations / f"half-{number:06d}.duckdb"
    _write(built, half)
    built.manifest.number = number
    note = half.with_suffix(".json")
    note.write_text(built.manifest.to_json(), encoding="utf-8")
    _verify_in_new_process(half)
    target = generations / f"{number:06d}.duckdb"
    for path in (half, note):
        sync(path)
    note.replace(target.with_suffix(".json"))
    half.replace(target)
    target.chmod(0o444)
    sync(generations)
    point_to(generations, target)
    return target


def point_to(generations: Path, target: Path) -> None:
    """Move the pointer to a generation, in one step."""
    half = generations / f"half-{POINTER}"
    half.write_text(target.stem, encoding="ascii")
    sync(half)
    half.replace(generations / POINTER)
    sync(generations)


def _last_number(generations: Path) -> int:
    return max((int(path.stem) for path in generations.glob("[0-9]*.duckdb")), default=0)


def _write(built: Built, path: Path) -> None:
    con = built.con
    con.execute(f"attach {literal(str(path))} as published (storage_version '{STORAGE_VERSION}')")
    try:
        con.execute("create schema published.marts")
        for model in models():
            if model.layer == "marts":
                table = f"published.{model.name}"
                con.execute(f"create table {table} as select * from {model.name}")
                _comment(con, table, model.about, _comments_of(model.name))
                built.manifest.tables[model.name] = {
                    "digest": content_of(con, table),
                }
        con.execute("use published")
        for file in macro_files():
            con.execute(file.read_text(encoding="utf-8"))
    finally:
        con.execute("use memory")
        con.execute("detach published")


def _comments_of(mart: str) -> dict[str, str]:
    """Return column comments, a mart's own first, else those of the column's first use."""
    known: dict[str, str] = {}
    for comments in canonical_comments().values():
        known = dict(comments) | known
    for model in models():
        known |= model.columns
    own = next((model.columns for model in models() if model.name == mart), {})
    return known | dict(own)


def _comment(con: Connection, table: str, about: str, comments: dict[str, str]) -> None:
    con.execute(f"comment on table {table} is {literal(about)}")
    for row in con.execute(f"describe {table}").fetchall():
        if row[0] in comments:
            target = f"{table}.{name(row[0])}"
            con.execute(f"comment on column {target} is {literal(comments[row[0]])}")


def content_of(con: Connection, table: str) -> str:
    """Return rows and digest of a table, whatever the order of its rows."""
    row = con.execute(
        f"select count(*), bit_xor(hash(line)), sum(cast(hash(line) as hugeint)) "
        f"from {table} as line"
    ).fetchone()
    return "-".join(str(value) for value in row or ())


def _verify_in_new_process(database: Path) -> None:
    """Open the file as a reader will, and compare every table with what was built."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(  # noqa: S603 - our own module, our own file
        [sys.executable, "-m", "queries.verify", str(database)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise ModelError(
            f"the new generation does not verify: {lines[-1] if lines else 'no word'}",
            where=str(database),
            fix="check the disk; the last good generation stays in force",
        )


def collect(generations: Path, lake: Path, *, keep: int) -> set[str]:
    """Delete generations beyond the newest `keep`, and lake files that no kept one names.

    Returns the digests of the raw files that kept generations rest on.
    """
    databases = sorted(generations.glob("[0-9]*.duckdb"))
    current = newest(generations)
    for database in databases[: -max(keep, 1)]:
        if database != current:
            database.unlink()
            database.with_suffix(".json").unlink(missing_ok=True)
    wanted: set[str] = set()
    raw: set[str] = set()
    for path in generations.glob("[0-9]*.json"):
        manifest = Manifest.read(path)
        wanted |= manifest.files()
        raw |= set(manifest.raw)
    for path in lake.rglob("*"):
        if path.is_file() and str(path.relative_to(lake)) not in wanted:
            path.unlink()
    return raw
