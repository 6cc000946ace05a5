-- What the work of a crew costs on a day, for one of those whom it works for.
--
--   day    F(d) - F(d - 1) on day d of n of the month, F(d) = price d / n rounded down to 1e-12: the
--          days of a month add up to its price, to the last digit.
--   part   G(p) - G(p before), G(p) = day x p / all parts rounded down, where parts run up over those
--          whom the crew works for: shares of 1, or the days that it worked for each in the month.
-- Cash and amortised cost are the same. A part that is for nobody goes by rules and sub-accounts, as
-- lines without a tag do.
--
-- Flaws: days are UTC days, and weekends bear as much as others; shares that change restate the past,
-- unless the crew ends and starts again under another name.
--
-- grain:     one row per crew, day and whom it works for
-- partition: charge_date
-- feeds:     cost_lines
-- owner:     ml-platform

with

work_days as (
    select
        *,
        whole_units(price_per_month) * day(day) // day(last_day(cast(day as date)))
        - whole_units(price_per_month) * (day(day) - 1) // day(last_day(cast(day as date))) as day_units,
        whole_units(part) as part_units,
        sum(whole_units(part)) over (
            partition by x_source, crew, day order by project, team, days.user, model
            rows between unbounded preceding and current row
        ) as upto_units,
        sum(whole_units(part)) over (partition by x_source, crew, day) as all_units
    from raw.people_card__work_days as days
),

charges as (
    select
        *,
        units_cost(
            cast(day_units * upto_units // all_units - day_units * (upto_units - part_units) // all_units as hugeint)
        ) as cost
    from work_days
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
    'Other' as service_category,
    coalesce(work, 'Work') as service_name,
    cast(null as varchar) as region_id,
    cast(null as varchar) as availability_zone,
    crew as resource_id,
    crew as resource_name,
    'Crew' as resource_type,
    'Usage' as charge_category,
    cast(null as varchar) as charge_class,
    'Recurring' as charge_frequency,
    coalesce(work, 'Work') || ' of ' || crew || coalesce(', by ' || split, '') as charge_description,
    cast(null as varchar) as commitment_discount_id,
    cast(null as varchar) as commitment_discount_type,
    cast(null as varchar) as commitment_discount_status,
    'Standard' as pricing_category,
    cast(null as decimal(38, 12)) as consumed_quantity,
    cast(null as varchar) as consumed_unit,
    cast(null as varchar) as sku_id,
    'Time' as sku_meter,
    map_from_entries(
        list_filter(
            [
                struct_pack(k := 'team', v := charges.team),
                struct_pack(k := 'user', v := charges.user),
                struct_pack(k := 'project', v := charges.project),
                struct_pack(k := 'x_model', v := charges.model)
            ],
            lambda tag: tag.v is not null
        )
    ) as tags,
    'other' as x_line_class,
    cast(null as varchar) as x_instance_type,
    cast(null as decimal(18, 6)) as x_gpu_count,
    cast(null as decimal(18, 6)) as x_cpu_count,
    cast(null as decimal(18, 6)) as x_memory_gib,
    cast(null as varchar) as x_from_region,
    cast(null as varchar) as x_to_region
from charges
