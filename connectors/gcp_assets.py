"""Asking Google's Cloud Asset Inventory: pages, patience, credentials, and refusals.

It lists a project, a folder or a whole organization, and refuses where the right is wanting on any
of it, so that what it lists is whole.

Source: https://docs.cloud.google.com/asset-inventory/docs/reference/rest/v1/assets/list
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import google.auth
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request

from connectors.base import SourceError
from connectors.http import JsonService
from connectors.inventory_answers import Listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.http import Answer

PUBLIC: Final = "https://cloudasset.googleapis.com"
PERMISSION: Final = "cloudasset.assets.listResource"
_WHERE = "[connectors.gcp_inventory]"
_LOOPBACK = ("http://127.0.0.1:", "http://localhost:")
_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_SECONDS = 120.0
_PAGE = 1000
_UNKNOWN_TO_US, _DENIED = 401, 403


@dataclass(frozen=True)
class CloudAssets:
    """Cloud Asset Inventory, as an account of Google sees it."""

    address: str = PUBLIC

    def ask(self, scope: str, kinds: Mapping[str, Sequence[str]]) -> Iterator[Listed]:
        """Yield the pages that list kinds of things in `organizations/1` and the like.

        `kinds` is what they are called here -> Google's types of asset.
        Raises: SourceError for credentials that Google does not accept, or no answer at all.
        """
        for kind, types in kinds.items():
            yield from self._pages(scope, kind, types)

    def _pages(self, scope: str, kind: str, types: Sequence[str]) -> Iterator[Listed]:
        path, call = f"v1/{scope}/assets", f"assets.{kind}"
        params: dict[str, Any] = {
            "contentType": "RESOURCE",
            "assetTypes": list(types),
            "pageSize": _PAGE,
        }
        while True:
            answer = self._asked(path, params)
            if not answer.is_success:
                yield _refused(answer, scope, kind, call)
                return
            yield Listed(scope, kind, call, answer.json)
            token = str(answer.json.get("nextPageToken") or "")
            if not token:
                return
            params |= {"pageToken": token}

    def _asked(self, path: str, params: Mapping[str, Any]) -> Answer:
        answer = self._service.ask("GET", path, params=params, headers=self._headers())
        if answer.status == _UNKNOWN_TO_US:
            raise _no_credentials(_error_of(answer).get("status") or str(answer.status))
        return answer

    def _headers(self) -> dict[str, str]:
        """Return what tells Google who asks, and whose quota it is.

        Raises: SourceError where Google does not know us.
        """
        try:
            if not self._credentials.valid:
                self._credentials.refresh(Request())
        except GoogleAuthError as error:
            raise _no_credentials(type(error).__name__) from error
        headers = {"authorization": f"Bearer {self._credentials.token}"}
        quota = getattr(self._credentials, "quota_project_id", None)
        return headers | ({"x-goog-user-project": quota} if quota else {})

    @cached_property
    def _credentials(self) -> Any:
        try:
            found, _ = google.auth.default(scopes=_SCOPES)
        except GoogleAuthError as error:
            raise _no_credentials(type(error).__name__) from error
        return found

    @cached_property
    def _service(self) -> JsonService:
        if not self.address.startswith(("https://", *_LOOPBACK)):
            raise SourceError(
                "endpoint_url is not https, and credentials would be sent in the open",
                where=_WHERE,
                fix="write https://",
            )
        return JsonService.at("Google", self.address, headers=dict, timeout_seconds=_SECONDS)


def _refused(answer: Answer, scope: str, kind: str, call: str) -> Listed:
    error = _error_of(answer)
    said = str(error.get("message") or answer.reason)
    is_off = "has not been used" in said or "is disabled" in said
    wants = f"{PERMISSION} on {scope}" if answer.status == _DENIED and not is_off else ""
    code = str(error.get("status") or answer.status)
    return Listed(scope, kind, call, None, error=code, said=said, permission=wants)


def _error_of(answer: Answer) -> dict[str, Any]:
    error = answer.json.get("error")
    return error if isinstance(error, dict) else {}


def _no_credentials(code: str) -> SourceError:
    return SourceError(
        f"Google does not accept the credentials, or there are none ({code})",
        where=_WHERE,
        fix="give the machine a service account, or let GOOGLE_APPLICATION_CREDENTIALS name its "
        "key; cron/gcp-roles.md says what it needs",
    )
