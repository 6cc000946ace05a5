"""Asking Azure's Resource Manager: pages, patience, credentials, and what becomes of a refusal.

Source: https://learn.microsoft.com/rest/api/azure/
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError
from azure.identity import DefaultAzureCredential

from connectors.azure_calls import SUBSCRIPTIONS
from connectors.base import SourceError
from connectors.http import JsonService
from connectors.inventory_answers import Listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.azure_calls import Call
    from connectors.http import Answer

PUBLIC = "https://management.azure.com"
_WHERE = "[connectors.azure_inventory]"
_LOOPBACK = ("http://127.0.0.1:", "http://localhost:")
_SECONDS = 60.0
_UNKNOWN_TO_US, _DENIED, _ABSENT = 401, 403, 404
_NONE_OF_IT = frozenset(
    {"MissingSubscriptionRegistration", "SubscriptionNotRegistered", "NoRegisteredProviderFound"}
)
"""A subscription that never used a service has nothing of it."""


@dataclass(frozen=True)
class Azure:
    """Resource Manager, as an identity sees it."""

    address: str = PUBLIC

    def subscriptions(self) -> list[Listed]:
        """Return the pages that list the subscriptions.

        Raises: SourceError where they are refused, or there are no credentials.
        """
        pages = list(self._pages(SUBSCRIPTIONS, "", "/subscriptions", {}))
        for page in pages:
            if page.error:
                raise SourceError(
                    f"Azure does not list the subscriptions ({page.error})",
                    where=_WHERE,
                    fix=f"grant {page.permission}, or write their ids into `subscriptions`",
                )
        return pages

    def ask(self, calls: Sequence[Call], subscription: str) -> list[Listed]:
        """Make calls in a subscription, in their order.

        Raises: SourceError for credentials that Azure does not accept, or no answer at all.
        """
        answers: list[Listed] = []
        for call in calls:
            if call.of:
                answers += self._children(call, subscription, answers)
            else:
                path = f"/subscriptions/{subscription}/{call.path}"
                answers += self._pages(call, subscription, path, {})
        return answers

    def _children(
        self, call: Call, subscription: str, before: Sequence[Listed]
    ) -> Iterator[Listed]:
        """Ask about each thing that another call listed; one refusal speaks for all of them."""
        parents = [
            str(item["id"])
            for answer in before
            if answer.call == call.of and answer.page
            for item in answer.page.get("value", ())
            if (item.get("properties") or {}).get(call.unless[0]) != call.unless[1]
        ]
        if not parents:
            yield Listed(subscription, call.resource_type, call.name, None)
        for parent in parents:
            pages = list(self._pages(call, subscription, f"{parent}/{call.path}", {"id": parent}))
            yield from pages
            if pages[-1].permission:
                return

    def _pages(
        self, call: Call, subscription: str, path: str, asked: dict[str, str]
    ) -> Iterator[Listed]:
        kind, name = call.resource_type, call.name
        params: dict[str, str] | None = {"api-version": call.version, **call.params}
        following: str = path.lstrip("/")
        while following:
            answer = self._asked(following, params)
            if not answer.is_success:
                yield self._refused(answer, call, subscription, asked)
                return
            yield Listed(subscription, kind, name, answer.json, asked=asked)
            following, params = str(answer.json.get("nextLink") or ""), None
            if following and urlsplit(following)[:2] != urlsplit(self.address)[:2]:
                yield Listed(  # credentials go nowhere else
                    subscription, kind, name, None, asked=asked, error="StrangeNextLink"
                )
                return

    def _asked(self, path: str, params: dict[str, str] | None) -> Answer:
        sent: dict[str, Any] = {"params": params} if params else {}
        headers = {"authorization": f"Bearer {self._token()}"}
        answer = self._service.ask("GET", path, headers=headers, **sent)
        if answer.status == _UNKNOWN_TO_US:
            raise _no_credentials(_code_of(answer))
        return answer

    def _refused(
        self, answer: Answer, call: Call, subscription: str, asked: dict[str, str]
    ) -> Listed:
        code = _code_of(answer)
        is_gone = bool(asked) and answer.status == _ABSENT
        if is_gone or code in _NONE_OF_IT:
            return Listed(subscription, call.resource_type, call.name, None, asked=asked)
        return Listed(
            subscription,
            call.resource_type,
            call.name,
            None,
            asked=asked,
            error=code,
            said=str(_error_of(answer).get("message") or ""),
            permission=" and ".join(call.rights) if answer.status == _DENIED else "",
        )

    def _token(self) -> str:
        """Return a token; the library keeps it until it runs out.

        Raises: SourceError where there are no credentials.
        """
        is_near = self.address.startswith(_LOOPBACK)
        scope = PUBLIC if is_near else self.address.rstrip("/")
        try:
            token: str = self._credential.get_token(f"{scope}/.default").token
        except AzureError as error:
            raise _no_credentials(type(error).__name__) from error
        return token

    @cached_property
    def _credential(self) -> DefaultAzureCredential:
        return DefaultAzureCredential()

    @cached_property
    def _service(self) -> JsonService:
        if not self.address.startswith(("https://", *_LOOPBACK)):
            raise SourceError(
                "endpoint_url is not https, and credentials would be sent in the open",
                where=_WHERE,
                fix="write https://",
            )
        return JsonService.at("Azure", self.address, headers=dict, timeout_seconds=_SECONDS)


def _error_of(answer: Answer) -> dict[str, Any]:
    error = answer.json.get("error")
    return error if isinstance(error, dict) else {}


def _code_of(answer: Answer) -> str:
    return str(_error_of(answer).get("code") or answer.status)


def _no_credentials(code: str) -> SourceError:
    return SourceError(
        f"Azure does not accept the credentials, or there are none ({code})",
        where=_WHERE,
        fix="give the machine a managed identity, sign in with `az login`, or set "
        "AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET",
    )
