-- What a GPU-hour costs at list price, by region, cheapest first.
--
-- grain: one row per SKU and region
-- param: gpu = ''  -- a part of the SKU's words, such as H100; empty: every GPU

select
    sku_meter,
    region_id,
    usage_type,
    unit_price,
    billing_currency,
    cast(effective_at as date) as effective_date
from marts.list_prices
where
    lower(sku_meter) like '%gpu%'
    and price_unit = 'h'
    and ($gpu = '' or contains(lower(sku_meter), lower($gpu)))
order by
    billing_currency,
    unit_price,
    sku_meter,
    region_id
