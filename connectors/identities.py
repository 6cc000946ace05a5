"""People, accounts, their names and their teams, as a company writes them down.

A folder of CSV files, or one TOML file (`identities_toml.py` shows it):

    people.csv       user_id, user_name, email, valid_to
    accounts.csv     account, account_name, team, valid_from, valid_to
    aliases.csv      alias, user_id, valid_from, valid_to
    memberships.csv  user_id, team, valid_from, valid_to

Dates are days in UTC; `valid_from` is inclusive, `valid_to` exclusive, either may be empty. An
account is what no person is (a pipeline, a robot): the team answers for it. A person with a
`valid_to` has left: their past stays theirs, and they are in no team from then on. An alias is
what some system calls a person or an account (`jdoe`, `arn:aws:iam::1:user/jane`), compared
without case.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from connectors.base import Delivery, SourceError, Table
from connectors.contract_csv import Mistakes, check_span, read_rows
from connectors.identities_checks import People, Spans
from connectors.local import FrameFile, LocalFile, digest_of, written_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.base import Known

_SPAN = ("valid_from", "valid_to")
_MEND = "mend each line that is named"
_UNKNOWN = "write the user_id as people.csv has it, or add the person there"
_ONE_LINE = "give each person one line"
_ONE_ACCOUNT = "an account is one team's at a time, and no person's id"
_ONE_ALIAS = "an alias is one person's at a time"
_ONE_TEAM = "end one membership before the next begins: a person is in one team at a time"
_MEMBER = "a membership is a person's, and begins before they leave"


@dataclass(frozen=True, slots=True)
class Identities:
    """Who is who, and in which team."""

    root: str
    """A folder, of which people.csv must be there, or a file whose name ends in .toml."""

    name: ClassVar[str] = "identities"
    tables: ClassVar[Sequence[Table]] = (
        Table(
            "people",
            {"user_id": "text", "user_name": "text", "email": "text", "valid_to": "time"},
        ),
        Table(
            "aliases",
            {"alias": "text", "user_id": "text", "valid_from": "time", "valid_to": "time"},
        ),
        Table(
            "memberships",
            {"user_id": "text", "team": "text", "valid_from": "time", "valid_to": "time"},
        ),
        Table(
            "accounts",
            {
                "account": "text",
                "account_name": "text",
                "team": "text",
                "valid_from": "time",
                "valid_to": "time",
            },
        ),
    )

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield each file that has changed.

        Raises: SourceError that lists every mistake of the file.
        """
        path = Path(self.root)
        if path.suffix.lower() == ".toml":
            yield from self._of_toml(path, known)
            return
        people = People()
        readers = {
            "people": _read_people,
            "accounts": _read_accounts,
            "aliases": _check_aliases,
            "memberships": _check_memberships,
        }
        there: list[Path] = []
        for table, read in readers.items():
            file = path / f"{table}.csv"
            if table == "people":
                digest_of(file)
            elif not file.exists():
                _check_never_there(file, known.cursor(table))
                continue
            read(file, people)
            there.append(file)
        for file in there:
            version = digest_of(file)
            if not known.has(file.stem, "all", version):
                files = [LocalFile(file)]
                yield Delivery(file.stem, "all", version, written_at(file), files, cursor=file.name)

    def _of_toml(self, path: Path, known: Known) -> Iterator[Delivery]:
        version = digest_of(path)
        if all(known.has(table.name, "all", version) for table in self.tables):
            return
        from connectors.identities_toml import frames_of  # noqa: PLC0415  (polars is slow to import)

        frames = frames_of(path, {table.name: table.columns for table in self.tables})
        for table in self.tables:
            files = [FrameFile(f"{path.name}: {table.name}", frames[table.name])]
            yield Delivery(table.name, "all", version, written_at(path), files)


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


def _read_people(path: Path, people: People) -> None:
    mistakes = Mistakes(path)
    optional = ("user_name", "email", "valid_to")
    for line, row in read_rows(path, required=("user_id",), optional=optional, mistakes=mistakes):
        _, left = check_span(row, line, mistakes)
        for what in people.add(row["user_id"], row.get("email", ""), left):
            mistakes.add(line, what, _ONE_LINE)
    if not people.left:
        mistakes.add(1, "nobody stands below the header", _ONE_LINE)
    mistakes.refuse(_MEND)


def _read_accounts(path: Path, people: People) -> None:
    mistakes, spans = Mistakes(path), Spans()
    optional = ("account_name", *_SPAN)
    for line, row in read_rows(
        path, required=("account", "team"), optional=optional, mistakes=mistakes
    ):
        for what in people.add_account(row["account"]):
            mistakes.add(line, what, _ONE_ACCOUNT)
        team = spans.add(row["account"], row["team"], check_span(row, line, mistakes))
        if team is not None:
            mistakes.add(line, f"{row['account']} is {team}'s at the same time", _ONE_ACCOUNT)
    mistakes.refuse(_MEND)


def _check_aliases(path: Path, people: People) -> None:
    mistakes, spans = Mistakes(path), Spans()
    for line, row in read_rows(
        path, required=("alias", "user_id"), optional=_SPAN, mistakes=mistakes
    ):
        _check_person(row["user_id"], people, line, mistakes)
        for what in people.others_name(row["alias"], row["user_id"]):
            mistakes.add(line, what, _ONE_ALIAS)
        span = check_span(row, line, mistakes)
        other = spans.add(row["alias"].lower(), row["user_id"], span)
        if other not in (None, row["user_id"]):
            mistakes.add(line, f"{row['alias']} is {other}'s at the same time", _ONE_ALIAS)
    mistakes.refuse(_MEND)


def _check_memberships(path: Path, people: People) -> None:
    mistakes, spans = Mistakes(path), Spans()
    for line, row in read_rows(
        path, required=("user_id", "team"), optional=_SPAN, mistakes=mistakes
    ):
        _check_person(row["user_id"], people, line, mistakes)
        span = check_span(row, line, mistakes)
        for what in people.not_a_member(row["user_id"], span[0]):
            mistakes.add(line, what, _MEMBER)
        team = spans.add(row["user_id"], row["team"], span)
        if team is not None:
            mistakes.add(line, f"{row['user_id']} is in {team} at the same time", _ONE_TEAM)
    mistakes.refuse(_MEND)


def _check_person(user_id: str, people: People, line: int, mistakes: Mistakes) -> None:
    for what in people.unknown(user_id, "is not in people.csv"):
        mistakes.add(line, what, _UNKNOWN)
