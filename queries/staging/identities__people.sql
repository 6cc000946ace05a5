-- A person.
--
-- The newest file alone counts: who is deleted from it is gone. Who has left stands in it with the day.
--
-- grain: one row per person
-- key:   user_id
-- feeds: people
-- owner: ml-platform

with

newest as (
    select *
    from raw.identities__people
    qualify row(x_version_at, x_version) = max(row(x_version_at, x_version)) over (partition by x_source)
)

select
    user_id,
    user_name,
    email,
    false as is_service,
    cast(valid_to as date) as left_on
from newest
qualify row_number() over (partition by user_id order by x_source) = 1
