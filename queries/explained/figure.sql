-- The published figure that is being explained: of a member or a version of it on some days, or of a run as a whole.
--
-- grain: one row
-- param: dimension = 'user'           -- user, team, project, model, dataset, service or run
-- param: member = ''                  -- the one to be explained
-- param: version = ''                 -- of a model or dataset; '': what no version is known for; null: all of it
-- param: from_date = null             -- first day
-- param: to_date = null               -- last day, inclusive
-- param: billing_currency = ''        -- currencies are never added
-- param: measure = 'effective_cost'   -- effective_cost or billed_cost

with

published_costs as (
    select
        effective_cost,
        billed_cost
    from published.marts.spend_daily
    where
        dimension = $dimension
        and member = $member
        and cast($version as varchar) is null
        and billing_currency = $billing_currency
        and charge_date between cast($from_date as date) and cast($to_date as date)
    union all
    select
        effective_cost,
        billed_cost
    from published.marts.version_spend
    where
        dimension = $dimension
        and member = $member
        and coalesce(version, '') = $version
        and billing_currency = $billing_currency
        and charge_date between cast($from_date as date) and cast($to_date as date)
    union all
    select
        effective_cost,
        billed_cost
    from published.marts.runs
    where
        $dimension = 'run'
        and run_id = $member
        and billing_currency = $billing_currency
)

select
    sum(case $measure when 'billed_cost' then billed_cost else effective_cost end) as cost,
    count(*) as row_count
from published_costs
