-- A service account, as a member of the dimension of people.
--
-- It is gone when no team answers for it any more.
--
-- grain: one row per account
-- key:   user_id
-- feeds: people
-- owner: ml-platform

select
    account as user_id,
    max(account_name) as user_name,
    cast(null as varchar) as email,
    true as is_service,
    case when count(*) = count(valid_to) then max(valid_to) end as left_on
from staging.identities__accounts
group by account
