"""What inventories of clouds have in common: answers kept as they were given, asked for or saved.

A delivery is a day; a row is a page of an answer, or a refusal. What was refused is unknown, never
empty. What machines run when they start is left out, because people write passwords into it. The
version is a digest of the answers, whenever they were given.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from connectors.base import Delivery, SourceError, Table
from connectors.local import FrameFile, written_at

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from connectors.base import ColumnType

NOT_SAVED: Final = "NotSaved"
"""The error of a call of which a folder has no answer."""
COLUMNS: Final[dict[str, ColumnType]] = {
    "account_id": "text",
    "region_id": "text",
    "resource_type": "text",
    "call": "text",
    "asked": "text",
    "answer": "text",
    "error": "text",
    "observed_at": "time",
}
ANSWERS: Final = Table("answers", COLUMNS)
_SHOWN = 3
_SCRIPTS = frozenset({"UserData", "customData", "userData"})
_LEFT_OUT = "(left out by mlspend)"


@dataclass(frozen=True, slots=True)
class Listed:
    """What a cloud said to one request."""

    account_id: str
    resource_type: str
    """What it tells of: a resource type of staging.inventory, or what they are placed by."""
    call: str
    page: Mapping[str, Any] | None
    """The answer; none where the call was refused, or had nothing to ask about."""
    region_id: str = ""
    """Empty where it tells of all regions."""
    asked: Mapping[str, Any] = field(default_factory=dict)
    """What was asked about, for a call about one thing."""
    error: str = ""
    """The cloud's code of the refusal."""
    said: str = ""
    """The cloud's words of the refusal."""
    permission: str = ""
    """What to grant, where the refusal is for want of it."""


def delivery_of(unit: str, at: datetime, answers: Sequence[Listed]) -> Delivery:
    """Return a day's answers as a delivery."""
    import polars as pl  # noqa: PLC0415  (slow to import; commands read what is declared here)

    rows = [
        {
            "account_id": answer.account_id,
            "region_id": answer.region_id,
            "resource_type": answer.resource_type,
            "call": answer.call,
            "asked": _as_text(answer.asked),
            "answer": None if answer.page is None else _as_text(without_scripts(answer.page)),
            "error": answer.error or None,
            "observed_at": at.replace(tzinfo=None),
        }
        for answer in answers
    ]
    kinds = {"text": pl.String(), "time": pl.Datetime("us")}
    schema = {column: kinds[kind] for column, kind in COLUMNS.items()}
    frame = pl.DataFrame(rows, schema=schema)
    digest = hashlib.sha256()
    for row in frame.drop("observed_at").iter_rows():
        digest.update(repr(row).encode())
    file = FrameFile(f"answers of {unit}", frame)
    return Delivery(ANSWERS.name, unit, digest.hexdigest(), at, [file], stated_rows=frame.height)


def saved_deliveries(
    root: str, read: Callable[[Path], Iterable[Listed]], *, places: str
) -> Iterator[Delivery]:
    """Yield the days of a folder of saved answers; `read` tells what a day's folder holds.

    A day that cannot be read does not hold up the others. `places` is where a day's answers lie,
    such as `<subscription>/compute.disks.json`.
    Raises: SourceError, after the days that can be read.
    """
    days = sorted(Path(root).glob("[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"))
    if not days:
        raise SourceError(
            "there are no saved answers, in folders named by day",
            where=root,
            fix=f"mend `root`, or save <root>/2026-10-03/{places} and the like",
        )
    errors = []
    for folder in days:
        try:
            at = _observed_at(folder)
            answers = list(read(folder))
            if not answers:
                raise SourceError(  # noqa: TRY301 - told with the other days' errors
                    "a day holds no answers",
                    where=str(folder),
                    fix=f"save them as {places}, or take the folder away",
                )
            yield delivery_of(folder.name, at, answers)
        except SourceError as error:
            errors.append(error)
    if errors:
        if len(errors) > 1:
            errors[0].add_note(f"and so for {len(errors) - 1} more days")
        raise errors[0]


def saved_pages(folder: Path, call: str) -> list[dict[str, Any]] | None:
    """Return the pages that a folder has of a call; none where it has no such file.

    Raises: SourceError for bytes that are not whole.
    """
    paths = [folder / f"{call}.json", folder / f"{call}.json.gz"]
    path = next((path for path in paths if path.exists()), None)
    return None if path is None else list(_pages_of(path))


def check_names(folder: Path, calls: Collection[str]) -> None:
    """Refuse a file that no call would read.

    Raises: SourceError
    """
    for path in sorted(folder.iterdir()):
        stem = path.name.removesuffix(".gz").removesuffix(".json")
        if path.name.endswith((".json", ".json.gz")) and stem not in calls:
            near = get_close_matches(stem, sorted(calls), n=1)
            raise SourceError(
                f"{path.name} is no call's" + (f"; is it {near[0]}?" if near else ""),
                where=str(folder),
                fix=f"the calls are {', '.join(sorted(calls))}",
            )


def check_kinds(without: Iterable[str], kinds: Sequence[str], where: str) -> None:
    """Refuse a kind not to be asked about that is no kind.

    Raises: SourceError
    """
    for kind in without:
        if kind not in kinds:
            near = get_close_matches(kind, kinds, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise SourceError(
                f'without names "{kind}", which is no kind{hint}',
                where=where,
                fix=f"choose of {', '.join(kinds)}",
            )


def complain(answers: Iterable[Listed], cloud: str, where: str) -> None:
    """Name what is unknown because a cloud refused it, with what is wanting.

    Raises: SourceError
    """
    wants: dict[tuple[str, str, str], set[str]] = {}
    for answer in answers:
        if answer.error:
            what = f"{answer.call} answers {answer.error}"
            words = answer.said[:200] or f"{cloud} says no more"
            fix = f"grant {answer.permission}" if answer.permission else f"it says: {words}"
            wants.setdefault((answer.resource_type, what, fix), set()).add(answer.account_id)
    if not wants:
        return
    kinds = list(dict.fromkeys(kind for kind, _, _ in wants))
    told = [f"{what} in {_some(sorted(places))}" for (_, what, _), places in wants.items()]
    fixes = list(dict.fromkeys(fix for _, _, fix in wants))
    fixes.append(f"or leave it out: without = {json.dumps(kinds)}")
    raise SourceError(
        f"unknown, because {cloud} refused: {', '.join(kinds)} ({'; '.join(told)})",
        where=where,
        fix="; ".join(fixes),
    )


def _some(names: Sequence[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _pages_of(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the answers of a file, one after the other, with or without lines between.

    Raises: SourceError for bytes that are not whole.
    """
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
        decoder, position = json.JSONDecoder(), 0
        while found := re.compile(r"\S").search(text, position):
            page, position = decoder.raw_decode(text, found.start())
            if not isinstance(page, dict):
                raise TypeError("it holds what is no JSON object")  # noqa: TRY301 - told below
            yield page
    except (OSError, EOFError, ValueError, TypeError, RecursionError) as error:
        raise SourceError(
            f"{path.name} is not a whole answer: {error or type(error).__name__}",
            where=str(path),
            fix="save it again; the day's last good answers stay in force",
        ) from error


def _observed_at(folder: Path) -> datetime:
    """Return when a day's answers were saved; noon, where their files are of another day.

    Raises: SourceError for a day that is not one.
    """
    try:
        day = date.fromisoformat(folder.name)
    except ValueError as error:
        raise SourceError(
            "there is no such day", where=str(folder), fix="name the folder by a UTC day"
        ) from error
    noon = datetime.combine(day, time(12), UTC)
    files = (path for path in folder.rglob("*") if path.is_file())
    at = max((written_at(path) for path in files), default=noon)
    return at if at.date() == day else noon


def without_scripts(value: Any) -> Any:
    """Return an answer without what machines run or read when they start: AWS, Azure, Google."""
    if isinstance(value, list):
        return [without_scripts(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _LEFT_OUT if key in _SCRIPTS or _is_metadata(key, one) else without_scripts(one)
        for key, one in value.items()
    }


def _is_metadata(key: str, value: object) -> bool:
    """Tell whether this is what Google's machines read: {"items": [{"key": ..., "value": ...}]}."""
    return key == "metadata" and isinstance(value, dict) and "items" in value


def _as_text(value: object) -> str:
    """Return an answer as JSON; times as ISO 8601, with their offset."""
    return json.dumps(value, default=_iso, separators=(",", ":"), ensure_ascii=False)


def _iso(value: date) -> str:
    return value.isoformat()
