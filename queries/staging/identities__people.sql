-- A person.
--
-- The newest file alone counts: who is deleted from it is gone.
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
    email
from newest
qualify row_number() over (partition by user_id order by x_source) = 1
