-- A name that a directory gives a person beside their user name, as the newest export that has it tells.
--
-- grain: one row per alias
-- key:   alias
-- feeds: aliases
-- owner: ml-platform

select
    lower(alias) as alias,
    user_id,
    cast(null as date) as valid_from,
    cast(null as date) as valid_to
from raw.ldif__aliases
qualify
    row_number() over (
        partition by lower(alias) order by x_version_at desc, x_version desc, x_source asc, user_id asc
    ) = 1
