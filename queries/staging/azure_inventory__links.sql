-- What a thing of an Azure subscription refers to, as its listing says.
--
-- An address or balancer names network cards and their configurations; where a machine says that a
-- card is its own, the machine is meant. A snapshot that was copied from a snapshot names no disk, and
-- has no link to one. Azure Backup keeps the snapshots of a disk that lie where it puts them.
--
-- Known drawbacks: Azure shares snapshots and images by roles, which are not looked at.
--
-- grain:     one row per day, thing, relation and what it refers to
-- key:       charge_date, source, sub_account_id, region_id, resource_type, resource_id, relation, related_id
-- partition: charge_date
-- feeds:     listed_links
-- owner:     ml-platform

with

answers as (
    select
        cast(x_unit as date) as charge_date,
        x_source as source,
        account_id as sub_account_id,
        resource_type,
        call,
        answer
    from raw.azure_inventory__answers
    where answer is not null
),

listed as (
    select
        * exclude (answer),
        unnest(json_extract(answer, '$.value[*]')) as item
    from answers
),

items as (
    select
        *,
        json_extract_string(item, '$.id') as path,
        azure_region(item) as region_id,
        case
            when resource_type = 'instance'
                then lower(
                    coalesce(
                        json_extract_string(item, '$.name'), split_part(json_extract_string(item, '$.id'), '/', -1)
                    )
                )
            else azure_id(json_extract_string(item, '$.id'))
        end as resource_id
    from listed
    where call not in ('compute.virtualMachines.status', 'resources')
),

referred as (
    select
        *,
        'made_from' as relation,
        unnest([
            json_extract_string(item, '$.properties.storageProfile.imageReference.id')
        ]) as related
    from items
    where resource_type = 'instance'
    union all by name
    select
        *,
        'attached_to' as relation,
        unnest(
            [json_extract_string(item, '$.managedBy')] || json_extract_string(item, '$.managedByExtended[*]')
        ) as related
    from items
    where resource_type = 'volume'
    union all by name
    select
        *,
        'made_from' as relation,
        unnest([
            json_extract_string(item, '$.properties.creationData.sourceResourceId'),
            json_extract_string(item, '$.properties.creationData.imageReference.id'),
            json_extract_string(item, '$.properties.creationData.galleryImageReference.id')
        ]) as related
    from items
    where resource_type = 'volume'
    union all by name
    select
        *,
        'made_from' as relation,
        json_extract_string(item, '$.properties.creationData.sourceResourceId') as related
    from items
    where
        resource_type = 'snapshot'
        and json_extract_string(item, '$.properties.creationData.sourceResourceId') ilike '%/disks/%'
    union all by name
    select
        *,
        'maps' as relation,
        unnest(
            json_extract_string(item, '$.properties.storageProfile.*.snapshot.id')
            || json_extract_string(item, '$.properties.storageProfile.*.managedDisk.id')
            || json_extract_string(item, '$.properties.storageProfile.dataDisks[*].snapshot.id')
            || json_extract_string(item, '$.properties.storageProfile.dataDisks[*].managedDisk.id')
            || json_extract_string(item, '$.properties.storageProfile.*.source.id')
            || json_extract_string(item, '$.properties.storageProfile.dataDiskImages[*].source.id')
            || [json_extract_string(item, '$.properties.storageProfile.source.id')]
        ) as related
    from items
    where resource_type = 'image'
    union all by name
    select
        *,
        'made_from' as relation,
        json_extract_string(item, '$.properties.sourceVirtualMachine.id') as related
    from items
    where resource_type = 'image'
    union all by name
    select
        *,
        'maps' as relation,
        json_extract_string(item, '$.properties.virtualMachineProfile.storageProfile.imageReference.id') as related
    from items
    where resource_type = 'launch_template'
    union all by name
    select
        *,
        'attached_to' as relation,
        unnest([
            json_extract_string(item, '$.properties.ipConfiguration.id'),
            json_extract_string(item, '$.properties.natGateway.id')
        ]) as related
    from items
    where resource_type = 'address'
    union all by name
    select
        *,
        'backend' as relation,
        unnest(
            json_extract_string(item, '$.properties.backendAddressPools[*].properties.backendIPConfigurations[*].id')
            || json_extract_string(
                item,
                '$.properties.backendAddressPools[*].properties.loadBalancerBackendAddresses[*].properties.ipAddress'
            )
            || json_extract_string(
                item, '$.properties.inboundNatRules[*].properties.backendIPConfiguration.id'
            )
            || json_extract_string(
                item, '$.properties.backendAddressPools[*].properties.backendAddresses[*].ipAddress'
            )
            || json_extract_string(item, '$.properties.backendAddressPools[*].properties.backendAddresses[*].fqdn')
            || json_extract_string(item, '$.properties.redirectConfigurations[*].id')
        ) as related
    from items
    where resource_type = 'load_balancer'
),

named_cards as (
    select
        charge_date,
        source,
        resource_id as machine,
        lower(unnest(json_extract_string(item, '$.properties.networkProfile.networkInterfaces[*].id'))) as card
    from items
    where call in ('compute.virtualMachines', 'compute.virtualMachineScaleSets.virtualMachines')
),

-- 1 row per network card
cards as (
    select
        charge_date,
        source,
        card,
        min(machine) as machine
    from named_cards
    group by charge_date, source, card
),

placed as (
    select
        *,
        regexp_replace(lower(related), '/(ipconfigurations|frontendipconfigurations)/.*$', '') as place
    from referred
),

links as (
    select
        placed.*,
        coalesce(
            cards.machine,
            azure_id(
                case
                    when regexp_matches(placed.place, '/virtualmachinescalesets/[^/]+/virtualmachines/')
                        then regexp_replace(placed.place, '/networkinterfaces/.*$', '')
                    else placed.place
                end
            )
        ) as related_id
    from placed
    left join cards
        on
            placed.charge_date = cards.charge_date
            and placed.source = cards.source
            and placed.place = cards.card
),

-- 1 row per disk that Azure Backup takes snapshots of, and resource group that they go to
backups as (
    select
        *,
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

kept as (
    select
        backups.charge_date,
        backups.source,
        backups.sub_account_id,
        backups.region_id,
        backups.resource_type,
        backups.resource_id,
        'keeps' as relation,
        snapshots.resource_id as related_id
    from backups
    inner join items as snapshots
        on
            snapshots.call = 'compute.snapshots'
            and backups.charge_date = snapshots.charge_date
            and backups.source = snapshots.source
            and backups.disk = lower(json_extract_string(snapshots.item, '$.properties.creationData.sourceResourceId'))
            and starts_with(lower(snapshots.path), backups.resource_group || '/')
)

select distinct
    charge_date,
    source,
    sub_account_id,
    region_id,
    resource_type,
    resource_id,
    relation,
    related_id
from links
where resource_id is not null and related_id <> ''
union
select *
from kept
