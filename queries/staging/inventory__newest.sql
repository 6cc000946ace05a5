-- The listing that counts: of each source its newest day, of several sources the newer listing.
--
-- A source's day stands or falls as one: what its newest day did not ask after is unknown, though an
-- earlier day may have listed it.
--
-- grain: one row per account, region and kind of thing
-- key:   provider, sub_account_id, region_id, resource_type
-- owner: ml-platform

with

newest_days as (
    select *
    from staging.listed_scopes
    qualify charge_date = max(charge_date) over (partition by source)
)

select
    provider,
    sub_account_id,
    region_id,
    resource_type,
    source,
    charge_date,  -- the day of the listing
    is_whole,
    observed_at
from newest_days
qualify
    row_number() over (
        partition by provider, sub_account_id, region_id, resource_type
        order by observed_at desc, source asc
    ) = 1
