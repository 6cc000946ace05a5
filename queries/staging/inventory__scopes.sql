-- What the newest listings looked at, whole.
--
-- grain: one row per account, region and kind of thing
-- key:   provider, sub_account_id, region_id, resource_type
-- feeds: inventory_scopes
-- owner: ml-platform

select
    source,
    provider,
    sub_account_id,
    region_id,
    resource_type,
    observed_at
from staging.inventory__newest
where is_whole
