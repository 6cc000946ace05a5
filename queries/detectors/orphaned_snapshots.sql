-- Snapshots whose disk is gone and that nothing refers to any more.
--
-- All of it must be known: the inventory of the account and region listed, whole, snapshots, disks,
-- images in any state, launch templates and backup plans within the last week. The snapshot names a
-- disk, and no account lists it; no image, template, disk, backup plan or other thing of any account
-- refers to the snapshot; it is not shared; no backup service or rule keeps it; no run and no
-- dataset names it; it is old enough. Whatever is not known makes no finding.
--
-- Known drawbacks: an account that no inventory looks at may use a snapshot that is not marked as
-- shared with it. Deleting one of a chain frees at most what it is billed.
--
-- fix:   delete the snapshot; a tag `keep` silences this
-- param: min_days = 14    -- since the snapshot was made
-- param: min_waste = 1.0  -- a month, in the bill's currency
-- owner: ml-platform

with

newest as (
    select max(as_of) as as_of
    from attribution.bill_sources
),

whole_places as (
    select
        provider,
        sub_account_id,
        region_id
    from staging.inventory_scopes
    cross join newest
    where
        resource_type in ('snapshot', 'volume', 'image', 'launch_template', 'backup_plan')
        and cast(observed_at as date) >= newest.as_of - 7
    group by provider, sub_account_id, region_id
    having count(distinct resource_type) = 5
),

volumes as (
    select distinct resource_key(resource_id) as resource_key
    from staging.inventory
    where resource_type = 'volume'
),

parents as (
    select
        resource_key(resource_id) as resource_key,
        min(related_id) as parent_id,
        bool_or(volumes.resource_key is not null) as is_parent_there
    from staging.inventory_links
    left join volumes
        on resource_key(inventory_links.related_id) = volumes.resource_key
    where relation = 'made_from'
    group by resource_key(resource_id)
),

referred as (
    select resource_key(related_id) as resource_key
    from staging.inventory_links
    union
    select resource_key(resource_id) as resource_key
    from staging.inventory_links
    where relation = 'shared_with'
    union
    select resource_key(resource_id) as resource_key
    from staging.run_references
),

places as (
    select lower(dataset_uri) as uri
    from staging.run_inputs
    where dataset_uri is not null
    union
    select lower(dataset_uri) as uri
    from staging.run_outputs
    where dataset_uri is not null
    union
    select lower(uri) as uri
    from staging.datasets
    where uri is not null
),

orphans as (
    select
        things.*,
        parents.parent_id
    from attribution.present_things as things
    inner join parents using (resource_key)
    semi join whole_places
        on
            things.provider = whole_places.provider
            and things.sub_account_id = whole_places.sub_account_id
            and things.region_id = whole_places.region_id
    anti join referred
        on things.resource_key = referred.resource_key
    where
        things.resource_type = 'snapshot'
        and not parents.is_parent_there
        and coalesce(not things.is_protected, false)
        and not things.is_kept
        and things.as_of - things.created_date >= $min_days
        and things.monthly_cost >= $min_waste
)

select
    resource_id,
    resource_name,
    provider,
    region_id,
    owner_user,
    owner_team,
    created_date as since,
    monthly_cost as monthly_waste,
    billing_currency,
    'high' as confidence,
    'made ' || (as_of - created_date) || ' days ago of ' || parent_id
    || ', which is gone; no image, template, backup, run or other account refers to it' as evidence,
    'snapshot ' || resource_key as conflict_key
from orphans
where
    not exists (
        select 1
        from places
        where contains(places.uri, orphans.resource_key)
    )
