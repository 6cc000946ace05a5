"""Google's public price list: what a SKU costs in each region, as the Cloud Billing catalog says.

The list tells what things cost where nobody has used them yet: the same machine in another region.
Prices come as whole units and billionths, so no double touches them. A delivery is the whole list
of the services asked for; the newest counts. Any credentials that Google knows will do: the list is
public, the key that asks needs no role.

Source: https://cloud.google.com/billing/docs/reference/rest/v1/services.skus/list
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from connectors.base import ColumnType, Delivery, SourceError, Table
from connectors.local import FrameFile
from connectors.tally import count_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from google.cloud.billing_v1 import CloudCatalogClient, PricingExpression, Sku

    from connectors.base import Known

_TEXTS = (
    "currency_code",
    "description",
    "region",
    "resource_family",
    "resource_group",
    "service",
    "service_id",
    "sku_id",
    "tier_start",
    "unit_price",
    "usage_type",
    "usage_unit",
)
_COLUMNS: Mapping[str, ColumnType] = {**dict.fromkeys(_TEXTS, "text"), "effective_time": "time"}
_SECONDS = 120.0
_PAGE = 5000


@dataclass(frozen=True, slots=True)
class GcpPrices:
    """The list prices of some services of Google Cloud."""

    services: tuple[str, ...] = ("Compute Engine", "Cloud Storage", "Networking", "Vertex AI")
    """The services, as bills call them."""
    currency: str = "USD"
    """The currency to ask for, ISO 4217."""
    refresh_days: int = 7
    """How old the list may grow before it is asked for again, in days; 0: every night."""
    endpoint_url: str = ""
    """Another address than Google's own."""

    name: ClassVar[str] = "gcp_prices"
    tables: ClassVar[Sequence[Table]] = (Table(name="list_prices", columns=_COLUMNS),)

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield the list, where it is due and differs from the newest known.

        Raises: SourceError
        """
        yield from self.deliveries_at(known, datetime.now(UTC))

    def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
        """Yield the list as of a time."""
        table = self.tables[0].name
        last = known.cursor(table)
        if last and at - datetime.fromisoformat(last) < timedelta(days=self.refresh_days):
            return
        rows = self._ask()
        digest = hashlib.sha256(repr(rows).encode()).hexdigest()[:32]
        import polars as pl  # noqa: PLC0415  (slow to load)

        frame = pl.DataFrame(
            rows,
            schema={**dict.fromkeys(_TEXTS, pl.String), "effective_time": pl.Datetime("us")},
            orient="row",
        )
        # the day belongs to the version: a list that has not changed is still a newer look at it
        yield Delivery(
            table=table,
            unit="all",
            version=f"{at:%Y-%m-%d}-{digest}",
            version_at=at,
            files=[FrameFile("list_prices.parquet", frame)],
            cursor=at.isoformat(),
            stated_rows=len(rows),
        )

    def _ask(self) -> list[tuple[Any, ...]]:
        """Return a row per SKU, region and tier, in their order.

        Raises: SourceError
        """
        from google.api_core.exceptions import GoogleAPIError  # noqa: PLC0415  (slow to load)
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415
        from requests.exceptions import RequestException  # noqa: PLC0415

        try:
            client = self._client()
            ids = self._ids(client)
            rows = [
                row
                for service, parent in ids.items()
                for sku in client.list_skus(
                    {"parent": parent, "currency_code": self.currency, "page_size": _PAGE},
                    timeout=_SECONDS,
                )
                for row in _rows(service, parent, sku)
            ]
        except GoogleAuthError as error:
            raise self._refused(f"Google does not know us: {_first_line(error)}") from error
        except (GoogleAPIError, RequestException) as error:
            raise self._refused(f"the price list does not come: {_first_line(error)}") from error
        return sorted(rows, key=repr)

    def _client(self) -> CloudCatalogClient:
        from google.cloud.billing_v1 import CloudCatalogClient  # noqa: PLC0415  (slow to load)
        from google.cloud.billing_v1.services.cloud_catalog.transports.rest import (  # noqa: PLC0415
            CloudCatalogRestTransport,
        )

        if not self.endpoint_url:
            client = CloudCatalogClient(transport="rest")
            used: Any = client.transport
            count_session(used._session)  # noqa: SLF001 - it has no other name
            return client
        address = urlsplit(self.endpoint_url)
        transport = CloudCatalogRestTransport(host=address.netloc, url_scheme=address.scheme)
        count_session(transport._session)  # noqa: SLF001
        return CloudCatalogClient(transport=transport)

    def _ids(self, client: CloudCatalogClient) -> dict[str, str]:
        """Return service -> its name in the catalog.

        Raises: SourceError for a service that the catalog has not.
        """
        there = {
            service.display_name: service.name
            for service in client.list_services({"page_size": _PAGE}, timeout=_SECONDS)
        }
        for wanted in self.services:
            if wanted not in there:
                near = get_close_matches(wanted, there, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise SourceError(
                    f"Google's price list has no service {wanted!r}{hint}",
                    where="`services` in [connectors.gcp_prices]",
                    fix="write it as the bill does",
                )
        return {service: there[service] for service in self.services}

    def _refused(self, what: str) -> SourceError:
        return SourceError(
            what,
            where=self.endpoint_url or "cloudbilling.googleapis.com",
            fix="run again; if it lasts, switch the Cloud Billing API on in the key's project, and "
            "see that GOOGLE_APPLICATION_CREDENTIALS names the key",
        )


def _rows(service: str, parent: str, sku: Sku) -> Iterator[tuple[Any, ...]]:
    """Yield a SKU's newest price, by region and tier; the columns are _TEXTS and the time."""
    prices = sorted(sku.pricing_info, key=lambda each: each.effective_time)
    newest = prices[-1] if prices else None
    expression = newest.pricing_expression if newest else None
    tiers: list[PricingExpression.TierRate | None] = []
    if expression is not None:
        tiers += expression.tiered_rates
    effective = newest.effective_time.replace(tzinfo=None) if newest else None
    regions: list[str | None] = [*sku.service_regions] or [None]
    for region in regions:
        for tier in tiers or [None]:
            yield (
                tier.unit_price.currency_code if tier else None,
                sku.description,
                region,
                sku.category.resource_family,
                sku.category.resource_group,
                service,
                parent.removeprefix("services/"),
                sku.sku_id,
                repr(tier.start_usage_amount) if tier else None,
                _text(tier.unit_price.units, tier.unit_price.nanos) if tier else None,
                sku.category.usage_type,
                expression.usage_unit if expression else None,
                effective,
            )


def _text(units: int, nanos: int) -> str:
    """Return whole units and billionths, which have the same sign, as one number."""
    sign = "-" if units < 0 or nanos < 0 else ""
    return f"{sign}{abs(units)}.{abs(nanos):09d}"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
