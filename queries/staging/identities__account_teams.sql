-- A service account's time in a team: that of the team that answers for it.
--
-- grain: one row per account and span
-- feeds: memberships
-- owner: ml-platform

select
    account as user_id,
    team,
    valid_from,
    valid_to
from staging.identities__accounts
