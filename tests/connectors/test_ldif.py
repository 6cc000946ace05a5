"""People and teams from exports of a directory: what is read, and what is kept of old exports."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from connectors.base import SourceError
from connectors.ldif import Ldif
from tests.connectors.run_nights import Nights

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from connectors.base import Delivery, Known

CANARY = "never-copied-canary"
JANE = f"""# the first of all
dn: uid=jane,ou=people,
 dc=acme,dc=example
objectClass: inetOrgPerson
uid: jane
cn: Jane Roe
displayName:: {base64.b64encode("Jané Roe".encode()).decode()}
mail: jane@acme.example
mail: j.roe@acme.example
uidNumber: 4001
userPassword:: {base64.b64encode(CANARY.encode()).decode()}
description: {CANARY}
departmentNumber: nlp
"""
JOE = """dn: UID=joe, OU=people, DC=acme, DC=example
objectClass: inetOrgPerson
uid: joe
cn: Joe Doe
departmentNumber: vision
"""
SERVICE = """dn: CN=Sam,CN=Users,DC=acme,DC=example
objectClass: user
sAMAccountName: SAM
userPrincipalName: sam@acme.example
"""


def group(team: str, *, ids: tuple[str, ...] = (), dns: tuple[str, ...] = ()) -> str:
    lines = [f"dn: cn=team-{team},ou=groups,dc=acme,dc=example", "objectClass: groupOfNames"]
    lines += [f"cn: team-{team}", *(f"memberUid: {one}" for one in ids)]
    return "\n".join([*lines, *(f"member: {one}" for one in dns)]) + "\n"


@dataclass
class Source:
    """The connector, as nights ask for it."""

    path: Path
    team_attribute: str = ""

    def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
        assert at
        return Ldif(str(self.path), team_attribute=self.team_attribute).deliveries(known)


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    (tmp_path / "raw").mkdir()
    return Nights("ldif", tmp_path / "raw")


def export(folder: Path, *entries: str, day: int = 1, encoding: str = "utf-8") -> Path:
    path = folder / "people.ldif"
    path.write_text("version: 1\n\n" + "\n".join(entries), encoding=encoding)
    at = datetime(2026, 10, day, 1, tzinfo=UTC).timestamp()
    os.utime(path, (at, at))
    return path


def night(nights: Nights, source: Source) -> set[str]:
    return set(nights.night(source, datetime(2026, 11, 1, tzinfo=UTC)))


def spans(nights: Nights) -> set[tuple[str, str, date | None, date | None]]:
    return {
        (row["user_id"], row["team"], row["valid_from"], row["valid_to"])
        for row in nights.rows("ldif__memberships")
    }


def refused(folder: Path, *entries: str) -> str:
    with pytest.raises(SourceError) as caught:
        list(Ldif(str(export(folder, *entries))).deliveries(Nights("ldif", folder)))
    return "\n".join([str(caught.value), *caught.value.__notes__])


def test_people_and_their_other_names_are_read(nights: Nights, tmp_path: Path) -> None:
    source = Source(export(tmp_path, JANE, JOE, SERVICE))
    assert night(nights, source) == {"people", "aliases", "memberships"}
    people: list[dict[str, Any]] = nights.rows("ldif__people")
    assert [tuple(row.values()) for row in people] == [
        ("SAM", "SAM", None, False, None),
        ("jane", "Jané Roe", "jane@acme.example", False, None),
        ("joe", "Joe Doe", None, False, None),
    ]
    assert {(row["alias"], row["user_id"]) for row in nights.rows("ldif__aliases")} == {
        ("4001", "jane"),
        ("jane@acme.example", "jane"),
        ("j.roe@acme.example", "jane"),
        ("sam@acme.example", "SAM"),
    }
    assert night(nights, source) == set()


def test_what_is_not_asked_for_is_not_copied(nights: Nights, tmp_path: Path) -> None:
    night(nights, Source(export(tmp_path, JANE)))
    assert "jane" in nights.raw_text()
    assert CANARY not in nights.raw_text()


def test_groups_name_members_by_user_name_and_by_dn(nights: Nights, tmp_path: Path) -> None:
    vision = group("Vision", dns=("uid=JOE,ou=people,dc=acme,dc=example", "cn=gone,dc=acme"))
    entries = (JANE, JOE, group("nlp", ids=("jane", "gone")), vision, group("empty"))
    night(nights, Source(export(tmp_path, *entries)))
    assert spans(nights) == {("jane", "nlp", None, None), ("joe", "Vision", None, None)}


def test_an_attribute_of_the_person_names_the_team(nights: Nights, tmp_path: Path) -> None:
    night(nights, Source(export(tmp_path, JANE, JOE), team_attribute="departmentNumber"))
    assert spans(nights) == {("jane", "nlp", None, None), ("joe", "vision", None, None)}


def test_who_changes_teams_or_leaves_keeps_the_past(nights: Nights, tmp_path: Path) -> None:
    exports = {
        1: (JANE, JOE, group("nlp", ids=("jane", "joe"))),
        5: (JANE, JOE, group("nlp", ids=("joe",)), group("vision", ids=("jane",))),
        9: (JANE, group("nlp", ids=("jane",))),
    }
    for day, entries in exports.items():
        night(nights, Source(export(tmp_path, *entries, day=day)))
    assert spans(nights) == {
        ("jane", "nlp", None, date(2026, 10, 5)),
        ("jane", "vision", date(2026, 10, 5), date(2026, 10, 9)),
        ("jane", "nlp", date(2026, 10, 9), None),
        ("joe", "nlp", None, date(2026, 10, 9)),
    }
    assert {row["user_id"]: row["left_on"] for row in nights.rows("ldif__people")} == {
        "jane": None,
        "joe": date(2026, 10, 9),
    }


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (JANE.replace("cn: Jane Roe", "cn Jane Roe"), "'cn Jane Roe' is not `attribute: value`"),
        (JANE.replace("uid: jane", "uid:: %%"), "uid is not text in base64"),
        (JANE.replace("uid=jane", "uid=jane\nchangetype: delete\nx: "), "these are changes"),
        ("uid: jane\n", "an entry begins with its dn"),
    ],
)
def test_a_slip_is_named_by_its_line(tmp_path: Path, entry: str, said: str) -> None:
    told = refused(tmp_path, entry)
    assert said in told
    assert "people.ldif, line " in told
    assert "fix: write the file" in told


def test_a_file_without_people_and_one_in_another_encoding_are_refused(tmp_path: Path) -> None:
    assert "people.ldif holds nobody" in refused(tmp_path, group("nlp", ids=("jane",)))
    path = export(tmp_path, JANE.replace("Jane", "Jané"), encoding="latin-1")
    with pytest.raises(SourceError, match="is not UTF-8"):
        list(Ldif(str(path)).deliveries(Nights("ldif", tmp_path)))


@pytest.mark.parametrize("pattern", ["team-.+", "team-(.+", "(team)-(.+)"])
def test_a_pattern_without_a_place_for_the_team_is_refused(pattern: str) -> None:
    with pytest.raises(SourceError, match="does not say where the team is"):
        Ldif("people.ldif", team_pattern=pattern)
