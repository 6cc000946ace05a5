-- A service account's time with the team that answers for it.
--
-- The newest file alone counts.
--
-- grain: one row per account and span
-- owner: ml-platform

select
    account,
    account_name,
    team,
    cast(valid_from as date) as valid_from,
    cast(valid_to as date) as valid_to
from raw.identities__accounts
qualify row(x_version_at, x_version) = max(row(x_version_at, x_version)) over (partition by x_source)
