-- One row is about a person or a service account, whichever sources tell of them.
--
-- Several sources may know one person: a directory the name, a file the address. Who has left by any
-- of them has left.
--
-- grain: one row per person
-- key:   user_id
-- owner: ml-platform

select
    user_id,
    min(user_name) as user_name,
    min(email) as email,
    bool_or(coalesce(is_service, false)) as is_service,  -- a robot: its team answers for it
    max(left_on) as left_on  -- first day on which the person is gone; null: still there
from staging.people
group by user_id
