"""Google's price list: asked for through the official client, exact, asked for when due."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from google.cloud.billing_v1 import (  # noqa: TID251 - the counterpart
    Category,
    PricingExpression,
    PricingInfo,
    Sku,
)
from google.type.money_pb2 import Money  # type: ignore[import-untyped]

from connectors.base import SourceError
from connectors.gcp_prices import GcpPrices
from queries.catalog import HOME, read_model
from queries.checks import check_model
from queries.engines.duckdb import Limits, connect
from queries.landed import Landed, LandedFile
from queries.raw import create_raw_view
from queries.stage import check_feed
from tests.connectors.known import Memory
from tests.servers.bigquery import NOWHERE, utc, write_key
from tests.servers.google_catalog import Catalog, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from connectors.base import Delivery

pytestmark = pytest.mark.servers


def sku(number: str, words: str, *tiers: tuple[float, int, int], **changes: Any) -> Sku:
    """Return a SKU as the catalog has it; a tier is its start, units and billionths."""
    rates = [
        PricingExpression.TierRate(
            start_usage_amount=start,
            unit_price=Money(currency_code="USD", units=units, nanos=nanos),
        )
        for start, units, nanos in tiers
    ]
    expression = PricingExpression(usage_unit="h", tiered_rates=rates)
    newest = PricingInfo(effective_time=utc(2026, 11, 1), pricing_expression=expression)
    old = PricingInfo(effective_time=utc(2026, 1, 1), pricing_expression=PricingExpression())
    return Sku(
        sku_id=number,
        description=words,
        category=Category(resource_family="Compute", resource_group="GPU", usage_type="OnDemand"),
        pricing_info=[newest, old] if tiers else [],
        **{"service_regions": ["us-central1", "europe-west4"], **changes},
    )


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    skus = [
        sku("A", "Nvidia Tesla A100 GPU running in Americas", (0.0, 2, 933_908_000)),
        sku("B", "Storage with a free tier", (0.0, 0, 0), (5.0, 0, 20_000_001)),
        sku("C", "Without a region", (0.0, 0, 1), service_regions=[]),
        sku("D", "Without a price"),
        sku("E", "Free", (0.0, 0, 0)),
    ]
    with serving(Catalog({"Cloud Storage": [], "BigQuery": [], "Compute Engine": skus})) as it:
        key = write_key(tmp_path / "key.json", it.address)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
        monkeypatch.setenv("HTTPS_PROXY", NOWHERE)
        yield it


def source(catalog: Catalog, *services: str) -> GcpPrices:
    return GcpPrices(services=services or ("Compute Engine",), endpoint_url=catalog.address)


def stage(found: Sequence[Delivery], folder: Path) -> list[tuple[Any, ...]]:
    """Return what the staged list says of each SKU and region."""
    con = connect(Limits(threads=1))
    try:
        landed = []
        for number, delivery in enumerate(found):
            path = folder / f"{number}.parquet"
            with delivery.files[0].open() as stream:
                path.write_bytes(stream.read())
            at = delivery.version_at.replace(tzinfo=None)
            files = (LandedFile(path, path.name, "parquet", str(number)),)
            landed.append(
                Landed("g", "gcp_prices", "list_prices", "all", delivery.version, at, files, at)
            )
        create_raw_view(con, "gcp_prices", GcpPrices.tables[0], landed)
        model = read_model(HOME / "staging" / "gcp_prices__list_prices.sql")
        con.execute("create schema staging")
        con.execute(f"create table {model.name} as {model.sql}")
        check_feed(con, model, model.name)
        check_model(con, model)
        return con.execute(
            f"select sku_id, region_id, unit_price, billing_currency, usage_type, effective_at "
            f"from {model.name} order by all"
        ).fetchall()
    finally:
        con.close()


def test_prices_are_those_of_the_list_to_the_last_billionth(
    catalog: Catalog, tmp_path: Path
) -> None:
    (delivery,) = source(catalog).deliveries(Memory())
    rest = ("USD", "ondemand", datetime(2026, 11, 1))  # noqa: DTZ001 - UTC without a zone
    assert delivery.stated_rows == 11
    assert stage([delivery], tmp_path) == [
        ("A", "europe-west4", Decimal("2.933908000"), *rest),
        ("A", "us-central1", Decimal("2.933908000"), *rest),
        ("B", "europe-west4", Decimal("0.020000001"), *rest),
        ("B", "us-central1", Decimal("0.020000001"), *rest),
        ("C", "global", Decimal("0.000000001"), *rest),
        ("E", "europe-west4", Decimal(0), *rest),
        ("E", "us-central1", Decimal(0), *rest),
    ]
    assert sum("/skus" in path for path in catalog.asked) == 3, "five SKUs, two to a page"
    assert all("currencyCode=USD" in path for path in catalog.asked if "/skus" in path)


def test_the_newest_list_alone_counts(catalog: Catalog, tmp_path: Path) -> None:
    old = list(source(catalog).deliveries_at(Memory(), utc(2026, 11, 1)))
    catalog.services["Compute Engine"] = [sku("A", "GPU", (0.0, 1, 5), service_regions=["x"])]
    new = list(source(catalog).deliveries_at(Memory(), utc(2026, 11, 9)))
    rows = stage([*new, *old], tmp_path)
    assert [row[:3] for row in rows] == [("A", "x", Decimal("1.000000005"))]


def test_the_list_is_asked_for_when_it_is_due(catalog: Catalog) -> None:
    class Asked(Memory):
        def cursor(self, table: str) -> str | None:
            return utc(2026, 11, 1).isoformat() if table == "list_prices" else None

    assert list(source(catalog).deliveries_at(Asked(), utc(2026, 11, 7))) == []
    assert catalog.asked == []
    assert len(list(source(catalog).deliveries_at(Asked(), utc(2026, 11, 8)))) == 1


def test_a_service_that_is_not_on_the_list_is_refused(catalog: Catalog) -> None:
    with pytest.raises(SourceError, match="did you mean Compute Engine") as caught:
        list(source(catalog, "Compute Engin").deliveries(Memory()))
    assert caught.value.__notes__


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_says_what_to_do(catalog: Catalog, status: int) -> None:
    catalog.status = status
    with pytest.raises(SourceError, match=r"does not come|does not know us") as caught:
        list(source(catalog).deliveries(Memory()))
    assert "Cloud Billing API" in caught.value.__notes__[1]


def test_a_key_that_is_none_is_told(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text("{}", "utf-8")
    with pytest.raises(SourceError, match="does not know us"):
        list(source(catalog).deliveries(Memory()))
