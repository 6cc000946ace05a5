-- A person's time in a team, as the listings of a Keycloak realm tell it one after the other.
--
-- A membership begins on the day of the first listing that has it, and ends on that of the first
-- listing without it. Nobody knows of a time before the first listing, nor before the one that first
-- has the person: what they then are they have been.
--
-- grain: one row per person, team and span
-- key:   user_id, team, valid_from
-- feeds: memberships
-- owner: ml-platform

with

in_groups as (
    select
        *,
        unnest(group_paths) as group_path
    from staging.keycloak__listed_users
),

in_teams as (
    select distinct
        source,
        user_id,
        listing_no,
        listed_on,
        next_listed_on,
        replace(
            list_max(list_transform(team_patterns, lambda fit: regexp_extract(group_path, fit, 1))), '~/', '/'
        ) as team  -- empty: none of the patterns fits the group's path
    from in_groups
),

first_listings as (
    select
        source,
        user_id,
        min(listing_no) as first_no
    from staging.keycloak__listed_users
    group by source, user_id
),

spells as (
    select
        *,
        listing_no - row_number() over (partition by source, user_id, team order by listing_no) as spell
    from in_teams
    where team <> ''
),

spans as (
    select
        source,
        user_id,
        team,
        min(listing_no) as from_no,
        min(listed_on) as listed_on,
        case when count(*) = count(next_listed_on) then max(next_listed_on) end as valid_to
    from spells
    group by source, user_id, team, spell
),

dated as (
    select
        spans.user_id,
        spans.team,
        case when spans.from_no > first_listings.first_no then spans.listed_on end as valid_from,
        spans.valid_to
    from spans
    inner join first_listings using (source, user_id)
)

select
    user_id,
    team,
    valid_from,
    case when count(*) = count(valid_to) then max(valid_to) end as valid_to
from dated
group by user_id, team, valid_from
