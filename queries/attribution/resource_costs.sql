-- One row is about a billed resource in the newest 30 days of its bill: what it costs a month, whose it is.
--
-- Only what detectors ask for has rows: snapshots, things that an inventory lists, GPU machines.
-- Buckets and transfers are left out: they are judged by dataset. A resource that appeared within
-- the 30 days is taken from its first day on; the owner is whoever paid most. A source whose bill
-- ended more than a week before the others' says nothing of today, and has no rows.
--
-- grain: one row per source, resource, kind of line and currency
-- key:   source, resource_key, line_class, billing_currency
-- owner: ml-platform

with

asked as (
    select resource_key(resource_id) as resource_key
    from staging.inventory
    union
    select resource_key(instance_id) as resource_key
    from attribution.machine_days
    where gpu_count > 0
),

judged as (
    select *
    from attribution.named_postings
    where line_class = 'snapshot'
    union all
    select postings.*
    from attribution.named_postings as postings
    semi join asked on resource_key(postings.resource_id) = asked.resource_key
    where postings.line_class not in ('snapshot', 'object_storage', 'object_requests', 'transfer')
),

costs as (
    select
        postings.source,
        resource_key(postings.resource_id) as resource_key,
        postings.line_class,
        postings.billing_currency,
        postings.user_id,
        postings.team,
        min(postings.resource_id) as resource_id,
        min(postings.sub_account_id) as sub_account_id,
        min(postings.region_id) as region_id,
        min(postings.charge_date) as first_date,
        max(postings.charge_date) as last_date,
        sum(postings.effective_cost) filter (where postings.charge_date = bill_sources.newest_date - 1)
            as day_cost,
        sum(postings.effective_cost) as effective_cost
    from judged as postings
    inner join attribution.bill_sources using (source)
    where
        postings.resource_id is not null
        and postings.charge_date > bill_sources.newest_date - 30
        and postings.charge_date <= bill_sources.newest_date
        and bill_sources.newest_date >= bill_sources.as_of - 7
    group by
        postings.source,
        resource_key(postings.resource_id),
        postings.line_class,
        postings.billing_currency,
        postings.user_id,
        postings.team
),

resources as (
    select
        source,
        resource_key,
        line_class,
        billing_currency,
        min(resource_id) as resource_id,
        min(sub_account_id) as sub_account_id,
        min(region_id) as region_id,
        arg_max(user_id, (effective_cost, user_id)) as owner_user,
        arg_max(team, (effective_cost, team)) as owner_team,
        min(first_date) as first_date,
        max(last_date) as last_date,
        coalesce(sum(day_cost), 0) as day_cost,
        sum(effective_cost) as effective_cost
    from costs
    group by source, resource_key, line_class, billing_currency
)

select
    resources.source,
    bill_sources.provider,
    resources.resource_key,  -- as resource_key() writes it
    resources.resource_id,
    resources.line_class,
    resources.sub_account_id,
    resources.region_id,
    resources.billing_currency,
    resources.owner_user,
    resources.owner_team,
    resources.first_date,  -- within the 30 days
    resources.last_date,
    bill_sources.newest_date,
    bill_sources.as_of,
    per_month(resources.effective_cost, bill_sources.newest_date - resources.first_date + 1) as monthly_cost,
    per_month(resources.day_cost, 1) as present_cost  -- the same, by the day before the newest alone
from resources
inner join attribution.bill_sources using (source)
