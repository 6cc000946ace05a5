-- A person of a directory, as the newest export that has them tells.
--
-- Who is in no export any more has left, on the day of the first one without them: their name stays for
-- the days before.
--
-- grain: one row per person
-- key:   user_id
-- feeds: people
-- owner: ml-platform

with

exports as (
    select
        x_source,
        x_version_at,
        lead(x_version_at) over (partition by x_source order by x_version_at) as next_at
    from raw.ldif__people
    group by x_source, x_version_at
)

select
    people.user_id,
    people.user_name,
    nullif(people.email, '') as email,
    false as is_service,
    cast(exports.next_at as date) as left_on
from raw.ldif__people as people
inner join exports using (x_source, x_version_at)
qualify
    row_number() over (
        partition by people.user_id
        order by exports.next_at desc nulls first, people.x_version_at desc, people.x_version desc, people.x_source asc
    ) = 1
