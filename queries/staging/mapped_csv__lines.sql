-- A line of an invoice whose columns are named in the config file.
--
-- A cost is read as it is written: thousands set off by spaces, apostrophes, or the one of comma and
-- point that is not the decimal mark. Cash and amortised cost are the same. The invoice's period is
-- the month of the charge, because such an invoice seldom says more.
--
-- grain:     one row per line
-- partition: charge_date
-- feeds:     cost_lines
-- owner:     ml-platform

with

priced_lines as (
    select
        *,
        cast(plain_number(cost, decimal_mark) as decimal(38, 12)) as amount
    from raw.mapped_csv__lines
)

select
    x_source as source,
    cast(date_trunc('month', date) as date) as billing_period,
    cast(date as date) as charge_date,
    cast(null as timestamp) as charge_hour,
    date as charge_period_start,
    date + interval 1 day as charge_period_end,
    amount as billed_cost,
    amount as effective_cost,
    amount as list_cost,
    amount as contracted_cost,
    currency as billing_currency,
    account as billing_account_id,
    cast(null as varchar) as billing_account_name,
    account as sub_account_id,
    cast(null as varchar) as sub_account_name,
    invoice as invoice_id,
    provider as service_provider_name,
    provider as host_provider_name,
    coalesce(category, 'Other') as service_category,
    coalesce(service, provider) as service_name,
    region as region_id,
    cast(null as varchar) as availability_zone,
    resource as resource_id,
    cast(null as varchar) as resource_name,
    cast(null as varchar) as resource_type,
    case line_class
        when 'tax' then 'Tax'
        when 'credit' then 'Credit'
        else 'Usage'
    end as charge_category,
    cast(null as varchar) as charge_class,
    cast(null as varchar) as charge_frequency,
    description as charge_description,
    cast(null as varchar) as commitment_discount_id,
    cast(null as varchar) as commitment_discount_type,
    cast(null as varchar) as commitment_discount_status,
    cast(null as varchar) as pricing_category,
    cast(plain_number(quantity, decimal_mark) as decimal(38, 12)) as consumed_quantity,
    unit as consumed_unit,
    cast(null as varchar) as sku_id,
    cast(null as varchar) as sku_meter,
    tags,
    line_class as x_line_class,
    cast(null as varchar) as x_instance_type,
    cast(null as decimal(18, 6)) as x_gpu_count,
    cast(null as decimal(18, 6)) as x_cpu_count,
    cast(null as decimal(18, 6)) as x_memory_gib,
    cast(null as varchar) as x_from_region,
    cast(null as varchar) as x_to_region
from priced_lines
