"""Generations: a database file that readers open, built beside the old one and renamed into place.

A generation is written whole under a temporary name, closed, opened again and verified by a new
process, put onto the disk and only then given its name; the pointer moves last. Readers never see
half a night, and one that holds an older file goes on reading it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from queries import ModelError
from queries.generation import file_name
from queries.lake import sync
from queries.manifest import FormatError, Manifest
from queries.marts_file import write_marts
from queries.privacy.masks import masks
from queries.privacy.people import find_everybody, mart_columns
from queries.privacy.views import OPENNESS, View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from queries.build import Built
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
    with _verifying() as verify:
        for view, target in zip(views, targets, strict=True):
            masked = masks(built.con, view, everybody)
            verify(_write_half(built, masked, target.with_name(f"half-{target.name}")))
    for target in reversed(targets):  # everybody's comes last: with it the generation is there
        _name(target, mode=0o444 if len(views) == 1 else 0o440)
    point_to(generations, targets[0])
    return targets[0]


def _sweep(generations: Path, number: int) -> None:
    """Delete what a killed night left of a generation that never got its name."""
    for left in (*generations.glob("half-*"), *generations.glob(f"{number:06d}.*")):
        left.unlink()


def _write_half(built: Built, masked: Masks, half: Path) -> Path:
    """Write a view's database and its manifest under their temporary names; return the former."""
    built.manifest.tables = write_marts(built.con, half, masked)
    manifest = built.manifest
    if masked.view.audience:
        manifest = Manifest(manifest.number, manifest.built_at, tables=manifest.tables)
    note = half.with_suffix(".json")
    note.write_text(manifest.to_json(), encoding="utf-8")
    for path in (half, note):
        sync(path)
    return half


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


@contextmanager
def _verifying() -> Iterator[Callable[[Path], None]]:
    """Yield what has a new process open a file as a reader will, and compare every table.

    It starts while the first file is still written, and has looked at all of them when this ends.
    Raises: ModelError where a file does not hold what was built.
    """
    verifier = subprocess.Popen(
        [sys.executable, "-m", "queries.verify"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )

    def verify(database: Path) -> None:
        with suppress(BrokenPipeError):  # it has found a fault, and ended
            print(database, file=verifier.stdin, flush=True)

    with verifier:
        try:
            yield verify
        except BaseException:
            verifier.kill()
            raise
        _, told = verifier.communicate()
    if verifier.returncode != 0:
        lines = told.strip().splitlines()
        raise ModelError(
            f"the new generation does not verify: {lines[-1] if lines else 'no word'}",
            where="a process of its own that opened what was written",
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
