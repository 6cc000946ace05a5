-- What a SKU of Google Cloud costs in a region, by the newest price list.
--
-- Of tiers the first that costs anything counts: free tiers say nothing about a price.
--
-- grain: one row per source, SKU and region
-- key:   source, sku_id, region_id
-- feeds: list_prices
-- owner: ml-platform

with

newest as (
    select *
    from raw.gcp_prices__list_prices
    qualify row(x_version_at, x_version) = max(row(x_version_at, x_version)) over (partition by x_source)
),

tiers as (
    select
        *,
        coalesce(region, 'global') as region_id,
        cast(unit_price as decimal(38, 12)) as price,
        cast(tier_start as double) as starts_at
    from newest
    where unit_price is not null
)

select
    x_source as source,
    'Google Cloud' as provider,
    service as service_name,
    sku_id,
    description as sku_meter,
    region_id,
    lower(usage_type) as usage_type,
    usage_unit as price_unit,
    price as unit_price,
    currency_code as billing_currency,
    effective_time as effective_at,
    x_version_at as observed_at
from tiers
qualify row_number() over (partition by x_source, sku_id, region_id order by price = 0, starts_at) = 1
