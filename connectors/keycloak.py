"""People, service accounts and teams of a Keycloak realm, by its admin API.

Keycloak tells of today alone. Each listing that differs from the one before is delivered under its
day, and the listings one after the other tell since when somebody was in a team, or was gone. The
plain list of users leaves service accounts out; the members of groups tell of those.

A client with the roles view-users and query-groups of realm-management may ask for all of it.
Of attributes only those that are named in the config file are copied, and no credentials.

Source: https://www.keycloak.org/docs-api/latest/rest-api/index.html
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from connectors.base import Delivery, SourceError, Table
from connectors.local import FrameFile
from connectors.platforms import check_address
from connectors.secrets import secret_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.base import Known
    from connectors.keycloak_realm import Listing, Realm

_log = logging.getLogger(__name__)

_IDS = ("username", "email", "id")
_SEGMENT = "(?:[^/~]|~.)+"  # a slash in a group's name is written ~/ in its path
_WHERE = "[connectors.keycloak]"


@dataclass(frozen=True, slots=True)
class Keycloak:
    """One realm of a Keycloak."""

    root: str = field(repr=False)
    """`https://sso.example`, up to where `/realms` and `/admin` follow."""
    realm: str
    """The realm that people are in, and the client too."""
    client_secret_env: str
    """Environment variable that holds the client's secret."""
    client_id: str = "mlspend"
    """A client with service accounts enabled."""
    team_groups: tuple[str, ...] = ("/teams/{team}", "/teams/{team}/**")
    """Paths of groups that are teams: {team} is the team, * any name, ** at the end all below."""
    user_id: str = "username"
    """What a person is called by in reports: `username`, `email` or `id`."""
    alias_attributes: tuple[str, ...] = ()
    """Attributes of users whose values are names that other systems give them."""
    identity_providers: tuple[str, ...] = ()
    """Identity providers whose names for users are aliases: one more request for each such user."""
    page_size: int = 100
    """Users or groups per request."""
    timeout_seconds: int = 60
    """How long one request may take."""

    name: ClassVar[str] = "keycloak"
    tables: ClassVar[Sequence[Table]] = (
        Table(
            "users",
            {
                "id": "text",
                "username": "text",
                "first_name": "text",
                "last_name": "text",
                "email": "text",
                "is_enabled": "flag",
                "service_account_client_id": "text",
                "attributes": "text",
                "identities": "text",
                "group_paths": "text",
                "id_from": "text",
                "team_patterns": "text",
            },
        ),
    )

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises: SourceError
        """
        if self.user_id not in _IDS:
            raise _misuse(f'user_id is "{self.user_id}"', f"choose one of {', '.join(_IDS)}")
        if self.page_size < 2:  # noqa: PLR2004 - pages overlap by one
            raise _misuse(f"page_size is {self.page_size}", "ask for 2 or more at a time")
        team_patterns(self.team_groups)

    def check(self) -> None:
        """Refuse settings that contradict each other.

        Raises: SourceError
        """
        check_address(self.root, self.name)

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield the realm's users, if they are not as they were delivered.

        Raises: SourceError
        """
        yield from self.deliveries_at(known, datetime.now(UTC))

    def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
        """Yield the listing made at a time, whose day is its unit."""
        with self._open() as realm:
            rows = self._rows(realm.listing(self.identity_providers))
            _log.info("keycloak: %d requests", realm.requests)
        version = hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:32]
        if known.cursor("users") == version:
            return
        import polars as pl  # noqa: PLC0415  (slow to import; most nights nobody moves)

        kinds = {
            name: pl.Boolean if kind == "flag" else pl.String
            for name, kind in self.tables[0].columns.items()
        }
        files = [FrameFile("users", pl.DataFrame(rows, schema=kinds, orient="row"))]
        yield Delivery(
            "users",
            f"{at.astimezone(UTC):%Y-%m-%d}",
            version,
            at,
            files,
            cursor=version,
            stated_rows=len(rows),
        )

    def _open(self) -> Realm:
        from connectors.keycloak_realm import Realm  # noqa: PLC0415 - loads an HTTP client

        if not self.root.startswith(("http://", "https://")) or "@" in self.root:
            raise _misuse(
                "root is not an address without credentials", 'write "https://sso.example"'
            )
        return Realm.at(
            self.root,
            self.realm,
            (self.client_id, lambda: secret_of(self.client_secret_env, where=_WHERE)),
            is_team=re.compile("|".join(team_patterns(self.team_groups))),
            page_size=self.page_size,
            timeout_seconds=self.timeout_seconds,
        )

    def _rows(self, listing: Listing) -> list[tuple[object, ...]]:
        """Return a row for each user, by id."""
        patterns = json.dumps(team_patterns(self.team_groups))
        return [
            (
                user["id"],
                user.get("username"),
                user.get("firstName"),
                user.get("lastName"),
                user.get("email"),
                user.get("enabled") is not False,
                user.get("serviceAccountClientId"),
                json.dumps(self._attributes(user.get("attributes") or {})),
                json.dumps(listing.identities.get(user["id"], [])),
                json.dumps(sorted(listing.groups.get(user["id"], ()))),
                self.user_id,
                patterns,
            )
            for user in sorted(listing.users.values(), key=lambda user: str(user["id"]))
        ]

    def _attributes(self, told: Mapping[str, Sequence[str]]) -> list[str]:
        return sorted({value for name in self.alias_attributes for value in told.get(name) or ()})


def team_patterns(paths: Sequence[str]) -> list[str]:
    """Return the regular expressions that fit the paths of teams; their only group is the team.

    They hold nothing but what Python and the database understand alike.

    Raises: SourceError for a path that means nothing.
    """
    fits = []
    for path in paths:
        parts = path.split("/")
        names, is_deep = (parts[1:-1], True) if parts[-1] == "**" else (parts[1:], False)
        if parts[0] or "" in names or "**" in names or names.count("{team}") != 1:
            raise _misuse(
                f'team_groups has "{path}"',
                'write a path such as "/teams/{team}", with {team} in the place of one name',
            )
        known = {"{team}": f"({_SEGMENT})", "*": _SEGMENT}
        fit = "/".join(known.get(name, re.escape(name)) for name in names)
        fits.append(f"^/{fit}{'/.+' if is_deep else ''}$")
    if not fits:
        raise _misuse("team_groups is empty", 'name the groups of teams, such as "/teams/{team}"')
    return fits


def _misuse(what: str, fix: str) -> SourceError:
    return SourceError(what, where=_WHERE, fix=fix)
