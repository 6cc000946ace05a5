"""People and teams from an export of a directory (OpenLDAP, 389, Active Directory), as LDIF.

A person is an entry with a user name: `uid` or `sAMAccountName`. Their other names (mail addresses,
numbers, `userPrincipalName`) are aliases. Teams are groups whose `cn` fits `team_pattern`, by
`memberUid` or `member`, or else the value of an attribute of the person. A directory tells of today
alone: who left a team, or the company, stays what they were on the days before, by the day on which
an export first says otherwise. Passwords and all other attributes are not copied.

Source: RFC 2849 (the format), RFC 2798 and RFC 2307 (the attributes).
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from connectors.base import Delivery, SourceError, Table
from connectors.contract_csv import Mistakes
from connectors.local import FrameFile, digest_of, written_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.base import Known

_NAMES = ("uid", "samaccountname")
_ALIASES = (*_NAMES, "uidnumber", "mail", "userprincipalname")
_SHOWN = ("displayname", "cn")

Entry = dict[str, list[str]]
"""Attribute in lower case -> its values; `dn` is one of them."""


@dataclass(frozen=True, slots=True)
class Ldif:
    """Who is who, and in which team, as a directory exports it."""

    path: str
    """The file, as `ldapsearch -LLL` writes it."""
    team_pattern: str = "team-(.+)"
    """What the `cn` of a team's group is like; the part in brackets is the team."""
    team_attribute: str = ""
    """An attribute of people that names their team, such as `department`, where groups do not."""

    name: ClassVar[str] = "ldif"
    tables: ClassVar[Sequence[Table]] = (
        Table("people", {"user_id": "text", "user_name": "text", "email": "text"}),
        Table("aliases", {"alias": "text", "user_id": "text"}),
        Table("memberships", {"user_id": "text", "team": "text"}),
    )

    def __post_init__(self) -> None:
        """Refuse a pattern that names no team.

        Raises: SourceError
        """
        try:
            names_team = re.compile(self.team_pattern).groups == 1
        except re.error:
            names_team = False
        if not names_team:
            raise SourceError(
                f"team_pattern {self.team_pattern!r} does not say where the team is",
                where="[connectors.ldif]",
                fix="write a regular expression with one pair of brackets: team-(.+)",
            )

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield people, aliases and memberships of the day the file was written, if it has changed.

        Raises: SourceError that lists every mistake of the file.
        """
        path = Path(self.path)
        version, at = digest_of(path), written_at(path)
        day = f"{at:%Y-%m-%d}"
        if all(known.has(table.name, day, version) for table in self.tables):
            return
        import polars as pl  # noqa: PLC0415  (slow to import, and the file seldom changes)

        rows = self._rows(path)
        for table in self.tables:
            schema = dict.fromkeys(table.columns, pl.String())
            frame = pl.DataFrame(sorted(rows[table.name]), schema=schema, orient="row")
            files = [FrameFile(f"{path.name}: {table.name}", frame)]
            yield Delivery(table.name, day, version, at, files)

    def _rows(self, path: Path) -> dict[str, set[tuple[str, ...]]]:
        entries = list(_entries(path))
        people = {_dn(entry): entry for entry in entries if _user(entry)}
        if not people:
            raise SourceError(
                f"{path.name} holds nobody",
                where=str(path),
                fix="export entries with the attribute uid or sAMAccountName",
            )
        ids = {_user(entry) for entry in people.values()}
        shown: set[tuple[str, ...]] = set()
        aliases: set[tuple[str, ...]] = set()
        for entry in people.values():
            user = _user(entry)
            names = [value for key in _SHOWN for value in entry.get(key, ())]
            shown.add((user, (names or [user])[0], (entry.get("mail") or [""])[0]))
            others = {value for key in _ALIASES for value in entry.get(key, ())}
            aliases |= {(other, user) for other in others - {user}}
        by_dn = {dn: _user(entry) for dn, entry in people.items()}
        memberships = set(self._memberships(entries, by_dn, ids))
        return {"people": shown, "aliases": aliases, "memberships": memberships}

    def _memberships(
        self, entries: Sequence[Entry], by_dn: dict[str, str], ids: set[str]
    ) -> Iterator[tuple[str, ...]]:
        for entry in entries:
            fits = [
                re.fullmatch(self.team_pattern, cn, re.IGNORECASE) for cn in entry.get("cn", ())
            ]
            teams = [fit[1] for fit in fits if fit] if not _user(entry) else []
            members = {member for member in entry.get("memberuid", ()) if member in ids}
            for key in ("member", "uniquemember"):
                members |= {by_dn[dn] for dn in map(_plain_dn, entry.get(key, ())) if dn in by_dn}
            yield from ((member, team) for team in teams for member in members)
        if self.team_attribute:
            for entry in entries:
                for team in entry.get(self.team_attribute.lower(), ())[:1]:
                    if _user(entry):
                        yield (_user(entry), team)


def _user(entry: Entry) -> str:
    """Return the name that a person logs in with; nothing for what is no person."""
    if "group" in " ".join(entry.get("objectclass", ())).lower():
        return ""
    return next((value for key in _NAMES for value in entry.get(key, ())), "")


def _dn(entry: Entry) -> str:
    return _plain_dn(entry["dn"][0])


def _plain_dn(dn: str) -> str:
    return re.sub(r"\s*([,=])\s*", r"\1", dn).lower()


def _entries(path: Path) -> Iterator[Entry]:
    """Yield the entries of a file, the continued lines put together.

    Raises: SourceError that lists every mistake of the file.
    """
    mistakes = Mistakes(path)
    entries: list[Entry] = []
    entry: Entry = {}
    for number, line in [*_lines(path), (0, "")]:
        if not line:
            if "dn" in entry:
                entries.append(entry)
            entry = {}
            continue
        key, value = _attribute(line, number, mistakes)
        if not entry and key not in ("dn", "version"):
            mistakes.add(number, "an entry begins with its dn")
        if key in ("changetype", "control"):
            mistakes.add(number, f"{key}: these are changes, not an export of what there is")
        entry.setdefault(key, []).append(value)
    mistakes.refuse("write the file with `ldapsearch -LLL`, or as your directory exports it")
    yield from entries


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield logical lines with the numbers they begin at, without comments."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{path.name} is not UTF-8: {error}",
            where=str(path),
            fix="export it anew: LDIF holds what is not ASCII in base64",
        ) from error
    begun, held = 0, ""
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.startswith(" ") and begun:
            held += line[1:]
            continue
        if begun and not held.startswith("#"):
            yield begun, held
        begun, held = number, line


def _attribute(line: str, number: int, mistakes: Mistakes) -> tuple[str, str]:
    """Return an attribute without its options, in lower case, and its value."""
    found = re.fullmatch(r"([A-Za-z0-9][\w.-]*)(;[\w;.-]+)?:(:|<)? *(.*)", line, re.DOTALL)
    if found is None:
        mistakes.add(number, f"{line[:40]!r} is not `attribute: value`")
        return "", ""
    key, mark, value = found[1].lower(), found[3], found[4]
    if mark == ":" and key != "userpassword":
        try:
            value = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, ValueError):
            if key in (*_ALIASES, *_SHOWN, "dn", "member", "uniquemember", "memberuid"):
                mistakes.add(number, f"{key} is not text in base64")
            value = ""
    return key, value.strip()
