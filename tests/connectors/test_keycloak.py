"""People and teams of a Keycloak realm, night after night, and a realm that answers badly."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from connectors.base import SourceError
from connectors.keycloak import Keycloak
from tests.connectors.keycloak_server import SECRET, TOKEN, Sso, serving
from tests.connectors.run_nights import Nights

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST = datetime(2026, 10, 1, 2, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLSPEND_TEST_SECRET", SECRET)


@pytest.fixture
def sso() -> Iterator[Sso]:
    """Five people and a robot, in groups three deep."""
    realm = Sso()
    realm.add("ada", "/teams/nlp", firstName="Ada", lastName="Roe", email="Ada@acme.example")
    realm.add("ben", "/teams/nlp/interns", attributes={"unixLogin": ["bx17"], "shoe": ["44"]})
    realm.add("cem", "/teams/vision", "/everybody")
    realm.add("dan", "/hr/sick", firstName="Dan")
    realm.add("eve", "/teams/vision", enabled=False)
    realm.add("service-account-ci", "/teams/nlp", serviceAccountClientId="ci")
    realm.links["ada"] = [
        {"identityProvider": "github", "userId": "8841", "userName": "ada-codes"},
        {"identityProvider": "home", "userId": "x", "userName": "secret-name"},
    ]
    realm.links["cem"] = [{"identityProvider": "github", "userId": "u-7", "userName": "cem7"}]
    with serving(realm):
        yield realm


def source(sso: Sso, **more: Any) -> Keycloak:
    known = {"realm": "acme labs", "client_secret_env": "MLSPEND_TEST_SECRET", "page_size": 2}
    return Keycloak(sso.address, **{**known, **more})


def day(number: int) -> date:
    return FIRST.date() + timedelta(days=number - 1)


def night(nights: Nights, sso: Sso, number: int, **more: Any) -> bool:
    """Run the night of a day of October; tell whether anything was delivered."""
    return bool(nights.night(source(sso, **more), FIRST + timedelta(days=number - 1)))


def teams(nights: Nights) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in nights.rows("keycloak__memberships")]


def aliases(nights: Nights) -> dict[str, str]:
    return {row["alias"]: row["user_id"] for row in nights.rows("keycloak__aliases")}


def test_people_teams_and_names_are_read_in_pages(sso: Sso, tmp_path: Path) -> None:
    nights = Nights("keycloak", tmp_path)
    config = {"alias_attributes": ("unixLogin",), "identity_providers": ("github",)}
    assert night(nights, sso, 1, **config)
    people = [tuple(row.values()) for row in nights.rows("keycloak__people")]
    assert people == [
        ("ada", "Ada Roe", "Ada@acme.example", False, None),
        ("ben", None, None, False, None),
        ("cem", None, None, False, None),
        ("dan", "Dan", None, False, None),
        ("eve", None, None, False, day(1)),
        ("service-account-ci", None, None, True, None),
    ]
    assert teams(nights) == [
        ("ada", "nlp", None, None),
        ("ben", "nlp", None, None),
        ("cem", "vision", None, None),
        ("eve", "vision", None, None),
        ("service-account-ci", "nlp", None, None),
    ]
    ids = {f"id-{name}": name for name in sso.users} | {name: name for name in sso.users}
    assert aliases(nights) == ids | {
        "ada@acme.example": "ada",
        "ada-codes": "ada",
        "bx17": "ben",
        "cem7": "cem",
        "u-7": "cem",
        "ci": "service-account-ci",
    }
    assert not any("sick" in path and "members" in path for path in sso.asked)
    raw = nights.raw_text()
    assert not any(text in raw for text in ("44", "secret-name", "sick", SECRET, TOKEN))


def test_what_has_not_changed_is_not_delivered_again(sso: Sso, tmp_path: Path) -> None:
    nights = Nights("keycloak", tmp_path)
    assert night(nights, sso, 1)
    assert not night(nights, sso, 2)
    sso.users["dan"]["lastName"] = "Moe"
    assert night(nights, sso, 3)
    assert not night(nights, sso, 3)


def test_who_changes_team_keeps_the_past_of_the_old_one(sso: Sso, tmp_path: Path) -> None:
    nights = Nights("keycloak", tmp_path)
    night(nights, sso, 1)
    sso.members["/teams/nlp"].remove("ada")
    sso.members["/teams/vision"].append("ada")
    sso.add("fay", "/teams/vision")
    night(nights, sso, 4)
    sso.members["/teams/vision"].remove("ada")
    night(nights, sso, 6)
    sso.members["/teams/nlp"].append("ada")
    sso.members["/teams/nlp"].append("dan")
    night(nights, sso, 9)
    assert [row for row in teams(nights) if row[0] in ("ada", "dan", "fay")] == [
        ("ada", "nlp", day(9), None),
        ("ada", "nlp", None, day(4)),
        ("ada", "vision", day(4), day(6)),
        ("dan", "nlp", day(9), None),
        ("fay", "vision", None, None),
    ]


def test_who_is_disabled_or_deleted_has_left_and_is_kept(sso: Sso, tmp_path: Path) -> None:
    nights = Nights("keycloak", tmp_path)
    night(nights, sso, 1)
    sso.users["ada"]["enabled"] = False
    night(nights, sso, 3)
    del sso.users["cem"]
    for members in sso.members.values():
        members[:] = [name for name in members if name != "cem"]
    night(nights, sso, 5)
    left = {row["user_id"]: row["left_on"] for row in nights.rows("keycloak__people")}
    assert {name: left[name] for name in ("ada", "ben", "cem")} == {
        "ada": day(3),
        "ben": None,
        "cem": day(5),
    }
    sso.users["ada"]["enabled"] = True
    night(nights, sso, 7)
    (ada, *_) = nights.rows("keycloak__people")
    assert ada["left_on"] is None


def test_a_name_is_its_last_holders_and_a_person_has_all_their_names(
    sso: Sso, tmp_path: Path
) -> None:
    nights = Nights("keycloak", tmp_path)
    more = {"user_id": "id", "alias_attributes": ("unixLogin",)}
    night(nights, sso, 1, **more)
    sso.users["ben"]["attributes"] = {"unixLogin": ["bx18"]}
    sso.users["cem"]["attributes"] = {"unixLogin": ["bx17"]}
    night(nights, sso, 4, **more)
    found = [
        tuple(row.values())
        for row in nights.rows("keycloak__aliases")
        if row["alias"].startswith("bx")
    ]
    assert found == [
        ("bx17", "id-ben", None, day(4)),
        ("bx17", "id-cem", day(4), None),
        ("bx18", "id-ben", None, None),
    ]


def test_a_changed_config_counts_for_the_days_before_it(sso: Sso, tmp_path: Path) -> None:
    nights = Nights("keycloak", tmp_path)
    night(nights, sso, 1, team_groups=("/{team}/**",))
    assert ("ada", "teams", None, None) in teams(nights)
    night(nights, sso, 2, team_groups=("/*/{team}",), user_id="email")
    assert [row for row in teams(nights) if row[1] == "nlp"] == [
        ("Ada@acme.example", "nlp", None, None),
        ("service-account-ci", "nlp", None, None),
    ]


def test_the_tree_of_older_versions_and_names_with_slashes_are_read(
    sso: Sso, tmp_path: Path
) -> None:
    sso.is_old = True
    sso.add("gil", "/teams/a~/b")
    nights = Nights("keycloak", tmp_path)
    night(nights, sso, 1)
    told = {row[0]: row[1] for row in teams(nights)}
    assert told == {
        "ada": "nlp",
        "ben": "nlp",
        "cem": "vision",
        "eve": "vision",
        "gil": "a/b",
        "service-account-ci": "nlp",
    }


@pytest.mark.parametrize(("requests", "seconds"), [(3, 300), (1_000, 0)])
def test_a_token_that_ends_is_renewed(
    sso: Sso, tmp_path: Path, requests: int, seconds: int
) -> None:
    sso.requests_per_token, sso.token_lasts = requests, seconds
    assert night(Nights("keycloak", tmp_path), sso, 1)
    assert sso.tokens > 5


@pytest.mark.parametrize("fault", [429, 503, 401])
def test_what_passes_is_asked_again(tmp_path: Path, fault: int) -> None:
    realm = Sso()
    realm.add("ada", "/teams/nlp")
    with serving(realm, [fault]):
        assert night(Nights("keycloak", tmp_path), realm, 1)


def test_a_list_that_changes_while_it_is_read_is_read_anew(sso: Sso, tmp_path: Path) -> None:
    """Whoever follows the one that goes would be in no page."""

    def forget(path: str, first: int) -> None:
        if (path, first) == ("users", 1) and "ada" in sso.users:
            del sso.users["ada"]
            sso.members["/teams/nlp"].remove("ada")

    sso.on_page = forget
    nights = Nights("keycloak", tmp_path)
    night(nights, sso, 1)
    names = [row["user_id"] for row in nights.rows("keycloak__people")]
    assert names == ["ben", "cem", "dan", "eve", "service-account-ci"]


def test_a_list_that_never_stands_still_is_refused(sso: Sso, tmp_path: Path) -> None:
    def grow(path: str, first: int) -> None:
        if path == "users" and first:
            sso.add(f"aa{len(sso.users)}")

    sso.on_page = grow
    with pytest.raises(SourceError, match="changed in each of 3 readings"):
        night(Nights("keycloak", tmp_path), sso, 1)


@pytest.mark.parametrize(
    ("change", "said", "fix"),
    [
        ({"refused": "users"}, "answers 403 Forbidden", "view-users"),
        ({"refused": "groups"}, "answers 403 Forbidden", "query-groups"),
        ({"users": {}, "members": {}}, "lists nobody", "view-users"),
        ({"members": {"/staff": []}}, "no group fits team_groups; there are /staff", "team_groups"),
    ],
)
def test_a_realm_that_tells_too_little_is_refused(
    sso: Sso, tmp_path: Path, change: dict[str, Any], said: str, fix: str
) -> None:
    """An empty answer taken for the truth would send everybody away."""
    for name, value in change.items():
        setattr(sso, name, value)
    nights = Nights("keycloak", tmp_path)
    with pytest.raises(SourceError, match=said) as caught:
        night(nights, sso, 1)
    assert fix in caught.value.__notes__[1]
    assert nights.landed == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"client_id": "other"}, "gives no token: 401 unauthorized_client"),
        ({"realm": "nowhere"}, "gives no token: 404"),
        ({"client_secret_env": "MLSPEND_NOT_SET"}, "variable MLSPEND_NOT_SET is not set"),
        ({"team_groups": ("teams/{team}",)}, 'team_groups has "teams/{team}"'),
        ({"team_groups": ("/teams/*",)}, 'team_groups has "/teams/*"'),
        ({"team_groups": ()}, "team_groups is empty"),
        ({"user_id": "name"}, 'user_id is "name"'),
        ({"page_size": 1}, "page_size is 1"),
    ],
)
def test_misuse_is_refused_and_no_secret_is_told(
    sso: Sso, tmp_path: Path, caplog: pytest.LogCaptureFixture, more: dict[str, Any], said: str
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(SourceError) as caught:
        night(Nights("keycloak", tmp_path), sso, 1, **more)
    assert said in str(caught.value)
    told = [str(caught.value), *caught.value.__notes__, caplog.text]
    assert not any(secret in text for text in told for secret in (SECRET, TOKEN))


def test_a_good_night_tells_no_secret_either(
    sso: Sso, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    nights = Nights("keycloak", tmp_path)
    night(nights, sso, 1)
    assert "keycloak: " in caplog.text
    assert SECRET not in caplog.text
    assert TOKEN not in caplog.text
    wrong = Keycloak(f"https://me:{SECRET}@sso.example", "acme labs", "MLSPEND_TEST_SECRET")
    with pytest.raises(SourceError, match="without credentials") as caught:
        list(wrong.deliveries(nights))
    assert SECRET not in repr(wrong)
    assert SECRET not in str([caught.value, *caught.value.__notes__])
