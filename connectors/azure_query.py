"""Azure Cost Management asked directly: what a scope was billed, and which exports it has.

The service answers few questions an hour and says how long to wait in headers of its own. Its sums
are read from the text of the answer, because the client library would make doubles of them.

Source: https://learn.microsoft.com/rest/api/cost-management/query/usage
"""

from __future__ import annotations

import io
import json
import time
from calendar import monthrange
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
)
from azure.core.rest import HttpRequest
from azure.identity import DefaultAzureCredential
from azure.mgmt.costmanagement import CostManagementClient

from connectors.base import SourceError, Stated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from azure.core.pipeline import PipelineResponse

_LOOPBACK = ("http://127.0.0.1:", "http://localhost:")
_ATTEMPTS = 5
_LONGEST_WAIT = 120.0
_BUSY = 429
_REFUSED = (401, 403)
_ABSENT = 404
_MOST_MONTHS = 12
_MOST_PAGES = 100
_COSTS = ("Cost", "PreTaxCost", "totalCost")
_MONTHS = ("BillingMonth", "UsageDate")


@dataclass(frozen=True, slots=True)
class CostManagement:
    """One scope of Cost Management."""

    scope: str
    """Such as `subscriptions/<id>`, or `providers/Microsoft.Billing/billingAccounts/<id>`."""
    address: str = ""
    """Of another cloud than Azure's public one."""

    def billed(self, periods: Sequence[str]) -> list[Stated]:
        """Return what was billed by month and currency: of the newest twelve of `periods`.

        Raises: SourceError where the service cannot be asked, or answers in another form.
        """
        months = sorted(periods)[-_MOST_MONTHS:]
        if not months:
            return []
        wanted = set(months)
        year, month = (int(part) for part in months[-1].split("-"))
        body = {
            "type": "ActualCost",
            "timeframe": "Custom",
            "timePeriod": {
                "from": f"{months[0]}-01T00:00:00Z",
                "to": f"{months[-1]}-{monthrange(year, month)[1]}T23:59:59Z",
            },
            "dataset": {
                "granularity": "Monthly",
                "aggregation": {"totalCost": {"name": "Cost", "function": "Sum"}},
            },
        }
        found = [stated for page in self._pages(body) for stated in self._rows(page)]
        return [stated for stated in found if stated.billing_period in wanted]

    def exports(self) -> list[str]:
        """Return a line about each export of the scope.

        Raises: SourceError where the service cannot be asked, or answers in another form.
        """
        text = self._patiently(
            lambda client, options: str(client.exports.list(self.scope, cls=_text_of, **options))
        )
        listed = self._parsed(text).get("value")
        if not isinstance(listed, list):
            raise self._strange("it lists no exports")
        return [_line_of(export) for export in listed if isinstance(export, dict)]

    def _pages(self, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield each page's properties."""
        content = json.dumps(body).encode()
        text = self._patiently(
            lambda client, options: str(
                client.query.usage(self.scope, io.BytesIO(content), cls=_text_of, **options)
            )
        )
        for _ in range(_MOST_PAGES):
            page = _mapping(self._parsed(text).get("properties"))
            yield page
            following = str(page.get("nextLink") or "")
            if not following:
                return
            request = HttpRequest("POST", following, json=body)
            text = self._patiently(_asking(request))
        raise self._strange(f"it has more than {_MOST_PAGES} pages")

    def _rows(self, page: Mapping[str, Any]) -> Iterator[Stated]:
        columns = [_mapping(column).get("name") for column in page.get("columns") or ()]
        cost, month = _place(columns, _COSTS), _place(columns, _MONTHS)
        currency = _place(columns, ("Currency",))
        if cost is None or month is None or currency is None:
            raise self._strange(f"its columns are {columns}")
        for row in page.get("rows") or ():
            try:
                digits = str(row[month]).replace("-", "")[:6]
                amount = Decimal(row[cost] or 0)
            except (IndexError, TypeError, InvalidOperation) as error:
                raise self._strange(f"a row is {row}") from error
            yield Stated(f"{digits[:4]}-{digits[4:]}", str(row[currency]), amount)

    def _parsed(self, text: str) -> dict[str, Any]:
        try:
            return _mapping(json.loads(text or "{}", parse_float=Decimal))
        except ValueError as error:
            raise self._strange("it is no JSON") from error

    def _patiently(self, ask: Callable[[CostManagementClient, dict[str, Any]], str]) -> str:
        """Ask, and where the service is busy wait as long as it says.

        Raises: SourceError where it refuses, or stays busy.
        """
        for attempt in range(_ATTEMPTS):
            try:
                with self._client() as client:
                    return ask(client, self._options())
            except HttpResponseError as error:
                if error.status_code != _BUSY or attempt == _ATTEMPTS - 1:
                    raise self._refusal(error) from error
                time.sleep(_wait_of(error))
            except AzureError as error:
                raise self._refusal(error) from error
        raise AssertionError

    def _client(self) -> CostManagementClient:
        if not self.address:
            return CostManagementClient(DefaultAzureCredential())
        is_near = self.address.startswith(_LOOPBACK)
        scope = "https://management.azure.com" if is_near else self.address.rstrip("/")
        return CostManagementClient(
            DefaultAzureCredential(), self.address, credential_scopes=[f"{scope}/.default"]
        )

    def _options(self) -> dict[str, Any]:
        """Return how each request is sent; only to this very machine may it be in the open."""
        options: dict[str, Any] = {"retry_total": 0, "connection_timeout": 10, "read_timeout": 120}
        return options | ({"enforce_https": False} if self.address.startswith(_LOOPBACK) else {})

    def _strange(self, why: str) -> SourceError:
        return SourceError(
            f"Cost Management answers in a form that mlspend does not know: {why}",
            where=self.scope,
            fix="report it as a fault; bills do not depend on it",
        )

    def _refusal(self, error: AzureError) -> SourceError:
        if isinstance(error, DecodeError):
            return self._strange("it is no JSON")
        status = error.status_code if isinstance(error, HttpResponseError) else None
        what, fix = f"Cost Management cannot be asked: {type(error).__name__}", "run again"
        if status is None and isinstance(error, ClientAuthenticationError):
            what = "there are no Azure credentials"
            fix = (
                "give the machine a managed identity, sign in with `az login`, or set "
                "AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET"
            )
        elif status in _REFUSED:
            what = f"access denied: the identity may not see the cost of this scope ({status})"
            fix = "give it the role Cost Management Reader there; cron/azure-roles.md says how"
        elif status == _ABSENT:
            what, fix = "there is no such scope", "mend `scope` in the config file"
        elif status == _BUSY:
            what = "Cost Management stays busy"
            fix = "ask again in an hour; it answers few questions at a time"
        elif status is not None:
            what = f"Cost Management answers {status}"
        return SourceError(what, where=self.scope, fix=fix)


def _asking(request: HttpRequest) -> Callable[[CostManagementClient, dict[str, Any]], str]:
    def ask(client: CostManagementClient, options: dict[str, Any]) -> str:
        response = client.send_request(request, **options)
        response.raise_for_status()
        return str(response.text())

    return ask


def _text_of(response: PipelineResponse[Any, Any], _: object, __: object) -> str:
    return str(response.http_response.text())


def _line_of(export: Mapping[str, Any]) -> str:
    """Say what an export is, whether it runs, and where it delivers."""
    facts = _mapping(export.get("properties"))
    schedule = _mapping(facts.get("schedule"))
    place = _mapping(_mapping(facts.get("deliveryInfo")).get("destination"))
    account = str(place.get("resourceId") or "").rpartition("/")[2]
    folder = str(place.get("rootFolderPath") or "").strip("/")
    name = str(export.get("name") or "")
    root = "/".join(filter(None, (account, str(place.get("container") or ""), folder, name)))
    kind = _mapping(facts.get("definition")).get("type") or "of no type"
    runs = f"{schedule.get('recurrence') or 'by hand'}, {schedule.get('status') or 'no schedule'}"
    return f"{name}: {kind}, {runs}, az://{root}"


def _wait_of(error: HttpResponseError) -> float:
    """Return how many seconds the service asks for, by any of its headers."""
    headers: Mapping[str, str] = getattr(error.response, "headers", {})
    waits = [
        float(value)
        for name, value in headers.items()
        if name.lower().endswith("retry-after") and value.isdigit()
    ]
    return min(max(waits, default=10.0), _LONGEST_WAIT)


def _place(columns: Sequence[object], names: Sequence[str]) -> int | None:
    return next((columns.index(name) for name in names if name in columns), None)


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
