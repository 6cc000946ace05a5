"""Generations: a database file that readers open, built beside the old one and renamed into place.

A generation is written whole under a temporary name, closed, opened again and verified by a new
process, put onto the disk and only then given its name; the pointer moves last. Readers never see
half a night, and one that holds an older file goes on reading it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from queries import ModelError
from queries.catalog import canonical_comments, macro_files, models
from queries.engines.duckdb import STORAGE_VERSION, Error, literal, name
from queries.generation import file_name
from queries.lake import sync
from queries.manifest import FormatError, Manifest
from queries.privacy.masks import masks
from queries.privacy.people import find_everybody, mart_columns
from queries.privacy.views import OPENNESS, View
from queries.verify import content_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from queries.build import Built
    from queries.engines.duckdb import Connection
    from queries.privacy.masks import Masks

POINTER = "current"


def newest(generations: Path) -> Path | None:
    """Return the published database that the pointer names, none before the first night."""
    pointer = generations / POINTER
    if not pointer.exists():
        return None
    return generations / f"{pointer.read_text(encoding='ascii').strip()}.duckdb"


def newest_manifest(generations: Path) -> Manifest | None:
    """Return the manifest of the published generation; none of one that cannot be built upon."""
    database = newest(generations)
    try:
        return None if database is None else Manifest.read(database.with_suffix(".json"))
    except FormatError:
        return None


def publish(built: Built, generations: Path, views: Sequence[View] = (View(),)) -> Path:
    """Write, verify and name the next generation; return its database.

    The first view is everybody's, each other one has a file of its own beside it, which holds only
    what that audience may see.

    Raises: ModelError where a written file does not hold what was built.
    """
    generations.mkdir(parents=True, exist_ok=True)
    number = _last_number(generations) + 1
    _sweep(generations, number)
    built.manifest.number = number
    built.manifest.views = {view.audience: view.rules for view in views[1:]}
    built.manifest.people = views[0].people
    targets = [generations / file_name(f"{number:06d}", view.audience) for view in views]
    is_open = all(view.is_open for view in views)
    everybody = None if is_open else find_everybody(built.con, mart_columns(built.con))
    for view, target in zip(views, targets, strict=True):
        masked = masks(built.con, view, everybody)
        _write_half(built, masked, target.with_name(f"half-{target.name}"))
    for target in reversed(targets):  # everybody's comes last: with it the generation is there
        _name(target, mode=0o444 if len(views) == 1 else 0o440)
    point_to(generations, targets[0])
    return targets[0]


def _sweep(generations: Path, number: int) -> None:
    """Delete what a killed night left of a generation that never got its name."""
    for left in (*generations.glob("half-*"), *generations.glob(f"{number:06d}.*")):
        left.unlink()


def _write_half(built: Built, masked: Masks, half: Path) -> None:
    """Write a view's database and its manifest under their temporary names, and verify them."""
    built.manifest.tables = _write(built, half, masked)
    manifest = built.manifest
    if masked.view.audience:
        manifest = Manifest(manifest.number, manifest.built_at, tables=manifest.tables)
    note = half.with_suffix(".json")
    note.write_text(manifest.to_json(), encoding="utf-8")
    _verify_in_new_process(half)
    for path in (half, note):
        sync(path)


def _name(target: Path, *, mode: int) -> None:
    half = target.with_name(f"half-{target.name}")
    half.chmod(mode)
    half.with_suffix(".json").replace(target.with_suffix(".json"))
    half.replace(target)
    sync(target.parent)


def point_to(generations: Path, target: Path) -> None:
    """Move the pointer to a generation, in one step."""
    half = generations / f"half-{POINTER}"
    half.write_text(target.stem, encoding="ascii")
    sync(half)
    half.replace(generations / POINTER)
    sync(generations)


def _last_number(generations: Path) -> int:
    return max((int(path.stem) for path in _databases(generations)), default=0)


def _databases(generations: Path) -> list[Path]:
    """Return the generations that have their name, the oldest first, without audiences' files."""
    return sorted(path for path in generations.glob("[0-9]*.duckdb") if path.stem.isdecimal())


def _write(built: Built, path: Path, masked: Masks) -> dict[str, dict[str, str]]:
    """Write what a view shows of every mart; return each table's rows and digest."""
    con, tables = built.con, {}
    con.execute("reset checkpoint_threshold")  # a file is to be whole in itself
    con.execute(f"attach {literal(str(path))} as published (storage_version '{STORAGE_VERSION}')")
    try:
        con.execute("begin")  # one write to the disk, not one for each table and comment
        con.execute("create schema published.marts")
        for model in models():
            if model.layer == "marts":
                table = f"published.{model.name}"
                con.execute(f"create table {table} as {masked.query_of(model)}")
                masked.check(model, table)
                _comment(con, table, model.about, _comments_of(model.name))
                tables[model.name] = {"digest": content_of(con, table)}
        con.execute("use published")
        for file in macro_files():
            con.execute(file.read_text(encoding="utf-8"))
        con.execute("commit")
    except BaseException:
        with suppress(Error):  # one that failed to commit is not open any more
            con.execute("rollback")
        raise
    finally:
        con.execute("use memory")
        con.execute("detach published")
    return tables


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


def _files_to_delete(database: Path, now: Manifest, *, is_kept: bool) -> list[Path]:
    """Return the files of a generation that go: all, or those of audiences that see less by now."""
    folder = database.parent
    try:
        older = Manifest.read(database.with_suffix(".json"))
    except FormatError:  # for all that is known, it shows as much as any ever did
        is_open = is_kept and now.people == OPENNESS[-1]
        return list(folder.glob(f"{database.stem}.*.*" if is_open else f"{database.stem}.*"))
    if not is_kept or OPENNESS.index(older.people) > OPENNESS.index(now.people):
        return list(folder.glob(f"{database.stem}.*"))
    changed = [one for one, rules in older.views.items() if now.views.get(one) != rules]
    return [file for one in changed for file in folder.glob(f"{database.stem}.{one}.*")]


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

    An older one that shows more of people than the newest goes at once.

    Returns the digests of the raw files that kept generations rest on.
    """
    databases = _databases(generations)
    current = newest(generations)
    now = newest_manifest(generations) or Manifest()
    for database in databases:
        is_kept = database == current or database in databases[-max(keep, 1) :]
        for file in _files_to_delete(database, now, is_kept=is_kept):
            file.unlink()
    wanted: set[str] = set()
    raw: set[str] = set()
    for path in generations.glob("[0-9]*.json"):
        try:
            manifest = Manifest.read(path)
        except FormatError:
            continue  # its database is whole in itself; its lake files mean nothing any more
        wanted |= manifest.files()
        raw |= set(manifest.raw)
    for path in lake.rglob("*"):
        if path.is_file() and str(path.relative_to(lake)) not in wanted:
            path.unlink()
    return raw
