-- One row is about a name of a person on a day on which it cost or ran something: who it is, which team.
--
-- A name is looked up without regard to case among the aliases in force that day, the user ids
-- and the mail addresses; one that nobody has stays as it is. Who is in two teams on a day counts
-- for the first by name, as does a name that two people have. Who has left keeps their names until
-- somebody else has them, and is in no team from that day on.
-- Resolving names here, after attribution, means that a new alias or a change of team needs no day
-- to be attributed anew.
--
-- grain: one row per name and day
-- key:   charge_date, user_raw
-- owner: ml-platform

with

names as (
    select distinct
        charge_date,
        user_raw
    from attribution.owner_spend
    where user_raw is not null
    union
    select
        charge_date,
        user_raw
    from attribution.run_days
    where user_raw is not null
),

all_aliases as (
    select
        lower(alias) as alias,
        user_id,
        coalesce(valid_from, date '0001-01-01') as valid_from,
        coalesce(valid_to, date '9999-12-31') as valid_to
    from staging.aliases
    union all
    select
        lower(user_id) as alias,
        user_id,
        date '0001-01-01' as valid_from,
        date '9999-12-31' as valid_to
    from attribution.people
    union all
    select
        lower(email) as alias,
        user_id,
        date '0001-01-01' as valid_from,
        date '9999-12-31' as valid_to
    from staging.people
    where email is not null
),

held_aliases as (
    select
        all_aliases.*,
        coalesce(people.left_on, date '9999-12-31') as left_on
    from all_aliases
    left join attribution.people using (user_id)
),

owners as (
    select
        names.charge_date,
        names.user_raw,
        coalesce(
            min(held_aliases.user_id) filter (where names.charge_date < held_aliases.left_on),
            min(held_aliases.user_id),
            names.user_raw
        ) as user_id,
        count(held_aliases.user_id) > 0 as is_known
    from names
    left join held_aliases
        on
            lower(names.user_raw) = held_aliases.alias
            and names.charge_date >= held_aliases.valid_from
            and names.charge_date < held_aliases.valid_to
    group by names.charge_date, names.user_raw
)

select
    owners.charge_date,
    owners.user_raw,  -- as some source names the person
    owners.user_id,
    owners.is_known,  -- false: nobody has the name, so the id is the name as it is
    min(memberships.team) as team  -- null: none that day
from owners
left join attribution.people using (user_id)
left join staging.memberships
    on
        owners.user_id = memberships.user_id
        and owners.charge_date >= coalesce(memberships.valid_from, date '0001-01-01')
        and owners.charge_date < coalesce(memberships.valid_to, date '9999-12-31')
        and owners.charge_date < coalesce(people.left_on, date '9999-12-31')
group by owners.charge_date, owners.user_raw, owners.user_id, owners.is_known
