-- A provider's list price of a SKU in a region, whether anybody has used it or not.
--
-- grain: one row per source, SKU and region
-- key:   source, sku_id, region_id
-- owner: ml-platform

select
    source,
    provider,
    service_name,
    sku_id,
    sku_meter,  -- the words of the SKU
    region_id,
    usage_type,  -- ondemand, preemptible, commit1yr, ...
    price_unit,  -- h: an hour of one core, GPU or machine; GiBy.h: of one GiB
    unit_price,  -- of the first tier that is not free
    billing_currency,
    effective_at,
    observed_at  -- when the list was asked for
from staging.list_prices
