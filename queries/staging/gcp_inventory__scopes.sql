-- What Google was asked to list on a day, and whether it let all of it be listed.
--
-- Its lists tell of all regions at once: a kind is whole in every region in which a project has
-- anything. A project that two scopes look at is whole where either of them is. `global` stands for
-- the regions in which there is nothing, and a scope without any project for itself, so that a day on
-- which all was refused is known for such.
--
-- grain:     one row per day, project, region and kind of thing
-- key:       charge_date, source, sub_account_id, region_id, resource_type
-- partition: charge_date
-- feeds:     listed_scopes
-- owner:     ml-platform

with

answers as (
    select
        cast(x_unit as date) as charge_date,
        x_source as source,
        account_id as scope,
        resource_type,
        answer,
        error,
        observed_at
    from raw.gcp_inventory__answers
),

items as (
    select
        charge_date,
        source,
        scope,
        resource_type,
        unnest(json_extract(answer, '$.assets[*]')) as item
    from answers
),

projects as (
    select distinct
        charge_date,
        source,
        json_extract_string(item, '$.resource.data.projectNumber') as project_number,
        json_extract_string(item, '$.resource.data.projectId') as project_id
    from items
    where resource_type = 'project'
),

places as (
    select
        items.charge_date,
        items.source,
        items.scope,
        coalesce(projects.project_id, asset_project(items.item)) as sub_account_id,
        case when items.resource_type = 'project' then 'global' else asset_region(items.item) end as region_id
    from items
    left join projects
        on
            items.charge_date = projects.charge_date
            and items.source = projects.source
            and asset_project(items.item) = projects.project_number
    union
    select
        charge_date,
        source,
        scope,
        regexp_replace(scope, '^projects/', '') as sub_account_id,
        'global' as region_id
    from answers
),

-- 1 row per scope and kind
kinds as (
    select
        charge_date,
        source,
        scope,
        resource_type,
        bool_and(error is null) as is_whole,
        max(observed_at) as observed_at
    from answers
    where resource_type <> 'project'
    group by all
)

select
    kinds.charge_date,
    kinds.source,
    'Google Cloud' as provider,
    places.sub_account_id,
    places.region_id,
    kinds.resource_type,
    bool_or(kinds.is_whole) as is_whole,
    max(kinds.observed_at) as observed_at
from kinds
inner join places using (charge_date, source, scope)
where places.sub_account_id is not null
group by all
