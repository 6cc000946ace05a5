-- A name that some system gives a person, while it does.
--
-- The newest file alone counts. A person's own id needs no alias.
--
-- grain: one row per alias and span
-- feeds: aliases
-- owner: ml-platform

select
    alias,
    user_id,
    cast(valid_from as date) as valid_from,
    cast(valid_to as date) as valid_to
from raw.identities__aliases
qualify row(x_version_at, x_version) = max(row(x_version_at, x_version)) over (partition by x_source)
