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
qualify x_version_at = max(x_version_at) over (partition by x_source)
