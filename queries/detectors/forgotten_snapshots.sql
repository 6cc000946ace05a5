-- Snapshots that have been billed for long and that nobody is known to own: the bill's word alone.
--
-- For accounts that no inventory looks at. The bill does not say what a snapshot was made of or who
-- may need it, so this is a hint where to look, not a reason to delete. Where an inventory listed
-- the snapshots of the account and region, orphaned_snapshots decides.
--
-- fix:   find the owner, or connect an inventory of the account, which tells what still needs it
-- param: min_days = 60     -- billed, of the last 92
-- param: min_waste = 10.0  -- a month, in the bill's currency
-- owner: ml-platform

with

billed_days as (
    select
        resource_key(postings.resource_id) as resource_key,
        postings.billing_currency,
        min(postings.charge_date) as first_date,
        count(distinct postings.charge_date) as day_count
    from attribution.postings
    inner join attribution.bill_sources using (source)
    where
        postings.x_line_class = 'snapshot'
        and postings.resource_id is not null
        and postings.charge_date > bill_sources.newest_date - 92
    group by resource_key(postings.resource_id), postings.billing_currency
),

looked_at as (
    select distinct
        sub_account_id,
        region_id
    from staging.inventory_scopes
    where resource_type = 'snapshot'
)

select
    costs.resource_id,
    cast(null as varchar) as resource_name,
    costs.provider,
    costs.region_id,
    cast(null as varchar) as owner_user,
    cast(null as varchar) as owner_team,
    billed_days.first_date as since,
    costs.monthly_cost as monthly_waste,
    costs.billing_currency,
    'low' as confidence,
    'billed on ' || billed_days.day_count || ' of the last 92 days, and nobody is known to own it' as evidence,
    'snapshot ' || costs.resource_key as conflict_key
from attribution.resource_costs as costs
inner join billed_days using (resource_key, billing_currency)
anti join looked_at using (sub_account_id, region_id)
where
    costs.line_class = 'snapshot'
    and costs.last_date >= costs.newest_date - 2
    and coalesce(costs.owner_user, costs.owner_team) is null
    and billed_days.day_count >= $min_days
    and costs.monthly_cost >= $min_waste
qualify
    row_number() over (
        partition by costs.resource_key, costs.billing_currency order by costs.last_date desc, costs.source asc
    ) = 1
