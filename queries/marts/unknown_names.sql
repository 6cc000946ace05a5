-- One row is about a name in bills and runs that no identity knows, in one source and month.
--
-- Such a name stands in leaderboards as it is, beside the person that it may belong to. An alias, a
-- person or a service account with that name mends all days at once. `fix` names a person where
-- exactly one is called alike: the same letters without domain, path and signs, the first letter with
-- the last name, or one letter off; it is a hint, and nothing is attributed by it.
--
-- grain: one row per name, source, month and currency
-- key:   user_id, source, charge_month, billing_currency
-- owner: ml-platform

with

unknown_days as (
    select
        charge_date,
        user_raw
    from attribution.user_days
    where not is_known
),

named_runs as (
    select
        run_days.user_raw,
        cast(date_trunc('month', run_days.charge_date) as date) as charge_month,
        run_days.run_id,
        min(run_days.charge_date) as first_date,
        max(run_days.charge_date) as last_date
    from attribution.run_days
    inner join unknown_days using (charge_date, user_raw)
    group by all
),

sightings as (
    select
        member_spend.member as user_raw,
        member_spend.source,
        cast(date_trunc('month', member_spend.charge_date) as date) as charge_month,
        member_spend.billing_currency,
        min(member_spend.charge_date) as first_date,
        max(member_spend.charge_date) as last_date,
        0 as run_count,
        sum(member_spend.effective_cost) as effective_cost
    from attribution.member_spend
    inner join unknown_days
        on
            member_spend.dimension = 'user'
            and member_spend.member = unknown_days.user_raw
            and member_spend.charge_date = unknown_days.charge_date
    group by all
    union all
    select
        named_runs.user_raw,
        run_facts.source,
        named_runs.charge_month,
        null as billing_currency,
        min(named_runs.first_date) as first_date,
        max(named_runs.last_date) as last_date,
        count(*) as run_count,
        0 as effective_cost
    from named_runs
    inner join attribution.run_facts using (run_id)
    group by all
),

people_names as (
    select
        user_id,
        user_id as called
    from attribution.people
    union all
    select
        user_id,
        email as called
    from attribution.people
    union all
    select
        user_id,
        user_name as called
    from attribution.people
    union all
    select
        user_id,
        left(user_name, 1) || split_part(user_name, ' ', -1) as called
    from attribution.people
    where contains(user_name, ' ')
    union all
    select
        user_id,
        alias as called
    from staging.aliases
),

all_names as (
    select
        user_raw as called,
        user_raw,
        null as user_id
    from unknown_days
    union
    select
        called,
        null as user_raw,
        user_id
    from people_names
    where called is not null
),

bare_names as (
    select
        user_raw,
        user_id,
        regexp_replace(
            split_part(regexp_extract(strip_accents(lower(called)), '([^/:\\|]+)$', 1), '@', 1),
            '[^\pL\pN]', '', 'g'
        ) as bare
    from all_names
),

-- two names that are one letter off share what is left of them without one letter, or are left so
shortened as (
    select distinct
        user_raw,
        user_id,
        bare,
        left(bare, place) || substr(bare, place + 2) as rest
    from (
        select
            *,
            unnest(range(length(bare) + 1)) as place
        from bare_names
        where length(bare) > 3
    ) as places
),

likenesses as (
    select
        unknown.user_raw,
        known.user_id,
        false as is_off
    from bare_names as unknown
    inner join bare_names as known using (bare)
    where unknown.user_raw is not null and known.user_id is not null and length(bare) > 1
    union
    select
        unknown.user_raw,
        known.user_id,
        true as is_off
    from shortened as unknown
    inner join shortened as known using (rest)
    where
        unknown.user_raw is not null
        and known.user_id is not null
        and length(unknown.bare) > 4
        and levenshtein(unknown.bare, known.bare) = 1
),

-- the exact likeness first; none where two people are as near
hints as (
    select
        user_raw,
        case
            when count(distinct user_id) filter (where not is_off) = 1 then min(user_id) filter (where not is_off)
            when count(distinct user_id) filter (where not is_off) = 0 and count(distinct user_id) = 1
                then min(user_id)
        end as user_id
    from likenesses
    group by user_raw
)

select
    sightings.user_raw as user_id,  -- the name, as the source has it
    sightings.source,  -- the bill, or the tracker of the runs
    sightings.charge_month,
    sightings.billing_currency,  -- null: named by runs
    sightings.first_date,
    sightings.last_date,
    sightings.run_count,  -- runs of the month that name it
    cast(sightings.effective_cost as decimal(38, 12)) as effective_cost,  -- what the bill has under it
    case
        when hints.user_id is null then 'add it to the people, the service accounts or the aliases'
        else 'make it an alias of ' || hints.user_id || ', if it is that one''s'
    end as fix
from sightings
left join hints using (user_raw)
