-- A person's time in a team.
--
-- The newest file alone counts.
--
-- grain: one row per person and span
-- feeds: memberships
-- owner: ml-platform

select
    user_id,
    team,
    cast(valid_from as date) as valid_from,
    cast(valid_to as date) as valid_to
from raw.identities__memberships
qualify row(x_version_at, x_version) = max(row(x_version_at, x_version)) over (partition by x_source)
