"""Keycloak's admin API: a token that is renewed in time, lists in pages, the tree of groups.

Pages are told by an offset, so who comes or goes meanwhile would be read twice or not at all.
Each page therefore begins with the last entry of the one before; where it does not, the list is
read anew.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from connectors.base import SourceError
from connectors.http import JsonService
from connectors.secrets import as_bearer

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator, Sequence
    from typing import Self

    from connectors.http import Answer, Json

_TRIES = 3
_EARLY = 10.0
"""Seconds before its end at which a token is renewed."""
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404


@dataclass(frozen=True, slots=True)
class Listing:
    """All that a realm told."""

    users: dict[str, Json]
    """Id -> user; service accounts as far as they are in a team's group."""
    groups: dict[str, set[str]]
    """User's id -> paths of the teams' groups they are in."""
    identities: dict[str, list[dict[str, str]]]
    """User's id -> what identity providers call them."""


@dataclass(slots=True)
class Realm:
    """A realm, asked as one of its clients."""

    service: JsonService
    name: str
    client: tuple[str, Callable[[], str]] = field(repr=False)
    """Its id, and what reads its secret."""
    is_team: re.Pattern[str]
    page_size: int
    _token: str = field(default="", repr=False)
    _renew_at: float = 0.0

    @classmethod
    def at(  # noqa: PLR0913 - what it takes to ask
        cls,
        root: str,
        name: str,
        client: tuple[str, Callable[[], str]],
        *,
        is_team: re.Pattern[str],
        page_size: int,
        timeout_seconds: float,
    ) -> Self:
        """Connect to the Keycloak at an address."""
        service = JsonService.at("Keycloak", root, headers=dict, timeout_seconds=timeout_seconds)
        return cls(service, quote(name, safe=""), client, is_team, page_size)

    def __enter__(self) -> Self:
        """Use the connection for a while."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.service.__exit__()

    @property
    def requests(self) -> int:
        """Requests so far."""
        return self.service.requests

    def listing(self, providers: Sequence[str]) -> Listing:
        """Return the realm's users, with their teams' groups and what `providers` call them.

        Raises: SourceError
        """
        users = {user["id"]: user for user in self._list("users", briefRepresentation="false")}
        if not users:
            raise self._wrong("Keycloak lists nobody", "users")
        teams = {}
        paths: list[str] = []
        for group in self._groups():
            paths.append(group["path"])
            if self.is_team.search(group["path"]):
                teams[group["id"]] = group["path"]
        if not teams:
            there = ", ".join(sorted(paths)[:10]) or "none at all"
            raise SourceError(
                f"no group fits team_groups; there are {there}",
                where=f"{self.service.where} (realm {self.name})",
                fix='name the groups of teams in team_groups, such as "/teams/{team}"',
            )
        groups: dict[str, set[str]] = {}
        for group_id, path in teams.items():
            for user in self._list(f"groups/{group_id}/members", briefRepresentation="false"):
                users.setdefault(user["id"], user)
                groups.setdefault(user["id"], set()).add(path)
        return Listing(users, groups, self._identities(providers))

    def _groups(self) -> Iterator[Json]:
        """Yield every group, at any depth."""
        waiting = self._list("groups", briefRepresentation="true")
        while waiting:
            group = waiting.pop()
            yield group
            if group.get("subGroups"):  # before Keycloak 23 the whole tree is in the answer
                waiting += group["subGroups"]
            elif group.get("subGroupCount"):
                waiting += self._list(f"groups/{group['id']}/children", briefRepresentation="true")

    def _identities(self, providers: Sequence[str]) -> dict[str, list[dict[str, str]]]:
        linked = {
            user["id"]
            for provider in providers
            for user in self._list("users", idpAlias=provider, briefRepresentation="true")
        }
        found = {}
        for user_id in sorted(linked):
            path = f"users/{user_id}/federated-identity"
            answer = self._ask(path)
            if answer.status == _NOT_FOUND:  # deleted since it was listed
                continue
            if answer.listed is None:
                raise self._refused(answer, path)
            found[user_id] = [
                {"user_id": one.get("userId") or "", "user_name": one.get("userName") or ""}
                for one in sorted(answer.listed, key=lambda one: str(one["identityProvider"]))
                if one["identityProvider"] in providers
            ]
        return found

    def _list(self, path: str, **asked: str) -> list[Json]:
        for _ in range(_TRIES):
            found = self._list_once(path, asked)
            if found is not None:
                return found
        raise self._wrong(f"Keycloak's list changed in each of {_TRIES} readings", path)

    def _list_once(self, path: str, asked: dict[str, str]) -> list[Json] | None:
        """Return a list, none where somebody came or went meanwhile."""
        found: list[Json] = []
        while True:
            last = max(len(found) - 1, 0)
            answer = self._ask(path, **asked, first=last, max=self.page_size)
            if answer.listed is None:
                raise self._refused(answer, path)
            page = answer.listed
            if found:
                if not page or page[0]["id"] != found[-1]["id"]:
                    return None
                page = page[1:]
            if not page:
                return found
            found += page

    def _ask(self, path: str, **params: Any) -> Answer:
        whole = f"admin/realms/{self.name}/{path}"
        answer = self._ask_once(whole, params, is_fresh=False)
        if answer.status == _UNAUTHORIZED:
            answer = self._ask_once(whole, params, is_fresh=True)
        return answer

    def _ask_once(self, path: str, params: dict[str, Any], *, is_fresh: bool) -> Answer:
        headers = as_bearer(self._valid_token(is_fresh=is_fresh))
        return self.service.ask("GET", path, params=params, headers=headers)

    def _valid_token(self, *, is_fresh: bool) -> str:
        if self._token and not is_fresh and time.monotonic() < self._renew_at:
            return self._token
        path = f"realms/{self.name}/protocol/openid-connect/token"
        client_id, secret_now = self.client
        asked_at = time.monotonic()
        answer = self.service.ask(
            "POST",
            path,
            data={
                "grant_type": "client_credentials",
                "client_id": client_id,
                "client_secret": secret_now(),
            },
        )
        token = answer.json.get("access_token")
        if not answer.is_success or not isinstance(token, str):
            code = str(answer.json.get("error", ""))
            said = code if code.replace("_", "").isalpha() else answer.reason
            raise SourceError(
                f"Keycloak gives no token: {answer.status} {said}",
                where=f"{self.service.where} ({path})",
                fix="check root, realm, client_id and the secret that client_secret_env names; the "
                "client needs client authentication and service accounts enabled",
            )
        lasts = float(answer.json.get("expires_in") or 0)
        self._token, self._renew_at = token, asked_at + lasts - min(_EARLY, lasts / 2)
        return token

    def _refused(self, answer: Answer, path: str) -> SourceError:
        if answer.status == _FORBIDDEN:
            return self._wrong("Keycloak answers 403 Forbidden", path)
        return self.service.refusal(answer, path, said="", credentials="client_secret_env")

    def _wrong(self, what: str, path: str) -> SourceError:
        return SourceError(
            what,
            where=f"{self.service.where} (realm {self.name}, {path})",
            fix="give the client's service account the roles view-users and query-groups of "
            "realm-management; without them Keycloak leaves people out",
        )
