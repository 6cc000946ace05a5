-- A user or a service account of Keycloak, as the newest listing that has them tells.
--
-- Who is disabled or deleted has left on the day of the first listing that says so, and is kept.
--
-- grain: one row per person
-- key:   user_id
-- feeds: people
-- owner: ml-platform

with

people as (
    select
        source,
        user_id,
        arg_max(user_name, listing_no) as user_name,
        arg_max(email, listing_no) as email,
        bool_or(client_id is not null) as is_service,
        min(listed_on) as first_listed_on,
        max(listing_no) filter (where is_enabled) as last_enabled_no
    from staging.keycloak__listed_users
    group by source, user_id
),

listings as (
    select distinct
        source,
        listing_no as last_enabled_no,
        next_listed_on
    from staging.keycloak__listed_users
)

select
    people.user_id,
    people.user_name,
    people.email,
    people.is_service,
    case when people.last_enabled_no is null then people.first_listed_on else listings.next_listed_on end as left_on
from people
left join listings using (source, last_enabled_no)
qualify row_number() over (partition by people.user_id order by left_on desc nulls first, people.source asc) = 1
