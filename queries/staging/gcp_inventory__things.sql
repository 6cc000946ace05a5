-- A thing of Google Cloud, on the day that it was listed.
--
-- A machine that Google calls TERMINATED was switched off and costs nothing but its disks:
-- `deallocated`; a suspended one is billed for its memory: `other`. Google says when a machine was
-- started and stopped, and when a disk last came and went; one that never came is unattached since it
-- was made. Addresses inside of a network are not billed, and so never unattached.
--
-- Bills call machines, disks and snapshots by their names alone. Where several things of a source
-- share one and are not in the same state, nobody can tell which is billed: their state is `other`.
-- Addresses and balancers are called by the project's number and their own, as bills call machines.
--
-- grain:     one row per day and thing
-- key:       charge_date, source, sub_account_id, region_id, resource_type, resource_id
-- partition: charge_date
-- feeds:     listed_things
-- owner:     ml-platform

with

answers as (
    select
        cast(x_unit as date) as charge_date,
        x_source as source,
        resource_type,
        answer,
        observed_at
    from raw.gcp_inventory__answers
    where answer is not null
),

items as (
    select
        * exclude (answer),
        unnest(json_extract(answer, '$.assets[*]')) as item
    from answers
),

-- 1 row per project, which others call by its number or its id
projects as (
    select
        charge_date,
        source,
        json_extract_string(item, '$.resource.data.projectNumber') as project_number,
        any_value(json_extract_string(item, '$.resource.data.projectId')) as project_id
    from items
    where resource_type = 'project'
    group by all
),

described as (
    select
        items.*,
        coalesce(by_number.project_id, asset_project(items.item)) as sub_account_id,
        coalesce(
            by_id.project_number,
            nullif(regexp_extract(json_extract_string(items.item, '$.ancestors[0]'), '^projects/(\d+)$', 1), '')
        ) as project_number,
        json_extract_string(items.item, '$.name') as path,
        json_extract(items.item, '$.resource.data') as facts
    from items
    left join projects as by_number
        on
            items.charge_date = by_number.charge_date
            and items.source = by_number.source
            and asset_project(items.item) = by_number.project_number
    left join projects as by_id
        on
            items.charge_date = by_id.charge_date
            and items.source = by_id.source
            and asset_project(items.item) = by_id.project_id
    where
        items.resource_type <> 'project'
        -- what stands behind balancers is told by links
        and json_extract_string(items.item, '$.assetType') not like '%BackendService'
        and json_extract_string(items.item, '$.assetType') not like '%TargetPool'
),

things as (
    select
        *,
        asset_region(item) as region_id,
        asset_id(resource_type, item, coalesce(project_number, sub_account_id)) as resource_id,
        case
            when resource_type = 'instance'
                then case json_extract_string(facts, '$.status')
                    when 'RUNNING' then 'running'
                    when 'TERMINATED' then 'deallocated'
                    when 'STOPPED' then 'deallocated'
                    else 'other'
                end
            when resource_type = 'volume' and coalesce(len(json_extract(facts, '$.users[*]')), 0) > 0 then 'in_use'
            when resource_type = 'volume' and json_extract_string(facts, '$.status') = 'READY' then 'unattached'
            when resource_type = 'volume' then 'other'
            when resource_type = 'address' and json_extract_string(facts, '$.status') = 'IN_USE' then 'in_use'
            when
                resource_type = 'address' and json_extract_string(facts, '$.status') = 'RESERVED'
                and coalesce(json_extract_string(facts, '$.addressType'), 'EXTERNAL') = 'EXTERNAL'
                then 'unattached'
            when resource_type = 'address' then 'other'
            when coalesce(json_extract_string(facts, '$.status'), 'READY') in ('READY', 'ACTIVE') then 'available'
            else 'other'
        end as listed_state
    from described
    where path is not null
),

judged as (
    select
        *,
        case
            when
                min(listed_state) over (partition by charge_date, source, resource_type, resource_id)
                <> max(listed_state) over (partition by charge_date, source, resource_type, resource_id)
                then 'other'
            else listed_state
        end as state
    from things
    -- two scopes may list one thing, as may two pages, where things change while they are listed
    qualify row_number() over (
        partition by charge_date, source, sub_account_id, region_id, resource_type, resource_id order by path, item
    ) = 1
)

select
    charge_date,
    source,
    'Google Cloud' as provider,
    sub_account_id,
    region_id,
    nullif(split_part(json_extract_string(facts, '$.zone'), '/', -1), '') as availability_zone_id,
    resource_type,
    resource_id,
    coalesce(json_extract_string(facts, '$.name'), split_part(path, '/', -1)) as resource_name,
    state,
    json_extract_string(facts, '$.status') as state_raw,
    coalesce(json_time(facts, '$.creationTimestamp'), json_time(facts, '$.timeCreated')) as created_at,
    case
        when resource_type = 'instance' and state = 'running' then json_time(facts, '$.lastStartTimestamp')
        when resource_type = 'instance' and state = 'deallocated' then json_time(facts, '$.lastStopTimestamp')
        when resource_type = 'volume' and state = 'in_use' then json_time(facts, '$.lastAttachTimestamp')
        when resource_type = 'volume' and state = 'unattached'
            then case
                when json_time(facts, '$.lastAttachTimestamp') is null then json_time(facts, '$.creationTimestamp')
                else json_time(facts, '$.lastDetachTimestamp')
            end
        when resource_type = 'snapshot' then json_time(facts, '$.creationTimestamp')
    end as state_since,
    cast(null as timestamp) as last_used_at,
    try_cast(
        coalesce(json_extract_string(facts, '$.sizeGb'), json_extract_string(facts, '$.diskSizeGb')) as decimal(18, 6)
    ) as size_gib,
    case
        when resource_type = 'instance' then split_part(json_extract_string(facts, '$.machineType'), '/', -1)
        when resource_type = 'volume' then split_part(json_extract_string(facts, '$.type'), '/', -1)
    end as instance_type,
    coalesce(json_extract_string(facts, '$.deletionProtection') = 'true', false)
    or coalesce(json_extract_string(facts, '$.autoCreated') = 'true', false)
    or json_extract_string(facts, '$.sourceSnapshotSchedulePolicy') is not null as is_protected,
    json_map(json_extract(facts, '$.labels')) as tags,
    observed_at
from judged
