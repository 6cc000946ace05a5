"""The files that people write: identities, ownership, storage inventory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

import polars as pl
import pytest

from connectors.base import Connector, Delivery, SourceError
from connectors.identities import Identities
from connectors.ownership import Ownership
from connectors.storage_inventory import StorageInventory

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Ledger:
    """Remembers what has been delivered, as the journal does."""

    seen: set[tuple[str, str, str]] = field(default_factory=set)

    def has(self, table: str, unit: str, version: str) -> bool:
        return (table, unit, version) in self.seen

    def cursor(self, table: str) -> str | None:
        return None if table else ""

    def take(self, connector: Connector) -> list[Delivery]:
        taken = list(connector.deliveries(self))
        self.seen |= {(row.table, row.unit, row.version) for row in taken}
        return taken


def write(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


PEOPLE = "user_id,user_name,email\njane,Jane Roe,jane@acme.example\njoe,Joe Doe,\n"


def test_each_identity_file_is_delivered_once_until_it_changes(tmp_path: Path) -> None:
    write(tmp_path, people=PEOPLE, memberships="user_id,team\njane,nlp\n")
    ledger, source = Ledger(), Identities(str(tmp_path))
    assert [row.table for row in ledger.take(source)] == ["people", "memberships"]
    assert ledger.take(source) == []
    write(tmp_path, memberships="user_id,team\njane,vision\n")
    (changed,) = ledger.take(source)
    assert changed.table == "memberships"
    with changed.files[0].open() as stream:
        assert stream.read() == b"user_id,team\njane,vision\n"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"aliases": "alias,user_id\njr,jane\nx,jim\n"}, "line 3: jim is not in people.csv"),
        ({"aliases": "alias,user_id\njr,jane\nJR,joe\n"}, "line 3: JR is jane's at the same time"),
        ({"aliases": "alias,user_id\njr\n"}, "line 2: has another number of fields"),
        (
            {"memberships": "user_id,team,valid_from\njane,nlp,\njane,vision,2026-10-01\n"},
            "line 3: jane is in nlp at the same time",
        ),
        (
            {"memberships": "user_id,team,valid_from,valid_to\njane,nlp,2026-10-02,2026-10-01\n"},
            "line 2: valid_to (2026-10-01) is not after valid_from (2026-10-02)",
        ),
        (
            {"memberships": "user_id,team,valid_from\njane,nlp,1.10.2026\n"},
            "line 2: '1.10.2026' is not a date like 2026-10-03",
        ),
        ({"memberships": "user_id,taem\njane,nlp\n"}, "taem is not known; did you mean team?"),
        ({"people": PEOPLE + "jane,,\n"}, "line 4: user_id jane is there twice"),
        (
            {"people": PEOPLE + "jim,,JANE@acme.example\n"},
            "line 4: JANE@acme.example is jane's, who is still there",
        ),
        ({"aliases": "alias,user_id\nJane,joe\n"}, "line 2: Jane is the id or the address of jane"),
        ({"accounts": "account,team\njoe,nlp\n"}, "line 2: joe is a person's id"),
        ({"accounts": "account,team\nci,\n"}, "line 2: team is empty"),
        ({"accounts": "account,team\nci,nlp\nci,cv\n"}, "line 3: ci is nlp's at the same time"),
        (
            {"accounts": "account,team\nci,nlp\n", "memberships": "user_id,team\nci,cv\n"},
            "line 2: ci is an account, whose team stands beside it",
        ),
        (
            {
                "people": "user_id,valid_to\njane,2026-10-01\n",
                "memberships": "user_id,team,valid_from\njane,nlp,2026-10-01\n",
            },
            "line 2: jane has left on 2026-10-01, before this begins",
        ),
        ({"people": ""}, "the column user_id is missing"),
    ],
)
def test_a_slip_is_named_by_file_and_line(tmp_path: Path, files: dict[str, str], said: str) -> None:
    write(tmp_path, **{"people": PEOPLE} | files)
    with pytest.raises(SourceError) as caught:
        list(Identities(str(tmp_path)).deliveries(Ledger()))
    assert said in str(caught.value)
    assert any(f"{name}.csv" in caught.value.__notes__[0] for name in files)


@pytest.mark.parametrize(
    ("lines", "fix"),
    [
        ("jane,nlp,2026-10-02,2026-10-01\n", "let it come after valid_from"),
        ("jim,nlp,,\n", "or add the person there"),
        ("jane,nlp,xx,\njoe,nlp,yy,\n", "write days as 2026-10-03"),
        ("jane,nlp,,\njane,cv,,\n", "end one membership before the next begins"),
        ("jane,,,\n", "mend each line that is named"),
        (
            "jane,nlp,2026-10-02,2026-10-01\njim,nlp,,\njoe,nlp,xx,\n",
            "mend each line that is named",
        ),
    ],
)
def test_the_fix_fits_what_is_wrong(tmp_path: Path, lines: str, fix: str) -> None:
    write(tmp_path, people=PEOPLE, memberships="user_id,team,valid_from,valid_to\n" + lines)
    with pytest.raises(SourceError) as caught:
        list(Identities(str(tmp_path)).deliveries(Ledger()))
    assert fix in caught.value.__notes__[1]


def test_every_mistake_of_a_file_is_listed_at_once(tmp_path: Path) -> None:
    write(tmp_path, people=PEOPLE, aliases="alias,user_id\n,jane\nx,jim\ny,jo\n")
    with pytest.raises(SourceError, match="has 3 mistakes"):
        list(Identities(str(tmp_path)).deliveries(Ledger()))


def test_a_missing_people_file_and_one_in_another_encoding_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        list(Identities(str(tmp_path)).deliveries(Ledger()))
    (tmp_path / "people.csv").write_bytes("user_id,user_name\nzoe,Zoë\n".encode("latin-1"))
    with pytest.raises(SourceError, match="UTF-8"):
        list(Identities(str(tmp_path)).deliveries(Ledger()))


WHO = """
[[people]]
id = "jane"
name = "Jane Roe"
email = "jane@acme.example"
aliases = ["jdoe", { name = "jr", until = 2026-06-01 }]
teams = [{ team = "nlp", until = 2026-10-01 }, { team = "vision", from = 2026-10-01 }]
left = 2026-12-01

[[people]]
id = "joe"

[[accounts]]
id = "ci"
aliases = ["runner"]
teams = ["nlp"]
"""


def test_one_toml_file_tells_what_the_csv_files_do(tmp_path: Path) -> None:
    path = tmp_path / "who.toml"
    path.write_text(WHO, encoding="utf-8")
    ledger = Ledger()
    told = {row.table: frame_of(row).rows() for row in ledger.take(Identities(str(path)))}
    june, october = date(2026, 6, 1), date(2026, 10, 1)
    assert told == {
        "people": [
            ("jane", "Jane Roe", "jane@acme.example", date(2026, 12, 1)),
            ("joe", None, None, None),
        ],
        "aliases": [
            ("jdoe", "jane", None, None),
            ("jr", "jane", None, june),
            ("runner", "ci", None, None),
        ],
        "memberships": [("jane", "nlp", None, october), ("jane", "vision", october, None)],
        "accounts": [("ci", None, "nlp", None, None)],
    }
    assert ledger.take(Identities(str(path))) == []


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('id = "joe"', 'id = "Jane"', "line 10: user_id Jane is there twice"),
        ("[[people]]", "[[poeple]]", "poeple: is not known; did you mean people?"),
        ('name = "Jane Roe"', 'nmae = "Jane Roe"', "line 4: people[1].nmae: is not known; did you"),
        (
            "until = 2026-10-01",
            "util = 2026-10-01",
            "line 7: people[1].teams[1].util: is not known",
        ),
        ("until = 2026-10-01", "until = 2026-10-02", "line 2: jane is in nlp at the same time"),
        (
            "until = 2026-06-01",
            'until = "June"',
            "line 6: people[1].aliases[2].until: Input should",
        ),
        ('"runner"', '"JDoe"', "line 13: JDoe is jane's at the same time"),
        ('"runner"', '"joe"', "line 13: joe is the id or the address of joe"),
        ('id = "ci"', 'id = "joe"', "line 13: joe is a person's id"),
        ('teams = ["nlp"]', "teams = []", "line 13: ci has no team that answers for it"),
        ('teams = ["nlp"]', 'teams = [" nlp"]', "line 16: accounts[1].teams[1].team: is ' nlp'"),
        ('id = "joe"', "id = joe", "is not TOML"),
    ],
)
def test_a_slip_in_the_toml_file_is_named_by_line(
    tmp_path: Path, before: str, after: str, said: str
) -> None:
    path = tmp_path / "who.toml"
    assert before in WHO
    path.write_text(WHO.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(SourceError) as caught:
        list(Identities(str(path)).deliveries(Ledger()))
    assert said in str(caught.value)
    assert caught.value.__notes__[0] == f"in:  {path}"


OWNERSHIP = """
[[overrides]]
id = "handover"
when = { run = "8f3*" }
team = "vision"
from = 2026-10-01

[[rules]]
id = "center"
when = { namespace = "nlp-*", tag = "cost-center=42*" }
team = "nlp"
project = "chat"

[[datasets]]
name = "images"
uri = "s3://acme-data/images"
region = "eu-west-1"
"""


def frame_of(delivery: Delivery) -> pl.DataFrame:
    with delivery.files[0].open() as stream:
        return pl.read_parquet(stream)


def test_rules_overrides_and_datasets_are_read_in_order(tmp_path: Path) -> None:
    path = tmp_path / "ownership.toml"
    path.write_text(OWNERSHIP, encoding="utf-8")
    ledger = Ledger()
    rules, datasets = ledger.take(Ownership(str(path)))
    rows = frame_of(rules).select("rule_id", "position", "is_override", "match_tag_value").rows()
    assert rows == [("handover", 1, True, None), ("center", 2, False, "42*")]
    assert frame_of(datasets).select("dataset", "region_id").rows() == [("images", "eu-west-1")]
    assert ledger.take(Ownership(str(path))) == []


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("namespace =", "namspace =", "did you mean namespace?"),
        ('team = "nlp"', 'taem = "nlp"', "did you mean team?"),
        ('id = "center"', 'id = "handover"', "the file gives these ids twice: handover"),
        ('tag = "cost-center=42*"', 'tag = "cost-center"', "rules[1].when.tag"),
        ("from = 2026-10-01", "from = 2026-10-01\nuntil = 2026-09-01", "is not after from"),
        ('uri = "s3://acme-data/images"', 'uri = "acme"', "datasets[1].uri"),
        (
            "[[datasets]]",
            "[[datasets]]\nfrom = 2026-10-01",
            "datasets[1] has a from, and no version",
        ),
        ("[[rules]]", "[rules", "is not TOML"),
        ('team = "vision"', "", "gives no user, team or project"),
    ],
)
def test_mistakes_in_ownership_name_their_place(
    tmp_path: Path, before: str, after: str, said: str
) -> None:
    path = tmp_path / "ownership.toml"
    assert before in OWNERSHIP
    path.write_text(OWNERSHIP.replace(before, after), encoding="utf-8")
    with pytest.raises(SourceError) as caught:
        list(Ownership(str(path)).deliveries(Ledger()))
    assert said in str(caught.value)


def test_a_version_may_be_there_from_a_day_on(tmp_path: Path) -> None:
    path = tmp_path / "ownership.toml"
    text = OWNERSHIP + 'version = "2"\nfrom = 2026-10-01\n'
    path.write_text(text, encoding="utf-8")
    _, datasets = Ledger().take(Ownership(str(path)))
    rows = frame_of(datasets).select("version", "valid_from").rows()
    assert rows == [("2", date(2026, 10, 1))]


def test_several_mistakes_in_ownership_are_listed_together(tmp_path: Path) -> None:
    path = tmp_path / "ownership.toml"
    text = OWNERSHIP.replace("namespace =", "namspace =").replace('uri = "s3', 'url = "s3')
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SourceError, match="has 3 mistakes"):
        list(Ownership(str(path)).deliveries(Ledger()))


def test_each_inventory_file_is_a_unit(tmp_path: Path) -> None:
    write(tmp_path, **{"2026-10-01": "day,container,size_bytes\n2026-10-01,acme-data,10\n"})
    ledger = Ledger()
    (delivery,) = ledger.take(StorageInventory(str(tmp_path)))
    assert (delivery.table, delivery.unit) == ("stored_bytes", "2026-10-01")
    assert ledger.take(StorageInventory(str(tmp_path))) == []


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("2026-10-01,acme-data,ten", "size_bytes 'ten' is not a whole number"),
        ("2026-10-01,acme-data,-1", "size_bytes '-1' is not a whole number"),
        ("yesterday,acme-data,1", "day 'yesterday' is not a date"),
        ("2026-10-01,,1", "container is empty"),
    ],
)
def test_an_inventory_that_cannot_be_is_refused(tmp_path: Path, row: str, said: str) -> None:
    write(tmp_path, inventory=f"day,container,size_bytes\n{row}\n")
    with pytest.raises(SourceError) as caught:
        list(StorageInventory(str(tmp_path)).deliveries(Ledger()))
    assert said in str(caught.value)
    assert "line 2" in str(caught.value)
