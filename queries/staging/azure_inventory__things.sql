-- A thing of an Azure subscription, on the day that it was listed.
--
-- A machine that was shut down from within is `stopped` and billed as if it ran; given back it is
-- `deallocated`. Azure dates the last operation on a machine, and deallocating is one, so that a
-- machine was given back no later than that; shutting down from within is none, so that our own
-- listings say since when. A disk says when it last came or went. Lists of the network do not say
-- when a thing was made; the list of all resources does.
--
-- Bills call machines and disks by their names alone. Where several things of a source share one and
-- are not in the same state, nobody can tell which is billed: their state is `other`.
--
-- Protected are the disks and snapshots that Site Recovery and Azure Backup work with; a disk that
-- somebody downloads or uploads (ActiveSAS, ReadyToUpload) is not unattached but `other`.
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
        account_id as sub_account_id,
        resource_type,
        call,
        answer,
        observed_at
    from raw.azure_inventory__answers
    where answer is not null
),

items as (
    select
        * exclude (answer),
        unnest(json_extract(answer, '$.value[*]')) as item
    from answers
),

-- 1 row per machine whose state was told apart from its description
told_states as (
    select
        charge_date,
        source,
        lower(json_extract_string(item, '$.id')) as path,
        any_value(json_extract(item, '$.properties.instanceView.statuses')) as statuses
    from items
    where call = 'compute.virtualMachines.status'
    group by all
),

-- 1 row per thing of the network
dates as (
    select
        charge_date,
        source,
        lower(json_extract_string(item, '$.id')) as path,
        min(json_time(item, '$.createdTime')) as created_at
    from items
    where call = 'resources'
    group by all
),

-- 1 row per disk that Azure Backup takes snapshots of, and resource group that they go to
backups as (
    select distinct
        charge_date,
        source,
        lower(json_extract_string(item, '$.properties.dataSourceInfo.resourceID')) as disk,
        lower(
            unnest(
                json_extract_string(
                    item, '$.properties.policyInfo.policyParameters.dataStoreParametersList[*].resourceGroupId'
                )
            )
        ) as resource_group
    from items
    where call = 'dataProtection.backupInstances'
),

described as (
    select
        items.*,
        lower(json_extract_string(items.item, '$.id')) as path,
        coalesce(
            told_states.statuses, json_extract(items.item, '$.properties.instanceView.statuses')
        ) as statuses,
        dates.created_at as listed_created_at,
        backups.disk is not null as is_kept
    from items
    left join told_states
        on
            items.call = 'compute.virtualMachines'
            and items.charge_date = told_states.charge_date
            and items.source = told_states.source
            and lower(json_extract_string(items.item, '$.id')) = told_states.path
    left join dates
        on
            items.charge_date = dates.charge_date
            and items.source = dates.source
            and lower(json_extract_string(items.item, '$.id')) = dates.path
    left join backups
        on
            items.call = 'compute.snapshots'
            and items.charge_date = backups.charge_date
            and items.source = backups.source
            and lower(json_extract_string(items.item, '$.properties.creationData.sourceResourceId')) = backups.disk
            and starts_with(lower(json_extract_string(items.item, '$.id')), backups.resource_group || '/')
    where
        items.call not in (
            'compute.virtualMachines.status', 'compute.galleries', 'compute.galleries.images',
            'dataProtection.backupVaults', 'resources'
        )
    -- a page may repeat what an earlier one listed, where things change while they are listed
    qualify row_number() over (
        partition by items.charge_date, items.source, items.call, lower(json_extract_string(items.item, '$.id'))
        order by items.item
    ) = 1
),

read_states as (
    select
        *,
        lower(coalesce(json_extract_string(item, '$.name'), split_part(path, '/', -1))) as name,
        list_filter(
            json_extract_string(statuses, '$[*].code'), lambda code: starts_with(lower(code), 'powerstate/')
        )[1] as power,
        case resource_type
            when 'volume' then json_extract_string(item, '$.properties.diskState')
            else json_extract_string(item, '$.properties.provisioningState')
        end as told_state
    from described
),

things as (
    select
        charge_date,
        source,
        sub_account_id,
        azure_region(item) as region_id,
        resource_type,
        -- a scale set's machine has a number in its path and a name like scaleset_0
        case when resource_type = 'instance' then name else azure_id(path) end as resource_id,
        path,
        item,
        statuses,
        case
            when resource_type = 'instance'
                then case lower(split_part(power, '/', -1))
                    when 'running' then 'running'
                    when 'stopped' then 'stopped'
                    when 'deallocated' then 'deallocated'
                    else 'other'
                end
            when
                resource_type = 'volume' and told_state = 'Unattached'
                and json_extract_string(item, '$.managedBy') is null
                then 'unattached'
            when resource_type = 'volume' and told_state in ('Attached', 'Reserved') then 'in_use'
            when resource_type = 'volume' then 'other'
            when
                resource_type = 'address'
                and coalesce(
                    json_extract_string(item, '$.properties.ipConfiguration.id'),
                    json_extract_string(item, '$.properties.natGateway.id'),
                    json_extract_string(item, '$.properties.servicePublicIPAddress.id'),
                    json_extract_string(item, '$.properties.linkedPublicIPAddress.id')
                ) is not null
                then 'in_use'
            when resource_type = 'address' then 'unattached'
            when coalesce(told_state, 'Succeeded') = 'Succeeded' then 'available'
            else 'other'
        end as state,
        coalesce(power, told_state) as state_raw,
        listed_created_at,
        observed_at,
        is_kept
        or (
            resource_type in ('volume', 'snapshot')
            and (
                regexp_matches(name, '-asrreplica$|^ms-asr-|^asrseeddisk-|^azurebackup_')
                or contains(path, '/resourcegroups/azurebackuprg')
                or coalesce(
                    regexp_matches(
                        lower(json_extract_string(item, '$.tags')), 'asr-replicadisk|asrseeddisk|rsvaultbackup'
                    ), false
                )
            )
        ) as is_protected
    from read_states
    where path is not null
),

judged as (
    select
        * exclude (state),
        -- only names can be shared: paths are their own
        case
            when
                min(state) over (partition by charge_date, source, resource_type, resource_id)
                <> max(state) over (partition by charge_date, source, resource_type, resource_id)
                then 'other'
            else state
        end as state
    from things
    qualify row_number() over (
        partition by charge_date, source, sub_account_id, region_id, resource_type, resource_id order by path
    ) = 1
)

select
    charge_date,
    source,
    'Microsoft' as provider,
    sub_account_id,
    region_id,
    cast(null as varchar) as availability_zone_id,  -- the zones' numbers differ per subscription
    resource_type,
    resource_id,
    json_extract_string(item, '$.name') as resource_name,
    state,
    state_raw,
    coalesce(
        json_time(item, '$.properties.timeCreated'),
        json_time(item, '$.properties.creationTime'),
        json_time(item, '$.properties.publishingProfile.publishedDate'),
        listed_created_at,
        json_time(item, '$.systemData.createdAt')
    ) as created_at,
    case
        when resource_type = 'instance' and state = 'deallocated'
            then timezone(
                'UTC',
                list_max(
                    list_transform(
                        list_filter(
                            json_extract(statuses, '$[*]'),
                            lambda status: starts_with(json_extract_string(status, '$.code'), 'ProvisioningState/')
                        ),
                        lambda status: try_cast(json_extract_string(status, '$.time') as timestamptz)
                    )
                )
            )
        when resource_type = 'volume' and state in ('unattached', 'in_use')
            then json_time(item, '$.properties.LastOwnershipUpdateTime')
        when resource_type = 'snapshot' then json_time(item, '$.properties.timeCreated')
    end as state_since,
    cast(null as timestamp) as last_used_at,
    try_cast(json_extract_string(item, '$.properties.diskSizeGB') as decimal(18, 6)) as size_gib,
    case
        when resource_type in ('instance', 'volume')
            then coalesce(
                json_extract_string(item, '$.properties.hardwareProfile.vmSize'),
                json_extract_string(item, '$.sku.name')
            )
    end as instance_type,
    is_protected,
    json_map(json_extract(item, '$.tags')) as tags,
    observed_at
from judged
