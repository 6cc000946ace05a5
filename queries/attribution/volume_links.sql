-- One row is about a volume or snapshot on a day, and what it belongs to: a volume to the machine
-- that it is attached to, a snapshot to the volume that it was made from. And about a machine and each
-- network interface that it has.
--
-- A listing of the account stands until the next, for `inventory_days` at most. What a listing has
-- for the first time began when the provider says, else with the listing; the first listing of all
-- also stands for the days before it, as far back as that and as the thing is old.
--
-- The namespace is what drivers of Kubernetes write on the volumes that they make for a claim.
--
-- Known drawback: between two listings a volume may move twice; on the day of a move both machines have it.
--
-- grain:  one row per day, thing and what it belongs to
-- key:    charge_date, resource_type, resource_key, sub_account_id, related_key
-- hashed: charge_date
-- param:  inventory_days = 35  -- days for which an inventory stands where there is none
-- owner:  ml-platform

with

scopes as (
    select
        source,
        sub_account_id,
        region_id,
        resource_type,
        charge_date as listed_on,
        lag(charge_date) over by_day as listed_before,
        lead(charge_date) over by_day as listed_next
    from (
        select distinct
            source,
            sub_account_id,
            region_id,
            resource_type,
            charge_date
        from staging.listed_scopes
        where resource_type in ('volume', 'snapshot', 'instance')
    ) as listings
    window by_day as (partition by source, sub_account_id, region_id, resource_type order by charge_date)
),

links as (
    select
        source,
        sub_account_id,
        region_id,
        resource_type,
        resource_id,
        related_id,
        charge_date as listed_on,
        lag(charge_date) over (
            partition by source, sub_account_id, region_id, resource_type, resource_id, related_id
            order by charge_date
        ) as seen_before
    from staging.listed_links
    where
        resource_type = 'volume' and relation = 'attached_to'
        or resource_type = 'snapshot' and relation = 'made_from'
        or resource_type = 'instance' and relation = 'has_interface'
),

things as (
    select
        source,
        sub_account_id,
        region_id,
        resource_type,
        resource_id,
        charge_date as listed_on,
        min(
            cast(
                case
                    when resource_type = 'volume' and state = 'in_use' then coalesce(state_since, created_at)
                    else created_at
                end
                as date
            )
        ) as since_date,
        min(claim_namespace(tags)) as namespace
    from staging.listed_things
    where resource_type in ('volume', 'snapshot', 'instance')
    group by source, sub_account_id, region_id, resource_type, resource_id, charge_date
),

spans as (
    select
        links.resource_type,
        resource_key(links.resource_id) as resource_key,
        last_part(coalesce(links.sub_account_id, '')) as sub_account_id,
        resource_key(links.related_id) as related_key,
        things.namespace,
        case
            when links.seen_before = scopes.listed_before then links.listed_on
            else
                least(
                    greatest(
                        coalesce(
                            things.since_date,
                            case when scopes.listed_before is null then links.listed_on - $inventory_days end,
                            links.listed_on
                        ),
                        coalesce(scopes.listed_before, links.listed_on - $inventory_days)
                    ),
                    links.listed_on
                )
        end as from_date,
        least(
            coalesce(scopes.listed_next, links.listed_on + $inventory_days), links.listed_on + $inventory_days
        ) as to_date
    from links
    inner join scopes using (source, sub_account_id, region_id, resource_type, listed_on)
    left join things using (source, sub_account_id, region_id, resource_type, resource_id, listed_on)
),

days as (
    select
        * exclude (from_date, to_date),
        cast(unnest(generate_series(from_date, to_date - interval 1 day, interval 1 day)) as date) as charge_date
    from spans
)

select
    charge_date,
    resource_type,  -- volume, snapshot or instance
    resource_key,  -- as resource_key() writes it
    sub_account_id,  -- '' where the listing does not say
    related_key,  -- a machine, a volume or a network interface, likewise
    min(namespace) as namespace  -- of the claim that a volume was made for
from days
group by charge_date, resource_type, resource_key, sub_account_id, related_key
