"""Who may see whom, as the config file says it: the views of a night, and the key of pseudonyms."""

from __future__ import annotations

import os
import secrets
import shutil
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from connectors.base import SourceError
from connectors.secrets import secret_of, written
from jobs.settings.privacy import EVERYTHING
from jobs.state import AUDIENCES, SITE_MARKER, reports_of
from queries import ModelError
from queries.generation import file_name
from queries.privacy.views import DIMENSIONS, OPENNESS, View

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.config import Config
    from jobs.settings.privacy import Audience, Privacy

KEY_FILE = "privacy.key"
_SHORTEST_KEY = 32
_PRIVATE = 0o077


def views_of(config: Config, today: date | None = None) -> list[View]:
    """Return everybody's view, then one for each audience.

    `today` is the day, in UTC, from which the age of personal rows is counted.

    Raises: ModelError where pseudonyms are wanted and their key cannot be used.
    """
    privacy = config.privacy
    first = personal_from(privacy, today)
    key = read_key(config) if privacy.needs_key else b""
    everybody = View(people=privacy.people, personal_from=first, key=key)
    return [everybody, *(_view(audience, first, key) for audience in privacy.audiences)]


def _view(audience: Audience, first: date | None, key: bytes) -> View:
    return View(
        audience=audience.name,
        people=audience.people,
        teams=None if EVERYTHING in audience.teams else frozenset(audience.teams),
        dimensions=tuple(one for one in DIMENSIONS if one in audience.dimensions),
        members={one: frozenset(names) for one, names in audience.members.items()},
        others=audience.others,
        personal_from=first,
        key=key,
    )


def personal_from(privacy: Privacy, today: date | None = None) -> date | None:
    """Return the first day whose rows may name a person; none: all may."""
    if not privacy.personal_days:
        return None
    return (today or datetime.now(UTC).date()) - timedelta(privacy.personal_days)


def fingerprint_of(config: Config) -> str:
    """Return a digest of who may see whom today; empty where everybody sees everything."""
    if config.privacy.is_open:
        return ""
    return " ".join(view.fingerprint() for view in views_of(config))


def visible_to(config: Config, recipient: str, team: str | None) -> View:
    """Return what a recipient may see, given by user id or mail address, and by team.

    That is the first audience that names the recipient, else everybody's view with the people of
    the recipient's own team and totals of all others. The view's database is `database_of`.
    """
    views = views_of(config)
    wanted = recipient.casefold()
    for audience, view in zip(config.privacy.audiences, views[1:], strict=True):
        if wanted in (one.casefold() for one in audience.recipients):
            return view
    everybody = views[0]
    return View(
        people=everybody.people,
        teams=frozenset(() if team is None else (team,)),
        personal_from=everybody.personal_from,
        key=everybody.key,
    )


def database_of(generation: Path, view: View) -> Path:
    """Return the file of a generation that holds what a view shows."""
    return generation.with_name(file_name(generation.stem, view.audience))


def read_key(config: Config) -> bytes:
    """Return the secret that pseudonyms are made with; the first time, make it.

    Raises: ModelError where the variable is not set or too short, or others can read the file.
    """
    named = config.privacy.key_env
    if named:
        where = f"{config.path}, [privacy]"
        try:
            key = secret_of(named, where=where).encode()
        except SourceError:
            key = b""
        if len(key) < _SHORTEST_KEY:
            raise ModelError(
                f"{written(named)} is not set, or shorter than {_SHORTEST_KEY} characters",
                where=where,
                fix="set it to a long random text, and keep it: with another one everybody "
                "gets another pseudonym",
            )
        return key
    path = config.state_dir / KEY_FILE
    if not path.exists():
        _make_key(path)
    if path.stat().st_mode & _PRIVATE:
        raise ModelError(
            "others can read the key of the pseudonyms",
            where=str(path),
            fix="chmod 600; if somebody has read it, delete it: everybody gets another pseudonym",
        )
    return path.read_bytes()


def _make_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(_SHORTEST_KEY))
        file.flush()
        os.fsync(file.fileno())
    half.rename(path)


def share_with_groups(config: Config, generation: Path) -> None:
    """Give each audience's database to the group that the config file names.

    Raises: ModelError where mlspend is not in that group.
    """
    for audience in config.privacy.audiences:
        if audience.group:
            give_to_group(generation.with_name(file_name(generation.stem, audience.name)), audience)


def give_to_group(path: Path, audience: Audience) -> None:
    """Give a file, or a folder and all in it, to an audience's group.

    Raises: ModelError where mlspend is not in that group.
    """
    try:
        for each in [path, *path.rglob("*")]:
            shutil.chown(each, group=audience.group)
    except PermissionError as error:
        raise ModelError(
            f'the group "{audience.group}" cannot be given the files of "{audience.name}"',
            where=str(path),
            fix="add the user that runs mlspend to that group",
        ) from error


def site_rules(config: Config, audience: str) -> str:
    """Return what a site says of how much it shows."""
    if not audience:
        return config.privacy.people
    return next(view.rules for view in views_of(config) if view.audience == audience)


def collect_sites(config: Config) -> None:
    """Delete sites that name people who are not to be named any more.

    Those are sites filed before the first day that may name people, sites of audiences that are
    gone, and sites that showed more, or to an audience something else, than a new one would.
    """
    folder = config.state_dir / "reports" / AUDIENCES
    if config.privacy.is_open and not folder.exists():
        return
    names = {audience.name for audience in config.privacy.audiences}
    for site in folder.glob("*"):
        if site.name not in names:
            shutil.rmtree(site)
    for name in ("", *names):
        rules = site_rules(config, name)
        for marker in reports_of(config.state_dir, name).glob(f"[0-9]*/{SITE_MARKER}"):
            if _is_outdated(config.privacy, marker, rules):
                shutil.rmtree(marker.parent)


def _is_outdated(privacy: Privacy, marker: Path, rules: str) -> bool:
    first = personal_from(privacy)
    if first is not None and marker.parent.name < first.isoformat():
        return True
    shown = [*marker.read_text(encoding="ascii").split(), "names"][1]
    if rules in OPENNESS:
        return OPENNESS.index(shown) > OPENNESS.index(rules)
    return shown != rules
