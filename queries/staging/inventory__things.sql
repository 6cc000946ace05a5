-- What there is, by the listings that count: a thing that the newest does not list is gone.
--
-- Where a provider does not say since when a thing is in its state, our own listings do: since the
-- first after the last that had it in another state, and since the first that had it where there is
-- none. That is when the state was seen, never earlier than it began. No more than 100 days are
-- looked back on, so that a night does not cost more the longer listings are kept.
--
-- grain: one row per thing
-- key:   source, sub_account_id, region_id, resource_type, resource_id
-- feeds: inventory
-- owner: ml-platform

with

things as (
    select listed_things.*
    from staging.listed_things
    inner join staging.inventory__newest as newest
        on
            listed_things.charge_date = newest.charge_date
            and listed_things.source = newest.source
            and listed_things.sub_account_id = newest.sub_account_id
            and listed_things.region_id = newest.region_id
            and listed_things.resource_type = newest.resource_type
),

-- 1 row per thing and day
sightings as (
    select
        things.source,
        things.resource_type,
        things.resource_id,
        listed_things.charge_date,
        listed_things.observed_at,
        listed_things.state = things.state as is_alike
    from things
    inner join staging.listed_things
        on
            things.source = listed_things.source
            and things.resource_type = listed_things.resource_type
            and things.resource_id = listed_things.resource_id
            and listed_things.charge_date between things.charge_date - 100 and things.charge_date
    where things.state_since is null
),

last_changes as (
    select
        *,
        max(charge_date) filter (where not is_alike) over (
            partition by source, resource_type, resource_id
        ) as other_date
    from sightings
),

seen_since as (
    select
        source,
        resource_type,
        resource_id,
        min(observed_at) as observed_at
    from last_changes
    where charge_date > coalesce(other_date, date '0001-01-01')
    group by source, resource_type, resource_id
)

select
    things.source,
    things.provider,
    things.sub_account_id,
    things.region_id,
    things.availability_zone_id,
    things.resource_type,
    things.resource_id,
    things.resource_name,
    things.state,
    things.state_raw,
    things.created_at,
    coalesce(things.state_since, seen_since.observed_at) as state_since,
    things.last_used_at,
    things.size_gib,
    things.instance_type,
    things.is_protected,
    things.tags,
    things.observed_at
from things
left join seen_since
    on
        things.source = seen_since.source
        and things.resource_type = seen_since.resource_type
        and things.resource_id = seen_since.resource_id
