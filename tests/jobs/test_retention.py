"""What goes when people are no longer to be named: old files about them, old sites."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from connectors.identities import Identities
from jobs.config import read_config
from jobs.known import known_deliveries
from jobs.privacy import collect_sites, personal_from, site_rules, views_of
from jobs.state import SITE_MARKER

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.config import Config
    from jobs.raw_store import RawStore

CONNECTORS = {"folder": "tests.jobs.folder_source:FolderSource"}


def land_people(store: RawStore, root: Path, day: date, *people: str) -> None:
    """Land a file of people that was written on a day."""
    root.mkdir(exist_ok=True)
    path = root / "people.csv"
    path.write_text("\n".join(("user_id", *people)) + "\n", encoding="utf-8")
    written = datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()
    os.utime(path, (written, written))
    known = known_deliveries("identities", store.journal.deliveries(), store.raw)
    connector = Identities(str(root))
    for delivery in connector.deliveries(known):
        store.land("identities", "identities", connector.tables[0], delivery)


def texts(store: RawStore) -> set[str]:
    """Return what the raw files hold."""
    return {path.read_text("utf-8") for path in store.raw.rglob("*") if path.is_file()}


def test_a_file_of_people_goes_when_it_was_replaced_before_the_first_personal_day(
    store: RawStore, tmp_path: Path
) -> None:
    days = [date(2026, 3, 1), date(2026, 3, 10), date(2026, 3, 20)]
    for day, people in zip(days, (("ada", "leaver"), ("ada",), ("ada", "new")), strict=True):
        land_people(store, tmp_path / "identities", day, *people)
    (digest,) = (file.sha256 for file in store.journal.deliveries()[0].files)
    assert store.collect((), {digest}, keep=1) == 0

    assert store.collect((), {digest}, keep=1, personal_from=days[1]) == 0
    assert store.collect((), {digest}, keep=1, personal_from=days[1] + timedelta(1)) == 1
    assert texts(store) == {"user_id\nada\n", "user_id\nada\nnew\n"}
    assert store.collect((), set(), keep=1, personal_from=date(2030, 1, 1)) == 1
    assert texts(store) == {"user_id\nada\nnew\n"}
    assert [entry.is_collected for entry in store.journal.deliveries()] == [True, True, False]


def config_of(tmp_path: Path, privacy: str) -> Config:
    path = tmp_path / "config.toml"
    path.write_text(f'[connectors.folder]\nroot = "/a"\n{privacy}', encoding="utf-8")
    return read_config(path, CONNECTORS)


def test_a_row_as_old_as_the_days_kept_still_names_its_person(tmp_path: Path) -> None:
    config = config_of(tmp_path, "[privacy]\npersonal_days = 30\n")
    assert personal_from(config.privacy, date(2026, 3, 31)) == date(2026, 3, 1)
    assert views_of(config, date(2026, 3, 31))[0].personal_from == date(2026, 3, 1)
    assert personal_from(config_of(tmp_path, "").privacy) is None


def file_sites(config: Config, names: tuple[str, ...], days: tuple[date, ...], rules: str) -> None:
    """File sites for all and for audiences that say how much they show."""
    for name in names:
        folder = config.state_dir / "reports" / (f"audiences/{name}" if name else "")
        for day in days:
            marker = folder / day.isoformat() / SITE_MARKER
            marker.parent.mkdir(parents=True)
            marker.write_text(f"000001\n{rules or site_rules(config, name)}\n", encoding="ascii")


def sites_of(config: Config) -> list[str]:
    reports = config.state_dir / "reports"
    markers = reports.rglob(SITE_MARKER)
    return sorted(str(marker.parent.relative_to(reports)) for marker in markers)


TODAY = datetime.now(UTC).date()


def test_sites_older_than_the_days_kept_go(tmp_path: Path) -> None:
    config = config_of(tmp_path, "[privacy]\npersonal_days = 3\n")
    days = tuple(TODAY - timedelta(age) for age in (0, 2, 5, 9))
    file_sites(config, ("",), days, "")
    collect_sites(config)
    assert sites_of(config) == sorted(day.isoformat() for day in days[:2])


@pytest.mark.parametrize(
    ("then", "now", "stays"),
    [
        ("names", "pseudonyms", False),
        ("pseudonyms", "teams", False),
        ("teams", "teams", True),
        ("teams", "pseudonyms", True),
    ],
)
def test_a_site_that_shows_more_than_is_shown_now_goes(
    tmp_path: Path, then: str, now: str, *, stays: bool
) -> None:
    config = config_of(tmp_path, f'[privacy]\npeople = "{now}"\n')
    file_sites(config, ("",), (TODAY,), then)
    collect_sites(config)
    assert bool(sites_of(config)) == stays


def test_a_site_of_an_audience_goes_when_the_audience_does_or_sees_something_else(
    tmp_path: Path,
) -> None:
    audience = '[[privacy.audiences]]\nname = "{}"\nteams = ["vision"]\n'
    both = config_of(tmp_path, audience.format("a") + audience.format("b"))
    file_sites(both, ("", "a", "b"), (TODAY,), "")
    collect_sites(both)
    assert len(sites_of(both)) == 3

    one = config_of(tmp_path, audience.format("a"))
    collect_sites(one)
    assert sites_of(one) == [TODAY.isoformat(), f"audiences/a/{TODAY}"]

    less = config_of(tmp_path, audience.format("a") + 'people = "teams"\n')
    assert views_of(less)[1] == replace(views_of(one)[1], people="teams")
    collect_sites(less)
    assert sites_of(less) == [TODAY.isoformat()]
    collect_sites(config_of(tmp_path, ""))
    assert sites_of(less) == [TODAY.isoformat()]
