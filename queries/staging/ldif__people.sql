-- A person of a directory, as the newest export that has them tells.
--
-- Who is in no export any more has left: their name stays for the days before.
--
-- grain: one row per person
-- key:   user_id
-- feeds: people
-- owner: ml-platform

select
    user_id,
    user_name,
    nullif(email, '') as email
from raw.ldif__people
qualify row_number() over (partition by user_id order by x_version_at desc, x_version desc, x_source asc) = 1
