-- What a machine of our own costs on a day, in up to four lines: depreciation, power, hosting, support.
--
--   depreciation  F(i + 1) - F(i) on day i of n, F(i) = (price - residual) i / n rounded down to 1e-12:
--                 the days of a life add up to price less residual, to the last digit. A machine that
--                 leaves before its end is charged what is left on its last day.
--   power         kWh x price: those measured, else watts x 24 h
--   hosting,      the month's price in the same way over the days of the month
--   support
-- All of them are the machine's: they are shared among those who held it, and idle where nobody did.
-- Cash and amortised cost are the same, because the purchase itself is on no bill here.
--
-- Flaws: days are UTC days; a price that changes from one month to the next needs a card for each, or
-- restates the past.
--
-- grain:     one row per machine, day and kind of charge
-- partition: charge_date
-- feeds:     cost_lines
-- owner:     ml-platform

with

charged_days as (
    select
        *,
        datediff('day', in_service, day) as day_no,  -- from 0
        datediff('day', in_service, out_of_service) as last_day_no,  -- 1 past the last one charged
        datediff('day', in_service, in_service + to_months(cast(life_months as integer))) as life_days,
        day(day) as month_day,
        day(last_day(cast(day as date))) as month_days,
        whole_units(price) - whole_units(coalesce(residual, 0)) as worth
    from raw.rate_card__machine_days
),

charges as (
    select
        *,
        'Depreciation' as kind,
        units_cost(
            case
                when day_no + 1 >= last_day_no then worth
                else worth * least(day_no + 1, life_days) // life_days
            end
            - worth * least(day_no, life_days) // life_days
        ) as cost
    from charged_days
    union all
    select
        *,
        'Power' as kind,
        cast(
            cast(coalesce(measured_kwh, power_watts * 24 * 0.001) as decimal(18, 6))
            * cast(price_per_kwh as decimal(18, 6))
            as decimal(38, 12)
        ) as cost
    from charged_days
    where price_per_kwh is not null and coalesce(measured_kwh, power_watts) is not null
    union all
    select
        *,
        'Hosting' as kind,
        units_cost(
            whole_units(hosting_per_month) * month_day // month_days
            - whole_units(hosting_per_month) * (month_day - 1) // month_days
        ) as cost
    from charged_days
    where hosting_per_month is not null
    union all
    select
        *,
        'Support' as kind,
        units_cost(
            whole_units(support_per_month) * month_day // month_days
            - whole_units(support_per_month) * (month_day - 1) // month_days
        ) as cost
    from charged_days
    where support_per_month is not null
)

select
    x_source as source,
    cast(date_trunc('month', day) as date) as billing_period,
    cast(day as date) as charge_date,
    cast(null as timestamp) as charge_hour,
    day as charge_period_start,
    day + interval 1 day as charge_period_end,
    cost as billed_cost,
    cost as effective_cost,
    cost as list_cost,
    cost as contracted_cost,
    currency as billing_currency,
    account as billing_account_id,
    account as billing_account_name,
    cast(null as varchar) as sub_account_id,
    cast(null as varchar) as sub_account_name,
    cast(null as varchar) as invoice_id,
    provider as service_provider_name,
    provider as host_provider_name,
    'Compute' as service_category,
    'Own machines' as service_name,
    region as region_id,
    cast(null as varchar) as availability_zone,
    machine_id as resource_id,
    machine_name as resource_name,
    'Machine' as resource_type,
    'Usage' as charge_category,
    cast(null as varchar) as charge_class,
    'Recurring' as charge_frequency,
    kind || ' of ' || coalesce(machine_name, machine_id) as charge_description,
    cast(null as varchar) as commitment_discount_id,
    cast(null as varchar) as commitment_discount_type,
    cast(null as varchar) as commitment_discount_status,
    'Standard' as pricing_category,
    cast(
        case kind
            when 'Depreciation' then 24
            when 'Power' then coalesce(measured_kwh, power_watts * 24 * 0.001)
        end as decimal(38, 12)
    ) as consumed_quantity,
    case kind
        when 'Depreciation' then 'Hours'
        when 'Power' then 'kWh'
    end as consumed_unit,
    cast(null as varchar) as sku_id,
    kind as sku_meter,
    map_from_entries(
        list_filter(
            [
                struct_pack(k := 'team', v := charges.team),
                struct_pack(k := 'user', v := charges.user),
                struct_pack(k := 'project', v := charges.project)
            ],
            lambda tag: tag.v is not null
        )
    ) as tags,
    'instance' as x_line_class,
    instance_type as x_instance_type,
    cast(gpu_count as decimal(18, 6)) as x_gpu_count,
    cast(cpu_count as decimal(18, 6)) as x_cpu_count,
    cast(memory_gib as decimal(18, 6)) as x_memory_gib,
    cast(null as varchar) as x_from_region,
    cast(null as varchar) as x_to_region
from charges
