-- One row is about bill lines that only differ in hour and amount, as a FOCUS row will describe them.
--
-- `group_hash` is what a line has in common with the postings that were cut from it.
--
-- What a savings plan covers is billed at the price on demand and taken back by a line beside it;
-- FOCUS has one line that is billed 0, and so has this.
--
-- grain: one row per group and set of texts

with

lines as (
    select
        *,
        coalesce(
            charge_category = 'Usage' and commitment_discount_id is not null
            and x_line_class <> 'commitment_unused',
            false
        ) as is_covered
    from staging.cost_lines
)

select
    charge_date,
    source,
    billing_currency,
    hash(
        billing_period, sub_account_id, service_name, region_id, resource_id, x_line_class,
        x_from_region, x_to_region, tag_of_user(tags), tag_of_team(tags), tag_of_project(tags)
    ) as group_hash,
    hash(billing_period, sub_account_id, service_name, region_id) as pool_hash,
    billing_period,
    case
        when charge_period_end > charge_date + interval 1 day then charge_period_start
        else cast(charge_date as timestamp)
    end as period_start,
    case
        when charge_period_end > charge_date + interval 1 day then charge_period_end
        else charge_date + interval 1 day
    end as period_end,
    billing_account_id,
    billing_account_name,
    sub_account_id,
    sub_account_name,
    invoice_id,
    service_provider_name,
    host_provider_name,
    service_category,
    service_name,
    region_id,
    availability_zone,
    resource_id,
    resource_name,
    resource_type,
    charge_category,
    charge_class,
    charge_frequency,
    case when is_covered then 'Usage covered by a commitment' else charge_description end as charge_description,
    commitment_discount_id,
    commitment_discount_type,
    case when is_covered then 'Used' else commitment_discount_status end as commitment_discount_status,
    case when is_covered then 'Committed' else pricing_category end as pricing_category,
    case when not is_covered then consumed_unit end as unit_of_group,
    sku_id,
    sku_meter,
    tags,
    x_line_class,
    max(consumed_unit) as consumed_unit,
    count(*) as line_count,
    cast(
        sum(case when is_covered and billed_cost < 0 then 0 else consumed_quantity end) as decimal(38, 12)
    ) as consumed_quantity,
    cast(sum(effective_cost) as decimal(38, 12)) as effective_cost,
    cast(sum(billed_cost) as decimal(38, 12)) as billed_cost,
    cast(sum(coalesce(list_cost, contracted_cost, billed_cost)) as decimal(38, 12)) as list_cost,
    cast(sum(coalesce(contracted_cost, billed_cost)) as decimal(38, 12)) as contracted_cost
from lines
group by all
