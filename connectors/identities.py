"""People, the names that systems give them, and their teams: three CSV files in a folder.

    people.csv       user_id, user_name, email
    aliases.csv      alias, user_id, valid_from, valid_to
    memberships.csv  user_id, team, valid_from, valid_to

Dates are days in UTC; `valid_from` is inclusive, `valid_to` exclusive, either may be empty. An
alias is what some system calls a person (`jdoe`, `arn:aws:iam::1:user/jane`); it is compared
without case.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from connectors.base import Delivery, SourceError, Table
from connectors.contract_csv import Mistakes, check_span, read_rows
from connectors.local import LocalFile, digest_of, written_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from connectors.base import Known

_SPAN = ("valid_from", "valid_to")


@dataclass(frozen=True, slots=True)
class Identities:
    """Who is who, and in which team."""

    root: str
    """The folder of the three files; aliases.csv and memberships.csv need not be there."""

    name: ClassVar[str] = "identities"
    tables: ClassVar[Sequence[Table]] = (
        Table("people", {"user_id": "text", "user_name": "text", "email": "text"}),
        Table(
            "aliases",
            {"alias": "text", "user_id": "text", "valid_from": "time", "valid_to": "time"},
        ),
        Table(
            "memberships",
            {"user_id": "text", "team": "text", "valid_from": "time", "valid_to": "time"},
        ),
    )

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield each file that has changed.

        Raises: SourceError that lists every mistake of the file.
        """
        folder = Path(self.root)
        people = _read_people(folder / "people.csv")
        readers = {"aliases": _check_aliases, "memberships": _check_memberships}
        for table in self.tables:
            path = folder / f"{table.name}.csv"
            if table.name != "people" and not path.exists():
                _check_never_there(path, known.cursor(table.name))
                continue
            if table.name in readers:
                readers[table.name](path, people)
            version = digest_of(path)
            if not known.has(table.name, "all", version):
                files = [LocalFile(path)]
                yield Delivery(table.name, "all", version, written_at(path), files, path.name)


def _check_never_there(path: Path, delivered: str | None) -> None:
    """Refuse a file that is gone: what it said would go on to count.

    Raises: SourceError
    """
    if delivered is not None:
        raise SourceError(
            f"{path.name} was there, and is gone",
            where=str(path),
            fix="put it back; to take back all it said, leave its header alone",
        )


def _read_people(path: Path) -> set[str]:
    digest_of(path)
    mistakes = Mistakes(path)
    people: set[str] = set()
    optional = ("user_name", "email")
    for line, row in read_rows(path, required=("user_id",), optional=optional, mistakes=mistakes):
        if row["user_id"] in people:
            mistakes.add(line, f"user_id {row['user_id']} is there twice")
        people.add(row["user_id"])
    if not people:
        mistakes.add(1, "nobody stands below the header")
    mistakes.refuse("give each person one line")
    return people


def _check_aliases(path: Path, people: set[str]) -> None:
    mistakes = Mistakes(path)
    spans: dict[str, list[tuple[date, date, str]]] = {}
    for line, row in read_rows(
        path, required=("alias", "user_id"), optional=_SPAN, mistakes=mistakes
    ):
        _check_person(row["user_id"], people, line, mistakes)
        start, end = check_span(row, line, mistakes)
        of_alias = spans.setdefault(row["alias"].lower(), [])
        for other_start, other_end, other in of_alias:
            if other != row["user_id"] and start < other_end and other_start < end:
                mistakes.add(line, f"{row['alias']} is {other}'s at the same time")
        of_alias.append((start, end, row["user_id"]))
    mistakes.refuse("an alias is one person's at a time")


def _check_memberships(path: Path, people: set[str]) -> None:
    mistakes = Mistakes(path)
    spans: dict[str, list[tuple[date, date, str]]] = {}
    for line, row in read_rows(
        path, required=("user_id", "team"), optional=_SPAN, mistakes=mistakes
    ):
        _check_person(row["user_id"], people, line, mistakes)
        start, end = check_span(row, line, mistakes)
        of_person = spans.setdefault(row["user_id"], [])
        for other_start, other_end, other in of_person:
            if start < other_end and other_start < end:
                mistakes.add(line, f"{row['user_id']} is in {other} at the same time")
        of_person.append((start, end, row["team"]))
    mistakes.refuse("end one membership before the next begins: a person is in one team at a time")


def _check_person(user_id: str, people: set[str], line: int, mistakes: Mistakes) -> None:
    if user_id and user_id not in people:
        near = get_close_matches(user_id, people, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        mistakes.add(line, f"{user_id} is not in people.csv{hint}")
